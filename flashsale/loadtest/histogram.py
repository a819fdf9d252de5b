"""Latencies in buckets, as HdrHistogram has them: any number of values in little memory, each within 1 % of itself."""

from __future__ import annotations

from collections import Counter

#: Buckets to each power of two: what lies in one differs by less than 1 %.
_STEP_BITS = 7


class Histogram:
    """Counts durations, in whole microseconds."""

    def __init__(self) -> None:
        self._counts = Counter[int]()
        self.count = 0
        self.longest_us = 0

    def add(self, seconds: float) -> None:
        us = max(0, int(seconds * 1_000_000))
        self._counts[_bucket(us)] += 1
        self.count += 1
        self.longest_us = max(self.longest_us, us)

    def percentile_ms(self, percent: float) -> float:
        """So many of 100 took at most this long. 0 when there is nothing."""
        wanted, seen = self.count * percent / 100, 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min(_longest(bucket), self.longest_us) / 1000
        return 0.0


def _bucket(us: int) -> int:
    shift = max(0, us.bit_length() - _STEP_BITS - 1)
    return (shift << _STEP_BITS) + (us >> shift)


def _longest(bucket: int) -> int:
    """The longest duration that falls into it, in us."""
    shift = max(0, (bucket >> _STEP_BITS) - 1)
    return (((bucket - (shift << _STEP_BITS)) + 1) << shift) - 1
