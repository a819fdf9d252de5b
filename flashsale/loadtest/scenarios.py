"""Named crowds: when they come, what they want, and what else goes on meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import msgspec

from flashsale.bench.arrivals import arrivals


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One crowd. Parts are of 100 buyers."""

    name: str
    #: one sentence
    summary: str
    #: how many arrive in each part of the run, all parts being equally long
    shape: tuple[float, ...] = (1.0,)
    #: how often a buyer looks at the sale's page before anything else: at least, at most
    looks: tuple[int, int] = (1, 1)
    #: between two steps of a buyer, on average
    think_s: float = 0.2
    #: buyers who order at all; the others only look
    order: int = 100
    #: of those who hold a unit: who presses the button twice, pays, gives up; the rest does nothing
    twice: int = 10
    pay: int = 75
    cancel: int = 15
    #: arrivals that are no buyers but one of a few bots, which order again and again
    bots: int = 0
    #: whether Postgres is kept waiting in the middle of the run
    postgres_is_slow: bool = False


#: Names that bots share, and orders of one visit.
BOT_NAMES, BOT_ORDERS = 20, 5

SCENARIOS: Mapping[str, Scenario] = {
    one.name: one
    for one in (
        Scenario(
            name="opening-second",
            summary="Half of the crowd comes in the first tenth of the time, and orders at once.",
            shape=(9, 1, 1, 1, 1, 1, 1, 1, 1, 1),
        ),
        Scenario(
            name="refresh-storm",
            summary="Everybody reloads the page ten to twenty times; one in five orders.",
            looks=(10, 20),
            order=20,
        ),
        Scenario(
            name="bot-flood",
            summary="Of ten arrivals seven are bots: twenty names, a new key for every order, no pause.",
            bots=70,
        ),
        Scenario(
            name="slow-postgres",
            summary="For half of the time Postgres answers with a delay of half a second; the sale goes on.",
            postgres_is_slow=True,
        ),
    )
}


def due(scenario: Scenario, rate: float, seconds: float, dice: random.Random) -> Iterator[float]:
    """When buyers arrive, in s from the start: `rate` a second on average, by the scenario's shape."""
    part_s, total = seconds / len(scenario.shape), sum(scenario.shape)
    for number, share in enumerate(scenario.shape):
        part_rate = rate * len(scenario.shape) * share / total
        for at in arrivals(dice, part_rate, part_s):
            yield number * part_s + at
