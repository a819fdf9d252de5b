"""Lies of the log by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.history_kit import CASE, PHONE, order
from tests.integration.history_mutants import Change, Mutants, followed, with_event
from tests.integration.history_story import Record, Story

MUTANTS = Mutants()
mutant = MUTANTS.add


def log_event(kinds: str, change: Callable[[Record], Record]) -> Change:
    """An event of a kind says something else."""

    def mutate(story: Story, pick: int) -> None:
        event = [event for event in story.log if event["type"].startswith(kinds)][pick]
        story.log[event["seq"] - 1] = event | change(event)

    return mutate


for _name in ("available", "held", "sold", "returned"):
    mutant(f"{_name} is one more in an event", "I1")(
        log_event("order.", lambda event, name=_name: {name: event[name] + 1})  # type: ignore[misc]  # bound early
    )
mutant("a reservation of one unit more", "I1", "P1")(
    log_event("order.reserved", lambda e: {"quantity": e["quantity"] + 1})
)
mutant("a payment of one unit more", "U2")(
    log_event("order.confirmed", lambda e: {"quantity": e["quantity"] + 1})
)
mutant("a payment by another buyer", "U2")(
    log_event("order.confirmed", lambda e: {"buyer": e["buyer"] + "x"})
)
mutant("a reservation before the sale opened", "W1")(log_event("order.reserved", lambda _: {"at_ms": 1}))
mutant("an event that is none", "decode")(log_event("order.", lambda e: {"type": f"{e['type']}x"}))


@mutant("an event is gone", "U4")
def _(story: Story, pick: int) -> None:
    del story.log[1 + 9 * pick]


@mutant("an event stands twice", "U4")
def _(story: Story, pick: int) -> None:
    story.log.insert(1 + 9 * pick, dict(story.log[9 * pick + 1]))


@mutant("neighbours changed places", "U4")
def _(story: Story, pick: int) -> None:
    i = 1 + 9 * pick
    story.log[i], story.log[i + 1] = story.log[i + 1], story.log[i]


@mutant("the end is cut off", "K1", "K5")
def _(story: Story, pick: int) -> None:
    del story.log[-(1, 2, 5, 12, 25, 59)[pick] :]


@mutant("oversold by one", "I2")
def _(story: Story, pick: int) -> None:
    last = [event for event in story.events("order.reserved") if event["available"] == 0][pick]
    with_event(story, last, last | {"order_id": order(8_000), "buyer": "one-more", "quantity": 1})


@mutant("a limit was not kept", "P1")
def _(story: Story, pick: int) -> None:
    greedy = [event for event in story.events("order.reserved") if event["buyer"] == "greedy"][pick]
    after = [e for e in story.events("order.reserved") if e["sku"] == PHONE and e["seq"] > greedy["seq"]]
    for event in followed(story, after[0]):
        event["buyer"] = "greedy"


@mutant("an order id was used again", "U1")
def _(story: Story, pick: int) -> None:
    cases = [event for event in story.events("order.reserved") if event["sku"] == CASE]
    cases[pick + 1]["order_id"] = cases[pick]["order_id"]


def out_of_turn(after: str, kind: str, **fields: Any) -> Change:
    """After an event of an order comes another one of it that cannot follow."""

    def change(story: Story, pick: int) -> None:
        event = story.events(after)[pick]
        with_event(story, event, event | {"type": kind} | fields)

    return change


mutant("refunded and never paid", "U2")(out_of_turn("order.reserved", "order.refunded", v=2, units="restock"))
mutant("expired, then paid as if it were held", "U2")(
    out_of_turn("order.expired", "order.confirmed", late=False)
)
mutant("cancelled, then paid", "U2")(out_of_turn("order.cancelled", "order.confirmed", late=False))
mutant("paid, then expired", "U2")(out_of_turn("order.confirmed", "order.expired"))
mutant("paid, then cancelled", "U2")(out_of_turn("order.confirmed", "order.cancelled"))
mutant("refunded twice", "U2", "I3")(out_of_turn("order.refunded", "order.refunded", v=2, units="restock"))
