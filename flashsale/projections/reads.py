"""What the command line and reconcile read from Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg.rows import TupleRow

from flashsale.ids import Position
from flashsale.projections.catalog import origin_of
from flashsale.projections.database import Connection, errors_told
from flashsale.projections.queries import of_position, of_shard, query
from flashsale.stream import Entry, ShardId


class CheckpointRow(msgspec.Struct, frozen=True):
    """Where one shard stands in Postgres, and who leads it."""

    shard: ShardId
    checkpoint: Position
    #: the epoch in which its log was founded last; 0: it was never warmed
    founded_epoch: int
    fence: int
    #: why nothing is applied any more; None while all is well
    halted: str | None
    #: the projector that leads it; None when nobody does
    holder: str | None
    #: time since the holder last said it lives; None when nobody ever led it
    heartbeat_age_ms: int | None
    #: dead letters that wait; not those that were discarded
    parked: int
    #: the sale is over: Redis has nothing of it any more, or soon will not
    archived: bool = False
    #: when its definition was stored, as Redis has it, too; None: no log of it was founded from here
    origin: str | None = None

    @property
    def reached(self) -> Position:
        """The highest position that the log is known to have reached: a Redis that is behind has lost something."""
        return max(self.checkpoint, Position(self.founded_epoch, min(1, self.founded_epoch)))


class ProjectorRow(msgspec.Struct, frozen=True):
    """A projector that is connected."""

    name: str
    #: how many it leads
    shards: int
    #: time since it last said that it lives; None when it leads nothing
    heartbeat_age_ms: int | None


class StockRow(msgspec.Struct, frozen=True):
    sku: str
    available: int
    held: int
    sold: int
    returned: int
    capacity: int


class OrderRow(msgspec.Struct, frozen=True):
    order_id: str
    buyer: str
    sku: str
    quantity: int
    status: str
    reserved_ms: int
    hold_until_ms: int
    changed_ms: int
    position: Position


class Withheld(msgspec.Struct, frozen=True):
    """A dead letter: an event whose effect is not in orders and stock."""

    position: Position
    order_id: str | None
    sku: str | None


class Tables(msgspec.Struct, frozen=True):
    """One shard's projections at one checkpoint."""

    checkpoint: Position
    #: by SKU
    stock: dict[str, StockRow]
    #: by order id
    orders: dict[str, OrderRow]
    archived_events: int
    parked: int
    withheld: list[Withheld] = []


def checkpoints(connection: Connection, sale: str | None = None) -> list[CheckpointRow]:
    """Every shard, or those of one sale."""
    with errors_told():
        rows = connection.execute(query("read", "checkpoints"), {"sale_id": sale})
        return [
            CheckpointRow(
                ShardId(sale_id, shard), Position(epoch, seq), *(*rest, defined_at and origin_of(defined_at))
            )
            for sale_id, shard, epoch, seq, *rest, defined_at in rows
        ]


def projectors(connection: Connection) -> list[ProjectorRow]:
    """Every projector that is connected to this database."""
    with errors_told():
        rows = connection.execute(query("read", "projectors")).fetchall()
        return [ProjectorRow(name, shards, age and max(0, age)) for name, shards, age in rows]


def checkpoint_row(connection: Connection, shard: ShardId) -> CheckpointRow:
    """One shard of a sale that is defined."""
    return next(row for row in checkpoints(connection, shard.sale) if row.shard == shard)


def tables(connection: Connection, shard: ShardId) -> Tables:
    """Stock, orders and checkpoint as one transaction sees them. Reads every order of the shard."""
    values = of_shard(*shard)
    with errors_told(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # Before the snapshot: a replay that swapped tables after it would show rows of another moment.
        connection.execute(query("read", "hold_tables"))
        (row,) = (row for row in checkpoints(connection, shard.sale) if row.shard == shard)
        orders = connection.execute(query("read", "orders"), values).fetchall()
        counted = connection.execute(query("read", "archived_count"), values).fetchone()
        rows, kept_back = stock_by_sku(connection, shard), withheld(connection, shard)
    return Tables(
        checkpoint=row.checkpoint,
        stock=rows,
        orders={order.order_id: order for order in map(_order, orders)},
        archived_events=counted[0] if counted else 0,
        parked=row.parked,
        withheld=kept_back,
    )


def stock_by_sku(connection: Connection, shard: ShardId) -> dict[str, StockRow]:
    """The stock rows of one shard, by SKU."""
    with errors_told():
        rows = connection.execute(query("read", "stock"), of_shard(*shard))
        return {sku: StockRow(sku, *counters) for sku, *counters in rows}


def withheld(connection: Connection, shard: ShardId) -> list[Withheld]:
    """The dead letters of one shard."""
    with errors_told():
        rows = connection.execute(query("read", "withheld"), of_shard(*shard))
        return [Withheld(Position(epoch, seq), order_id, sku) for epoch, seq, order_id, sku in rows]


def order(connection: Connection, sale: str, order_id: str) -> OrderRow | None:
    """One order as Postgres knows it; None before it is projected."""
    with errors_told():
        values = {"sale_id": sale, "order_id": order_id}
        row = connection.execute(query("read", "order"), values).fetchone()
        return _order(row) if row else None


def order_counts(connection: Connection, sale: str) -> dict[str, tuple[int, int]]:
    """Status → (orders, units)."""
    with errors_told():
        rows = connection.execute(query("read", "order_counts"), {"sale_id": sale})
        return {status: (orders, units) for status, orders, units in rows}


def order_events(connection: Connection, shard: ShardId, order_id: str) -> list[Entry]:
    """The archived events of one order, in order."""
    values = of_shard(*shard) | {"order_id": order_id}
    with errors_told():
        return _entries(connection.execute(query("read", "order_events"), values).fetchall())


def events(connection: Connection, shard: ShardId, after: Position, limit: int) -> list[Entry]:
    """Archived events after a position, in order."""
    return _page(connection, "events", shard, after, limit)


def events_before(connection: Connection, shard: ShardId, before: Position, limit: int) -> list[Entry]:
    """The newest archived events before a position, oldest first."""
    return _page(connection, "events_before", shard, before, limit)[::-1]


def latest_event(connection: Connection, shard: ShardId, kind: str) -> Entry | None:
    """The newest archived event of a type; reads backwards from the end until it is found."""
    values = of_shard(*shard) | {"type": kind}
    with errors_told():
        return next(
            iter(_entries(connection.execute(query("read", "latest_event"), values).fetchall())), None
        )


def acts(connection: Connection, sale: str, limit: int) -> list[Entry]:
    """The newest archived events that concern no order, newest first: what was done with a sale, and by whom."""
    values = {"sale_id": sale, "limit": limit}
    with errors_told():
        return _entries(connection.execute(query("read", "acts"), values).fetchall())


def orders_of(connection: Connection, buyer: str, sale: str, limit: int) -> list[OrderRow]:
    """The newest orders of a buyer in one sale, newest first. Reads every order of the sale."""
    values = {"buyer": buyer, "sale_id": sale, "limit": limit}
    with errors_told():
        return [_order(row) for row in connection.execute(query("read", "orders_of"), values).fetchall()]


def _order(row: Sequence[Any]) -> OrderRow:
    order_id, buyer, sku, quantity, status, reserved_ms, hold_until_ms, changed_ms, epoch, seq = row
    position = Position(epoch, seq)
    return OrderRow(order_id, buyer, sku, quantity, status, reserved_ms, hold_until_ms, changed_ms, position)


def _page(connection: Connection, name: str, shard: ShardId, at: Position, limit: int) -> list[Entry]:
    values = of_shard(*shard) | of_position(at) | {"limit": limit}
    with errors_told():
        return _entries(connection.execute(query("read", name), values).fetchall())


def _entries(rows: list[TupleRow]) -> list[Entry]:
    return [Entry(Position(epoch, seq), bytes(body)) for epoch, seq, body in rows]
