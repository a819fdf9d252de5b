"""Write one batch of consecutive events: archive, orders, stock and checkpoint in one transaction, or nothing.

The checkpoint moves from the place this writer believes in, under its fence. So a batch is applied once, whoever sends
it again, and a writer that was replaced meanwhile writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import psycopg

from flashsale.errors import FlashsaleError, Halted
from flashsale.ids import Position
from flashsale.projections.batch import Row, parameters, places, without_values
from flashsale.projections.copying import copy_rows
from flashsale.projections.database import Connection, is_data_error
from flashsale.projections.queries import of_shard, query
from flashsale.stream import Entry, ShardId

#: Fewer events are applied by one statement: COPY takes more round trips, which they would not make up for.
COPY_MIN = 32


class LeaseLost(FlashsaleError):
    """Another projector leads this shard now; nothing was written."""


class Fork(Halted):
    """The archive holds another event at the same place of the log: two histories, and neither may be guessed away."""


class Lease(msgspec.Struct):
    """The right to apply one shard, and the place up to which it is applied."""

    shard: ShardId
    fence: int
    checkpoint: Position


class Poison(msgspec.Struct, frozen=True):
    """Why an event's effect is withheld."""

    error_class: str
    error: str
    attempts: int


class Applied(msgspec.Struct, frozen=True):
    """What a batch did."""

    events: int = 0
    parked: int = 0
    #: delivered entries that XACK did not find on the pending list
    ack_missing: int = 0

    def __add__(self, other: Applied) -> Applied:
        return Applied(
            self.events + other.events, self.parked + other.parked, self.ack_missing + other.ack_missing
        )


def apply_rows(
    connection: Connection,
    lease: Lease,
    rows: Sequence[Row],
    attempts: int = 1,
    meanwhile: Callable[[], None] = lambda: None,
) -> Applied:
    """Apply consecutive rows that follow the lease's checkpoint, which moves with every commit.

    `meanwhile` is called while Postgres works, again and again; it must neither wait nor raise.

    A row that Postgres refuses (its values, a constraint) is found by halving and parked: archived, its effect
    withheld, its followers with it. Raises `LeaseLost`, `Fork`, and psycopg's transient errors: then nothing of the
    failing part was written and the same rows may be applied again from `lease.checkpoint`.
    """
    total = Applied()
    parts = [rows] if rows else []  # what comes first stands last
    while parts:
        part = parts.pop()
        spoiled = next((i for i, row in enumerate(part) if row.error is not None), None)
        if spoiled is not None and len(part) > 1:
            parts += _apart(part, spoiled or 1)
            continue
        try:
            if spoiled is None:
                total += _transaction(connection, lease, part, None, meanwhile)
            else:
                total += park_row(
                    connection, lease, part[0], Poison("undecodable", part[0].error or "", attempts)
                )
        except psycopg.Error as error:
            if not is_data_error(error):
                raise
            if len(part) > 1:
                parts += _apart(part, len(part) // 2)
            else:
                total += park_row(connection, lease, part[0], refusal(error, attempts))
    return total


def park_row(connection: Connection, lease: Lease, row: Row, poison: Poison) -> Applied:
    """Archive one row and withhold its effect."""
    try:
        return _transaction(connection, lease, [row], poison)
    except psycopg.Error as error:
        if not is_data_error(error):
            raise
        # A value that no column takes. The body has it; what is left out here is only a copy.
        return _transaction(connection, lease, [without_values(row)], poison)


def _apart(rows: Sequence[Row], at: int) -> tuple[Sequence[Row], Sequence[Row]]:
    return rows[at:], rows[:at]


def _transaction(
    connection: Connection,
    lease: Lease,
    rows: Sequence[Row],
    poison: Poison | None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Applied:
    last = rows[-1].position
    place = of_shard(*lease.shard) | {
        "fence": lease.fence,
        "from_epoch": lease.checkpoint.epoch,
        "from_seq": lease.checkpoint.seq,
        "to_epoch": last.epoch,
        "to_seq": last.seq,
    }
    meanwhile()
    if poison is None and len(rows) >= COPY_MIN and copy_rows(connection, place, rows, meanwhile):
        lease.checkpoint = last
        return Applied(len(rows))
    values = (
        parameters(rows)
        | place
        | {
            "error": poison.error if poison else None,
            "error_class": poison.error_class if poison else None,
            "attempts": poison.attempts if poison else 1,
        }
    )
    with connection.transaction():
        connection.execute(query("apply", "lock_shard"), values)
        row = connection.execute(query("apply", "apply_batch"), values).fetchone()
        moved, archived, parked = row or (0, 0, 0)
        if not moved:
            raise LeaseLost(f"{lease.shard}: another projector moved the checkpoint from {lease.checkpoint}")
        if archived < len(rows):
            refuse_fork(connection, lease.shard, rows)
    lease.checkpoint = last
    return Applied(len(rows), parked)


def refuse_fork(connection: Connection, shard: ShardId, entries: Sequence[Entry | Row]) -> None:
    """Raise `Fork` where the archive holds other bytes than these entries. The same bytes are a repeat."""
    if not entries:
        return
    values = places(entries) | of_shard(*shard)
    found = connection.execute(query("apply", "forked"), values).fetchone()
    if found:
        raise Fork(f"FORK of {shard} at {Position(*found)}: Postgres holds another event there than Redis")


def refusal(error: psycopg.Error, attempts: int) -> Poison:
    """Why Postgres did not take an event."""
    sentence = error.diag.message_primary or str(error).partition("\n")[0]
    return Poison(type(error).__name__, sentence[:500], attempts)
