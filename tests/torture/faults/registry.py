"""Every fault registers itself here under the name it has in the schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.torture.schedule import Planned
from tests.torture.world import World

#: Does it, heals it, and returns how much of the evidence was seen; 0: it did not bite.
Run = Callable[[World, Planned], int]


class Fault(NamedTuple):
    """One kind of fault."""

    run: Run
    #: what is counted
    evidence: str
    #: why it is left out here, "" if it is not
    missing: Callable[[World], str]


FAULTS: dict[str, Fault] = {}


def nothing_missing(_: World) -> str:
    return ""


def needs_library(world: World) -> str:
    return (
        "" if world.library else "no C compiler for tests/fixtures/preload.c (apt-get install gcc libc6-dev)"
    )


def needs_small_disk(world: World) -> str:
    return "" if world.master.disk.is_small else "only root may mount a tmpfs"


def fault(
    name: str, evidence: str, missing: Callable[[World], str] = nothing_missing
) -> Callable[[Run], Run]:
    """Register a function as the fault `name`."""

    def register(run: Run) -> Run:
        assert name not in FAULTS, name
        FAULTS[name] = Fault(run, evidence, missing)
        return run

    return register
