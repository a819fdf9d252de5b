"""Put rebuilt tables in the place of the live ones, and back: one short transaction, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import psycopg
from psycopg import sql

from flashsale.errors import FlashsaleError
from flashsale.ids import Position
from flashsale.projections import partitions
from flashsale.projections.database import Connection, errors_told, written
from flashsale.projections.queries import query
from flashsale.projections.rebuild import catch_up_within
from flashsale.projections.replays import Live, Run
from flashsale.projections.versions import PROJECTION_VERSIONS

#: Everybody who comes to these tables waits behind a swap that waits, so it gives up soon and tries again. Before
#: Postgres looks for deadlocks (after 1 s): it is the swap that gives way, never the projector.
SWAP_LOCK_TIMEOUT_MS = 400
#: Events applied under the locks at most: some 50 ms.
SWAP_EVENTS_MAX = 5_000


class Busy(FlashsaleError):
    """Somebody reads or writes the tables just now, or wrote much meanwhile; nothing was changed. Try again."""


class _Change(NamedTuple):
    """One table for another, each with the version of the code that built it."""

    leaves: str
    left_version: int
    comes: str
    version: int


def swap(connection: Connection, run: Run, live: Mapping[str, Live]) -> None:
    """Make the new tables live; the old ones stay, detached. Raises `Busy`, `OutOfDate`."""
    changes = {
        name: _Change(live[name].table, live[name].version, built.new_table, built.version)
        for name, built in run.tables.items()
    }
    with errors_told():
        reached = _exchange(connection, run, run.new_tables, changes, "swapped")
    run.reached, run.state = reached, "swapped"


def swap_back(connection: Connection, run: Run) -> None:
    """Make the old tables live again, with all that was applied since, and drop the new ones. Raises as `swap`."""
    changes = {
        name: _Change(built.new_table, built.version, built.old_table, built.old_version or 0)
        for name, built in run.tables.items()
        if built.old_table
    }
    with errors_told():
        _exchange(connection, run, run.old_tables, changes, None)


def _exchange(
    connection: Connection,
    run: Run,
    coming: Mapping[str, str],
    changes: Mapping[str, _Change],
    state: str | None,
) -> dict[int, Position]:
    try:
        with written(connection):
            connection.execute(f"SET LOCAL lock_timeout = {SWAP_LOCK_TIMEOUT_MS}".encode())
            now = _lock(connection, run.sale, changes)
            if sum(map(_distance, run.reached.values(), now.values())) > SWAP_EVENTS_MAX:
                raise Busy(f"much was sold of {run.sale} meanwhile")
            reached = catch_up_within(connection, run, coming, now)
            for name, change in changes.items():
                _put_in_place(connection, run, name, change, remember=state is not None)
            if state is not None:
                connection.execute(query("replay", "set_state"), {"run": run.run, "state": state})
            else:
                connection.execute(query("replay", "delete_run"), {"run": run.run})
            return reached
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
        raise Busy(f"the tables of {run.sale} are in use by a long transaction") from error


def _lock(connection: Connection, sale: str, changes: Mapping[str, _Change]) -> dict[int, Position]:
    """Stop everybody, and read where the shards stand: checkpoints first, then tables, as every writer does.

    The other way round this transaction and a projector, which has the checkpoint and wants the tables, would wait for
    each other.
    """
    rows = connection.execute(query("replay", "lock_checkpoints"), {"sale_id": sale}).fetchall()
    for name in PROJECTION_VERSIONS:
        if name in changes:
            connection.execute(
                sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(name))
            )
    return {shard: Position(epoch, seq) for shard, epoch, seq in rows}


def _put_in_place(connection: Connection, run: Run, name: str, change: _Change, *, remember: bool) -> None:
    partitions.detach(connection, name, change.leaves)
    partitions.attach(connection, name, change.comes, run.sale)
    connection.execute(
        query("replay", "make_live"),
        {"sale_id": run.sale, "name": name, "live_table": change.comes, "version": change.version},
    )
    if not remember:
        partitions.drop(connection, change.leaves)
        return
    connection.execute(
        query("replay", "replaced"),
        {"run": run.run, "name": name, "old_table": change.leaves, "old_version": change.left_version},
    )


def _distance(reached: Position, now: Position) -> int:
    """Events between two places; a new epoch counts as many: it is rare, and not worth a count under locks."""
    return now.seq - reached.seq if now.epoch == reached.epoch else SWAP_EVENTS_MAX + 1
