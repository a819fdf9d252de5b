"""Slow a projector down to what the database should bear."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """At most `events_per_s` over time, in bursts of a batch; None for no limit.

    `wait` sleeps for the given seconds and may return early, when the process is asked to stop.
    """

    def __init__(self, events_per_s: int | None, wait: Callable[[float], object]) -> None:
        self._rate = events_per_s
        self._wait = wait
        self._free_at = 0.0

    def spend(self, events: int) -> None:
        """Account for events just applied; waits until the next ones are due."""
        if self._rate is None or events == 0:
            return
        now = time.monotonic()
        self._free_at = max(now, self._free_at) + events / self._rate
        self._wait(self._free_at - now)

    def idle(self, seconds: float) -> None:
        """Nothing to do: come back later."""
        self._wait(seconds)
