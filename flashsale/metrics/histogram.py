"""Count values by their size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from flashsale.metrics.names import Distribution


class Histogram:
    """One thread adds, others may read."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float]) -> None:
        #: rising; a value on a bound is below it
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def read(self) -> Distribution:
        return Distribution(tuple(zip(self._names(), accumulate(self._counts), strict=True)), self._total)

    def _names(self) -> Iterator[str]:
        yield from (f"{float(bound)}" for bound in self._bounds)
        yield "+Inf"
