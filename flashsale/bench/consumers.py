"""What people write to bring a stream into Postgres: an event a transaction, or `executemany`; and binary COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

from psycopg import sql

from flashsale.bench.logs import Logged, logged_sale
from flashsale.bench.place import Place
from flashsale.bench.trial import Latencies, Prepare, Trial
from flashsale.ids import START
from flashsale.projections import partitions
from flashsale.projections.batch import Row, read_entry
from flashsale.projections.database import Connection
from flashsale.stream import ShardId

_COLUMNS: LiteralString = (
    "sale_id, shard, epoch, seq, type, version, at_ms, actor, order_id, buyer, sku, quantity, "
    "available, held, sold, returned, hold_until_ms, body"
)
_TYPES = [
    "text",
    "int2",
    "int4",
    "int8",
    "text",
    "int2",
    "int8",
    "text",
    "text",
    "text",
    "text",
    "int4",
    "int4",
    "int4",
    "int4",
    "int4",
    "int8",
    "bytea",
]
_EVENT: LiteralString = (
    "INSERT INTO event_log (" + _COLUMNS + ") VALUES (%s" + ", %s" * 17 + ") ON CONFLICT DO NOTHING"
)
_RESERVED: LiteralString = """
    INSERT INTO orders (
        sale_id, shard, order_id, buyer, sku, quantity, status, epoch, seq, reserved_ms, hold_until_ms, changed_ms
    ) VALUES (%s, 0, %s, %s, %s, %s, 'held', %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_CHANGED: LiteralString = """
    UPDATE orders SET status = %s, epoch = %s, seq = %s, changed_ms = %s WHERE sale_id = %s AND order_id = %s
"""
_LOADED: LiteralString = """
    INSERT INTO stock (sale_id, shard, sku, epoch, seq, available, held, sold, returned, capacity)
    VALUES (%s, 0, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_STOCK: LiteralString = """
    UPDATE stock SET epoch = %s, seq = %s, available = %s, held = %s, sold = %s, returned = %s
    WHERE sale_id = %s AND sku = %s
"""

#: Entries read at once, and rows of one transaction with `executemany`.
BATCH = 1_000

#: Writes a batch in one transaction.
Write = Callable[[Connection, ShardId, Sequence[Row]], None]


def write_events(connection: Connection, shard: ShardId, rows: Sequence[Row]) -> None:
    """Event, order and stock in one transaction each; a repeat is dropped by the key of the archive."""
    for row in rows:
        with connection.transaction():
            if connection.execute(_EVENT, event_values(shard, row)).rowcount == 0:
                continue
            for statement, values in _effects(shard, row):
                connection.execute(statement, values)


def write_batch(connection: Connection, shard: ShardId, rows: Sequence[Row]) -> None:
    """The same statements, those of a kind sent together, in one transaction a batch; stock once a batch."""
    kinds: dict[LiteralString, list[Sequence[Any]]] = {_LOADED: [], _RESERVED: [], _CHANGED: [], _STOCK: []}
    for row in rows:
        for statement, values in _effects(shard, row):
            kinds[statement].append(values)
    kinds[_STOCK] = kinds[_STOCK][-1:]  # one SKU: the newest counters are those that stay
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_EVENT, [event_values(shard, row) for row in rows])
        for statement, many in kinds.items():
            if many:
                cursor.executemany(statement, many)


def consumer(write: Write) -> Prepare:
    """A consumer group's reader around it: read, write, acknowledge."""

    @contextmanager
    def prepare(place: Place, count: int) -> Iterator[Trial]:
        orders = max(1, count // 2)
        with logged_sale(place, orders) as sale:
            sale.log.ensure_group(sale.shard, START)
            sale.sell(orders)

            def run() -> Latencies:
                while news := sale.log.read([sale.shard], "bench", count=BATCH, block_ms=None):
                    entries = news[sale.shard]
                    write(sale.connection, sale.shard, [read_entry(entry) for entry in entries])
                    sale.log.acknowledge(sale.shard, [entry.position for entry in entries])
                return None

            yield Trial(run, sale.tables, wanted_tables(sale, orders))

    return prepare


@contextmanager
def copy(place: Place, count: int) -> Iterator[Trial]:
    """Binary COPY of the same rows, read and decoded beforehand, into the same partition: one statement, one commit."""
    orders = max(1, count // 2)
    with logged_sale(place, orders) as sale:
        sale.sell(orders)
        rows = [event_values(sale.shard, read_entry(entry)) for entry in sale.entries()]
        table = sql.Identifier(partitions.first_name("event_log", sale.shard.sale))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(table, sql.SQL(_COLUMNS))

        def run() -> Latencies:
            with sale.connection.cursor() as cursor, cursor.copy(statement) as writer:
                writer.set_types(_TYPES)
                for row in rows:
                    writer.write_row(row)
            return None

        def found() -> dict[str, int]:
            return {"events": sale.tables()["events"]}

        yield Trial(run, found, {"events": wanted_tables(sale, orders)["events"]})


def event_values(shard: ShardId, row: Row) -> tuple[Any, ...]:
    """A row of `event_log`."""
    return (shard.sale, shard.shard, row.position.epoch, row.position.seq, *row.columns, row.body)


def wanted_tables(sale: Logged, orders: int) -> dict[str, int]:
    """What must be in Postgres: every event of the log, every order paid."""
    return {"events": sale.log.length(sale.shard), "orders": orders, "paid": orders, "sold": orders}


def _effects(shard: ShardId, row: Row) -> Iterator[tuple[LiteralString, Sequence[Any]]]:
    name, _, at_ms, _, order_id, buyer, sku, quantity, available, held, sold, returned, until_ms = row.columns
    epoch, seq = row.position
    if name == "stock.loaded":
        buckets = (available, held, sold, returned, available + held + sold + returned)
        yield _LOADED, (shard.sale, sku, epoch, seq, *buckets)
    if order_id is None:
        return
    if name == "order.reserved":
        yield (
            _RESERVED,
            (shard.sale, order_id, buyer, sku, quantity, epoch, seq, at_ms, until_ms, at_ms),
        )
    else:
        yield _CHANGED, (name.removeprefix("order."), epoch, seq, at_ms, shard.sale, order_id)
    yield _STOCK, (epoch, seq, available, held, sold, returned, shard.sale, sku)
