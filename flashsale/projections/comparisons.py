"""The newest comparison of each shard's log, Redis and Postgres: noted by whoever compares, read by whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

import msgspec

from flashsale.ids import Position
from flashsale.projections.database import Connection, errors_told
from flashsale.projections.queries import of_position, of_shard, query
from flashsale.stream import ShardId


class Compared(msgspec.Struct, frozen=True):
    """A comparison that came to its end."""

    #: Unix time, by Postgres's clock
    at_ms: int
    by: str
    #: where in the log it was compared
    position: Position
    differences: int
    #: the first of them, a sentence each
    told: list[str]


class Missed(msgspec.Struct, frozen=True):
    """One that was tried, and could compare nothing."""

    #: Unix time, by Postgres's clock
    at_ms: int
    by: str
    why: str


class Comparison(msgspec.Struct, frozen=True):
    """What is known of one shard."""

    shard: ShardId
    #: the newest one; None: there was none yet
    compared: Compared | None
    #: the newest attempt after it; None: there was none
    missed: Missed | None


def note_compared(
    connection: Connection,
    shard: ShardId,
    by: str,
    *,
    position: Position,
    differences: int,
    told: Sequence[str],
) -> None:
    """Note a comparison, instead of the one before. Raises `FlashsaleError` for a role that may not."""
    values = of_position(position) | {"differences": differences, "told": list(told)}
    _note(connection, query("comparison", "compared"), shard, by, values)


def note_missed(connection: Connection, shard: ShardId, by: str, why: str) -> None:
    """Note one that could compare nothing, beside the one that could. Raises as `note_compared` does."""
    _note(connection, query("comparison", "missed"), shard, by, {"why": why})


def every(connection: Connection, sale: str | None = None) -> dict[ShardId, Comparison]:
    """By shard; those of one sale, or all. A shard that nobody ever compared is missing."""
    with errors_told():
        rows = connection.execute(query("comparison", "every"), {"sale_id": sale}).fetchall()
    found = {}
    for sale_id, shard, compared_ms, by, epoch, seq, differences, told, missed_ms, missed_by, why in rows:
        compared = None
        if compared_ms is not None:
            compared = Compared(compared_ms, by, Position(epoch, seq), differences, told)
        missed = None if missed_ms is None else Missed(missed_ms, missed_by, why)
        found[ShardId(sale_id, shard)] = Comparison(ShardId(sale_id, shard), compared, missed)
    return found


def _note(
    connection: Connection, statement: LiteralString, shard: ShardId, by: str, values: dict[str, object]
) -> None:
    with errors_told(), connection.transaction():
        # Whoever compares only reads, by default; of this one table it may write.
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute(statement, values | of_shard(*shard) | {"by": by})
