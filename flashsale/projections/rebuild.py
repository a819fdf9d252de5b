"""Build a sale's tables from the archive, set by set, in the order of the log.

What comes out is what the projector would have written: the same rows, dead letters withheld. Each range is one
transaction with its place in the books, so whoever is killed goes on where the last commit was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from flashsale.errors import FlashsaleError, Halted
from flashsale.ids import START, Position
from flashsale.projections import reads
from flashsale.projections.database import Connection, errors_told
from flashsale.projections.queries import of_position, of_shard, query
from flashsale.projections.replays import Run
from flashsale.stream import ShardId, follows

#: Events of one statement: half a second of work, a few tens of megabytes of sorting.
CHUNK_EVENTS = 50_000
#: One chunk, one comparison, one sort of a sale's orders: never as long, unless the server is in trouble.
STATEMENT_TIMEOUT_MS = 600_000
#: How soon Postgres notices that this process was killed in the middle of a statement.
GONE_CHECK_MS = 500

#: Told how many events were built with each transaction; may raise to stop between two of them.
OnChunk = Callable[[int], None]


class OutOfDate(FlashsaleError):
    """A dead letter was settled behind the place that a rebuild had reached: it has to begin again."""


class Range(msgspec.Struct, frozen=True):
    """Consecutive events of one epoch: after `start`, up to `end`."""

    epoch: int
    start: int
    end: int


def prepare(connection: Connection) -> None:
    """Give a session the time and the memory that a rebuild takes."""
    with errors_told():
        connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}".encode())
        connection.execute("SET work_mem = '64MB'")
        with suppress(psycopg.errors.InvalidParameterValue):  # not every system can look
            connection.execute(f"SET client_connection_check_interval = {GONE_CHECK_MS}".encode())


def checkpoints(connection: Connection, sale: str) -> dict[int, Position]:
    """Up to where each shard is archived and applied."""
    return {row.shard.shard: row.checkpoint for row in reads.checkpoints(connection, sale)}


def archived(connection: Connection, sale: str, up_to: Mapping[int, Position]) -> int:
    """How many events the archive holds up to these positions."""
    total = 0
    with errors_told():
        for shard, position in up_to.items():
            row = connection.execute(
                query("rebuild", "archived_up_to"), of_shard(sale, shard) | of_position(position)
            ).fetchone()
            total += row[0] if row else 0
    return total


def position_at(connection: Connection, sale: str, shard: int, at_ms: int) -> Position | None:
    """Where a shard's log stood at a time: before its first later event. None when no archived event is later."""
    with errors_told():
        values = of_shard(sale, shard) | {"at_ms": at_ms}
        row = connection.execute(query("rebuild", "archive_at"), values).fetchone()
        if row is None:
            return None
        return START if row[0] is None else Position(*row)


def catch_up(
    connection: Connection,
    run: Run,
    tables: Mapping[str, str],
    targets: Mapping[int, Position],
    on_chunk: OnChunk,
) -> None:
    """Build tables up to positions, a transaction a range. Raises `OutOfDate`, `Halted`, and what `on_chunk` raises."""
    for shard, target in targets.items():
        while run.reached[shard] < target:
            with errors_told(), connection.transaction():
                # One snapshot: rows and dead letters of the same moment.
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                refuse_out_of_date(connection, run)
                reached, events = advance(connection, run, tables, shard, target)
            run.reached[shard] = reached
            on_chunk(events)


def advance(
    connection: Connection, run: Run, tables: Mapping[str, str], shard: int, target: Position
) -> tuple[Position, int]:
    """Build one range within the caller's transaction; returns where that ends, and how many events it had."""
    part = next_range(connection, run.sale, shard, run.reached[shard], target)
    fill(connection, run.sale, shard, tables, part)
    reached = Position(part.epoch, part.end)
    connection.execute(
        query("replay", "move"),
        of_shard(run.sale, shard) | {"run": run.run, "to_epoch": reached.epoch, "to_seq": reached.seq},
    )
    return reached, part.end - part.start


def refuse_out_of_date(connection: Connection, run: Run) -> None:
    """Raise `OutOfDate` when dead letters that were built around have been settled since."""
    values = {"run": run.run, "sale_id": run.sale}
    if connection.execute(query("replay", "out_of_date"), values).fetchone():
        raise OutOfDate(f"a dead letter of sale {run.sale} was settled behind the place that was rebuilt")


def next_range(connection: Connection, sale: str, shard: int, reached: Position, target: Position) -> Range:
    """The events to build next; at most a chunk, of one epoch. Raises `Halted` when the archive lacks one of them."""
    epoch, start = max(1, reached.epoch), reached.seq
    while True:
        end = min(start + CHUNK_EVENTS, target.seq) if epoch == target.epoch else start + CHUNK_EVENTS
        row = connection.execute(
            query("rebuild", "archived_between"),
            of_shard(sale, shard) | {"epoch": epoch, "from_seq": start, "to_seq": end},
        ).fetchone()
        found, last = row or (0, None)
        if epoch < target.epoch:
            end = min(end, last or 0)
            if end <= start:  # the epoch is over
                epoch, start = _next_epoch(connection, ShardId(sale, shard), reached), 0
                continue
        if found != end - start:
            raise Halted(
                f"{sale}:{shard}: the archive holds {found} of the {end - start} events "
                f"from {epoch}-{start + 1} to {epoch}-{end}: restore event_log from its dump first"
            )
        return Range(epoch, start, end)


def _next_epoch(connection: Connection, shard: ShardId, reached: Position) -> int:
    """The epoch that goes on where an earlier one ended. Raises `Halted` when the archive does not hold that end."""
    found = reads.events(connection, shard, reached, 1)
    if not found or not follows(reached, found[0]):
        behind = found[0].position if found else "nothing"
        raise Halted(
            f"{shard}: behind {reached} the archive holds {behind}, which does not follow: "
            "restore event_log from its dump first"
        )
    return found[0].position.epoch


def fill(connection: Connection, sale: str, shard: int, tables: Mapping[str, str], part: Range) -> None:
    """Write what one range means into tables of one sale."""
    values = of_shard(sale, shard) | {"epoch": part.epoch, "from_seq": part.start, "to_seq": part.end}
    for name, table in tables.items():
        on_tables(connection, f"{name}_chunk", values, table=table)


def catch_up_within(
    connection: Connection, run: Run, tables: Mapping[str, str], targets: Mapping[int, Position]
) -> dict[int, Position]:
    """Catch up inside the caller's transaction; returns the places reached, which hold once it is committed."""
    refuse_out_of_date(connection, run)
    before = run.reached
    try:
        run.reached = dict(before)
        for shard, target in targets.items():
            while run.reached[shard] < target:
                run.reached[shard], _ = advance(connection, run, tables, shard, target)
        return run.reached
    finally:
        run.reached = before


def analyze(connection: Connection, tables: Mapping[str, str]) -> None:
    """Let the planner know the new tables before anybody asks them."""
    with errors_told():
        for table in tables.values():
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


def on_tables(
    connection: Connection, name: str, values: Mapping[str, object], **tables: str
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a statement on tables that are named at run time. Not prepared: each plan sees the sizes of its range."""
    identifiers = {key: sql.Identifier(table) for key, table in tables.items()}
    statement = sql.SQL(query("rebuild", name)).format(**identifiers)
    return connection.execute(statement, values, prepare=False)
