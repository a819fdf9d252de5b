"""How fast a line moves, as a range: who waits is told the truth, which is seldom one number."""

from __future__ import annotations

import math
from collections import deque

#: What is looked back upon.
HISTORY_MS = 60_000
#: A speed is measured over so long at least: the doorman calls once a second, and each call is a step.
SPAN_MS = 10_000
#: Looks are kept so far apart.
APART_MS = 1_000


class Speed:
    """Places called, as seen over the last minute."""

    def __init__(self) -> None:
        #: (time, places called until then), oldest first
        self._seen: deque[tuple[int, int]] = deque()

    def saw(self, now_ms: int, serving: int) -> None:
        """Places below `serving` have been called by now. A line that begins anew has no speed yet."""
        if self._seen:
            last_ms, last = self._seen[-1]
            if serving < last or now_ms < last_ms or now_ms - last_ms > HISTORY_MS:
                self._seen.clear()
            elif now_ms - last_ms < APART_MS:
                return
        self._seen.append((now_ms, serving))
        while now_ms - self._seen[0][0] > HISTORY_MS:
            self._seen.popleft()

    def forget(self) -> None:
        """The line was held: what was before tells nothing of what comes."""
        self._seen.clear()

    def range_per_s(self) -> tuple[float, float] | None:
        """The slowest and the fastest of the last minute, in places a second; None: too early to tell."""
        seen, speeds, first = self._seen, [], 0
        for now_ms, serving in seen:
            while first + 1 < len(seen) and now_ms - seen[first + 1][0] >= SPAN_MS:
                first += 1
            then_ms, before = seen[first]
            if now_ms - then_ms >= SPAN_MS:
                speeds.append((serving - before) * 1_000 / (now_ms - then_ms))
        return (min(speeds), max(speeds)) if speeds else None

    def wait_ms(self, ahead: int) -> tuple[int | None, int | None]:
        """How long it takes until so many are called, at the least and at the most; None: unknown. Whole seconds."""
        speeds = self.range_per_s()
        if speeds is None or speeds[1] == 0:
            return None, None
        slowest, fastest = speeds
        least_ms = math.floor(ahead / fastest) * 1_000
        return least_ms, math.ceil(ahead / slowest) * 1_000 if slowest else None
