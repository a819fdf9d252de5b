"""The books of rebuilds: which run, which tables, how far each is. Moved in the transactions they tell of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec
import psycopg
from psycopg.rows import TupleRow

from flashsale.errors import NotFound, RefusedByState
from flashsale.ids import START, Position
from flashsale.projections import partitions
from flashsale.projections.database import Connection, errors_told, written
from flashsale.projections.queries import query
from flashsale.projections.versions import PROJECTION_VERSIONS

#: How long a replay waits for another one of the same sale: the session of a killed process ends within this time.
LOCK_WAIT_MS = 2_000


class Live(msgspec.Struct, frozen=True):
    """The table that holds a projection of a sale now."""

    sale: str
    #: orders or stock
    name: str
    table: str
    #: of the code that built it
    version: int


class Built(msgspec.Struct, frozen=True):
    """A table that a run builds, and after the swap the one that it replaced."""

    version: int
    new_table: str
    old_table: str | None
    old_version: int | None


class Run(msgspec.Struct):
    """One rebuild of a sale's tables."""

    run: int
    sale: str
    #: swap, verify or until
    mode: str
    #: building, built, swapped (the old tables are kept) or kept (a past moment, for queries)
    state: str
    #: the moment asked for, as it was written; None: the present
    until: str | None
    restarts: int
    started_ms: int
    #: by projection, in the order in which locks are taken
    tables: dict[str, Built]
    #: by shard: up to where the new tables are built; after the swap, the old ones
    reached: dict[int, Position]
    #: by shard: where to stop; empty: at the live checkpoint
    until_at: dict[int, Position]

    @property
    def new_tables(self) -> dict[str, str]:
        return {name: built.new_table for name, built in self.tables.items()}

    @property
    def old_tables(self) -> dict[str, str]:
        return {name: built.old_table for name, built in self.tables.items() if built.old_table}


@contextmanager
def locked(connection: Connection, sale: str) -> Iterator[None]:
    """Be the only one who rebuilds tables of this sale. Raises `RefusedByState` when somebody else does."""
    values = {"sale_id": sale}
    try:
        with errors_told(), connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}".encode())
            connection.execute(query("replay", "lock_sale"), values)
    except Exception as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise RefusedByState(
                f"another replay of sale {sale} is running; wait for it, or end it"
            ) from None
        raise
    try:
        yield
    finally:
        with suppress(psycopg.Error):  # a session that is gone has given it back
            connection.execute(query("replay", "unlock_sale"), values)


def live_tables(connection: Connection, sale: str | None = None) -> list[Live]:
    """Of one sale or of all."""
    with errors_told():
        rows = connection.execute(query("replay", "live"), {"sale_id": sale}).fetchall()
        return [Live(sale_id, name, table, version) for sale_id, name, table, version in rows]


def runs(connection: Connection, sale: str | None = None) -> list[Run]:
    """Every run whose tables are still there, of one sale or of all."""
    with errors_told():
        heads = connection.execute(query("replay", "runs"), {"sale_id": sale}).fetchall()
        return [_run(connection, head) for head in heads]


def find(connection: Connection, sale: str, *modes: str) -> Run | None:
    """The run of one of these kinds, if there is one."""
    return next((run for run in runs(connection, sale) if run.mode in modes), None)


def begin(
    connection: Connection,
    sale: str,
    mode: str,
    names: tuple[str, ...],
    *,
    shards: Mapping[int, Position | None],
    until: str | None = None,
) -> Run:
    """A new run with its empty tables. `shards`: each with the place to stop at, None for the live checkpoint."""
    with errors_told(), connection.transaction():
        row = connection.execute(
            query("replay", "insert_run"), {"sale_id": sale, "mode": mode, "until": until}
        ).fetchone()
        (number,) = row or (0,)
        for name in names:
            table = partitions.rebuilt_name(name, sale, number)
            partitions.create(connection, name, table, sale)
            values = {"run": number, "name": name, "version": PROJECTION_VERSIONS[name], "new_table": table}
            connection.execute(query("replay", "insert_table"), values)
        for shard, stop in shards.items():
            epoch, seq = stop or (None, None)
            values = {"run": number, "shard": shard, "until_epoch": epoch, "until_seq": seq}
            connection.execute(query("replay", "insert_shard"), values)
    found = find(connection, sale, mode)
    if found is None:
        raise NotFound(f"the replay of sale {sale} that was just begun is gone: somebody else ended it")
    return found


def begin_again(connection: Connection, run: Run) -> None:
    """Empty the new tables: what they were built without has changed."""
    with errors_told(), connection.transaction():
        for table in run.new_tables.values():
            partitions.empty(connection, table)
        connection.execute(query("replay", "begin_again"), {"run": run.run})
    run.reached = dict.fromkeys(run.reached, START)
    run.restarts += 1
    run.state = "building"


def set_state(connection: Connection, run: Run, state: str) -> None:
    with errors_told():
        connection.execute(query("replay", "set_state"), {"run": run.run, "state": state})
    run.state = state


def discard(connection: Connection, run: Run) -> list[str]:
    """Drop the tables of a run that are not live, and forget it; returns their names."""
    tables = list((run.old_tables if run.state == "swapped" else run.new_tables).values())
    with errors_told(), written(connection):
        for table in tables:
            partitions.drop(connection, table)
        connection.execute(query("replay", "delete_run"), {"run": run.run})
    return tables


def _run(connection: Connection, head: TupleRow) -> Run:
    run, sale, mode, state, until, restarts, started_ms = head
    tables = {
        name: Built(version, new_table, old_table, old_version)
        for name, version, new_table, old_table, old_version in connection.execute(
            query("replay", "run_tables"), {"run": run}
        )
    }
    shards = connection.execute(query("replay", "run_shards"), {"run": run}).fetchall()
    return Run(
        run=run,
        sale=sale,
        mode=mode,
        state=state,
        until=until,
        restarts=restarts,
        started_ms=started_ms,
        tables={name: tables[name] for name in PROJECTION_VERSIONS if name in tables},
        reached={shard: Position(epoch, seq) for shard, epoch, seq, _, _ in shards},
        until_at={shard: Position(epoch, seq) for shard, _, _, epoch, seq in shards if epoch is not None},
    )
