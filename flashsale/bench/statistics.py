"""Medians and spreads."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """What the rounds had in the middle, and at both ends."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread | None:
    """None of nothing."""
    found = sorted(values)
    return Spread(statistics.median(found), found[0], found[-1]) if found else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many of 100 do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
