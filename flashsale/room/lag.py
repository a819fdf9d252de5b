"""How far Postgres is behind the log of a sale, in time, and how much of its rate a room may use then."""

from __future__ import annotations

from collections import deque

from flashsale.ids import Position

#: The checkpoint that a gateway knows may be a few seconds old itself.
FULL_UNTIL_MS = 5_000
#: So late, and later, the line moves as slowly as it ever does.
SLOWEST_FROM_MS = 30_000
#: Lag slows a line and does not hold it: Redis sells all the same, and Postgres catches up.
SLOWEST_PERMILLE = 100
WHOLE_PERMILLE = 1_000
#: Heads remembered: at two looks a second far more than until the line is at its slowest.
SEEN_MAX = 256


class Lag:
    """Since when Postgres lacks what it lacks.

    Told by nothing but heads of the log and when they were seen: so it needs no right to read the log. Whoever has only
    begun counts from its first look.
    """

    def __init__(self) -> None:
        #: (time, newest position then), where that was a new one; oldest first
        self._seen: deque[tuple[int, Position]] = deque()

    def saw(self, now_ms: int, head: Position) -> None:
        """The log ends there now."""
        if self._seen and now_ms < self._seen[-1][0]:
            # The clock was set back: what was seen before would have no age until that time has come again.
            self._seen = deque((min(seen_ms, now_ms), seen) for seen_ms, seen in self._seen)
        if self._seen and head <= self._seen[-1][1]:
            return
        if len(self._seen) == SEEN_MAX:
            # Rather too old than too young: the newest of those seen keeps its time.
            now_ms, _ = self._seen.pop()
        self._seen.append((now_ms, head))

    def age_ms(self, now_ms: int, recorded: Position) -> int:
        """How long the oldest event after `recorded`, which Postgres has, is there already; 0: there is none."""
        # The last one stays: a head that was seen before is not new.
        while len(self._seen) > 1 and self._seen[0][1] <= recorded:
            self._seen.popleft()
        if not self._seen or self._seen[0][1] <= recorded:
            return 0
        return max(0, now_ms - self._seen[0][0])


def share_permille(lag_ms: int) -> int:
    """The part of the rate, by the age of the oldest event that Postgres lacks."""
    if lag_ms >= SLOWEST_FROM_MS:
        return SLOWEST_PERMILLE
    if lag_ms <= FULL_UNTIL_MS:
        return WHOLE_PERMILLE
    slowed = (WHOLE_PERMILLE - SLOWEST_PERMILLE) * (lag_ms - FULL_UNTIL_MS)
    return WHOLE_PERMILLE - slowed // (SLOWEST_FROM_MS - FULL_UNTIL_MS)
