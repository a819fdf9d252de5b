"""Look at the servers again and again, and wait out one that goes away meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from flashsale.errors import BadInput, Unreachable
from flashsale.times import parse_duration

if TYPE_CHECKING:
    from flashsale.shop import Shop

#: Longer, and nobody watches; the clock of the system has an end, too.
INTERVAL_MS_MAX = 86_400_000
#: The shortest time between two attempts to reach a server that is away.
AWAY_INTERVAL_MS = 500

Seen = TypeVar("Seen")


class Look(NamedTuple, Generic[Seen]):
    """What one look saw."""

    #: what was seen last, when a server is away
    seen: Seen
    #: what the look before it saw; None for the first
    before: Seen | None = None
    #: Redis or Postgres, and why it cannot be reached
    away: str = ""

    @property
    def server_away(self) -> str:
        return "Redis" if self.away.startswith("Redis") else "Postgres"


def interval_ms(text: str) -> int:
    """The option `--interval`. Raises `BadInput`."""
    found = parse_duration(text, "interval")
    if not 1 <= found <= INTERVAL_MS_MAX:
        raise BadInput("interval", text, "use 1ms to 1d")
    return found


def look_again_and_again(
    connected: Callable[[], AbstractContextManager[Shop]],
    take: Callable[[Shop], Seen],
    count: int | None,
    pause_ms: int,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[Look[Seen]]:
    """Looks, at most `count`. Raises `Unreachable` when the first or the last one finds a server away."""
    before: Seen | None = None
    taken = 0
    while True:
        try:
            with connected() as shop:
                while True:
                    seen = take(shop)
                    taken += 1
                    yield Look(seen, before)
                    if taken == count:
                        return
                    before = seen
                    wait(pause_ms / 1000)
        except Unreachable as error:
            taken += 1
            if before is None or taken == count:
                raise
            yield Look(before, away=str(error))
            wait(max(pause_ms, AWAY_INTERVAL_MS) / 1000)
