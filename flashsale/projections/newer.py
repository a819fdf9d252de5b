"""Events that only a newer flashsale can read: their shard halts here, and waits for a projector that can read them.

They are not parked. What is parked must be retried by a person, and what came behind it meanwhile has been applied
without it. A log that waits only waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from flashsale.errors import Halted, RefusedByState
from flashsale.events import EVENT_TYPES
from flashsale.projections.batch import Row, read_entry
from flashsale.projections.database import Connection, errors_told
from flashsale.projections.queries import query
from flashsale.stream import Entry, ShardId


class NewerEvents(Halted):
    """The next event was written by a newer flashsale."""


def refuse_newer(shard: ShardId, row: Row) -> NewerEvents:
    """What to raise at an event that a newer flashsale wrote."""
    return NewerEvents(
        f"{shard} at {row.position}: {row.error}. A newer flashsale wrote it: upgrade the projectors; until then this "
        "log waits, and nothing of it is lost"
    )


def refuse_if_newer(shard: ShardId, entries: Sequence[Entry]) -> None:
    """Raise `NewerEvents` when the first of these entries is one."""
    for row in map(read_entry, entries[:1]):
        if row.is_newer:
            raise refuse_newer(shard, row)


def readable(rows: Sequence[Row]) -> Sequence[Row]:
    """Those before the first that a newer flashsale wrote."""
    end = next((i for i, row in enumerate(rows) if row.is_newer), len(rows))
    return rows[:end]


def refuse_newer_archive(connection: Connection, sale: str) -> None:
    """Raise `RefusedByState` when a newer projector applied events that this code would leave out of a rebuild."""
    with errors_told():
        kinds = connection.execute(query("rebuild", "kinds"), {"sale_id": sale}).fetchall()
    newer = [
        f"{name} of version {version}"
        for name, version in kinds
        if name not in EVENT_TYPES or version > EVENT_TYPES[name].VERSION
    ]
    if newer:
        raise RefusedByState(
            f"the archive of sale {sale} holds {', '.join(newer)}, applied by a newer flashsale: replay with that one"
        )
