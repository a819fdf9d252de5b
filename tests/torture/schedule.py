"""Which fault comes when: a pure function of the seed and the minutes.

Two tracks run side by side, one with the faults of the log's server, one with all others. Each deals its faults from a
shuffled deck, so that every fault comes before any comes again.
"""

from __future__ import annotations

import random
from typing import NamedTuple

#: The faults of each track. A name more, or another order, and each seed means another schedule.
TRACKS = {
    "log": (
        "redis-killed",
        "redis-stopped",
        "fsync-slow",
        "fsync-slow-killed",
        "fsync-fails",
        "disk-full",
        "out-of-memory",
        "clock-stepped",
        "killed-in-rewrite",
        "scripts-flushed",
        "flushall",
        "replica-promoted",
        "foreign-entry",
    ),
    "rest": (
        "shop-replies-lost",
        "shop-reset",
        "shop-black-hole",
        "shop-delayed",
        "connections-cut",
        "daemon-reset",
        "daemon-black-hole",
        "daemon-delayed",
        "postgres-replies-lost",
        "postgres-reset",
        "postgres-black-hole",
        "postgres-delayed",
        "projector-killed",
        "projector-stopped",
        "sweeper-killed",
        "sweeper-stopped",
        "shop-killed",
        "shop-stopped",
        "gateway-killed",
        "gateway-stopped",
        "gateway-replies-lost",
        "gateway-reset",
        "gateway-black-hole",
        "http-replies-lost",
        "http-reset",
        "room-opened",
        "group-destroyed",
        "group-rewound",
        "consumer-deleted",
        "poison",
        "ddl-lock",
        "postgres-stopped",
        "postgres-killed",
        "backends-killed",
        "serialization-failures",
    ),
}
#: From the start of one fault of a track to the next, unless that one lasts longer: at random in between.
GAP_S = {"log": (5.0, 10.0), "rest": (2.5, 5.0)}
FIRST_S = 1.0
#: How long a fault lasts, where it does not end by itself.
LASTS_S = (0.5, 4.0)


class Planned(NamedTuple):
    """One fault of the schedule."""

    #: since the beginning
    at_s: float
    fault: str
    lasts_s: float
    #: 0 to 1, for whatever the fault has to choose
    lot: float


def schedule(seed: int, minutes: float) -> dict[str, list[Planned]]:
    """The faults of each track, in their order."""
    return {track: _deal(random.Random(f"{seed} {track}"), track, minutes * 60) for track in TRACKS}


def _deal(lots: random.Random, track: str, seconds: float) -> list[Planned]:
    planned: list[Planned] = []
    deck: list[str] = []
    at_s = FIRST_S
    while at_s < seconds:
        if not deck:
            deck = lots.sample(TRACKS[track], len(TRACKS[track]))
        planned.append(
            Planned(round(at_s, 2), deck.pop(), round(lots.uniform(*LASTS_S), 2), round(lots.random(), 4))
        )
        at_s += lots.uniform(*GAP_S[track])
    return planned
