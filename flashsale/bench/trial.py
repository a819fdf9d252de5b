"""What a contender is: a few lines that do a piece of work, and the proof that it was done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import NamedTuple

from flashsale.bench.place import Place

#: How long each operation took, s; None where operations travel in a pipeline and have no time of their own.
Latencies = Sequence[float] | None


class Role(StrEnum):
    """What a contender is there for."""

    #: what people use instead
    BASELINE = "baseline"
    FLASHSALE = "flashsale"
    #: what the servers could do at the very best: less work than anybody needs
    LIMIT = "limit"


class Trial(NamedTuple):
    """One prepared run."""

    #: the part that is timed
    run: Callable[[], Latencies]
    #: looked at afterwards: what is there …
    found: Callable[[], Mapping[str, int]]
    #: … and what must be there
    wanted: Mapping[str, int]


#: Prepares a trial of so many operations, and removes afterwards what it made.
Prepare = Callable[[Place, int], AbstractContextManager[Trial]]


class Contender(NamedTuple):
    """One way to do the work."""

    name: str
    title: str
    role: Role
    prepare: Prepare
    #: operations in one quick round, sized for about half a second
    size: int


class Clock:
    """Collects latencies; cheap, for it runs within what is timed."""

    def __init__(self, count: int) -> None:
        self.latencies: deque[float] = deque(maxlen=count)
        self.took = self.latencies.append
