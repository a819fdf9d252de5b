"""See that what a log holds is archived, by whoever leads the sale, or by a projector of our own where nobody does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from flashsale.ids import START
from flashsale.projections import reads
from flashsale.projections.database import Connection
from flashsale.projections.projector import Projector
from flashsale.stream import Log

#: How often a checkpoint that is waited for is looked at.
LOOK_EVERY_S = 0.05
#: A projector that does not move for so long is not waited for.
SILENT_S = 10.0


class Onlooker(Protocol):
    """Who is told what happens, and may end it by raising."""

    def chunk(self, events: int) -> None:
        """So many events are done; 0: nothing yet, but here it may be ended."""

    def say(self, sentence: str) -> None: ...


def drain(
    connection: Connection,
    log: Log,
    sale: str,
    projector: Callable[[], Projector],
    *,
    onlooker: Onlooker,
    wait: Callable[[float], object],
) -> None:
    """Return when all that the log holds now is in Postgres; or, telling the onlooker, when that does not move."""
    heads = {row.shard: log.head(row.shard) or START for row in reads.checkpoints(connection, sale)}
    own: Projector | None = None
    deadline, before = time.monotonic() + SILENT_S, -1
    try:
        while behind := [r for r in reads.checkpoints(connection, sale) if r.checkpoint < heads[r.shard]]:
            done = sum(row.checkpoint.seq for row in behind)
            if done != before:
                deadline, before = time.monotonic() + SILENT_S, done
            halted = next((row.halted for row in behind if row.halted), None)
            if halted or time.monotonic() >= deadline:
                row = behind[0]
                why = halted or f"{row.holder or 'nobody'} applies it, and it does not move"
                onlooker.say(
                    f"{row.shard}: Postgres has {row.checkpoint}, the log ends at {heads[row.shard]}: {why}. "
                    "What Postgres has is rebuilt."
                )
                return
            if own is None and any(row.holder is None for row in behind):
                own = projector()
            if own is None or not own.step():
                wait(LOOK_EVERY_S)
            onlooker.chunk(0)
    finally:
        if own is not None:
            own.close()
