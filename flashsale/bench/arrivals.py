"""When requests are due that arrive by themselves, at random (Poisson), and how they are sent then."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import takewhile

#: Requests sent in a row by a crowd that is late: then the others have their turn.
TURN = 64


def poisson(dice: random.Random, rate: float) -> Iterator[float]:
    """Moments in seconds from the start, `rate` of them a second, for ever."""
    at = 0.0
    while True:
        at += dice.expovariate(rate)
        yield at


def arrivals(dice: random.Random, rate: float, seconds: float) -> list[float]:
    """Those within so many seconds."""
    return list(takewhile(lambda at: at < seconds, poisson(dice, rate)))


async def paced(due: Iterable[float], now: Callable[[], float]) -> AsyncIterator[float]:
    """Each moment when it has come; late ones at once, for whoever is due does not wait for others."""
    for number, due_s in enumerate(due):
        ahead_s = due_s - now()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        elif number % TURN == 0:
            await asyncio.sleep(0)
        yield due_s
