"""Put rows of Postgres back to what the log says: one shard, one transaction, the projector kept out meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from flashsale.events import Order, Told
from flashsale.ids import START, Position
from flashsale.projections.batch import COLUMNS, Row, read_entry, without_values
from flashsale.projections.database import Connection, errors_told, written
from flashsale.projections.queries import of_position, of_shard, query
from flashsale.stream import PAGE_MAX, Entry, ShardId


class Archived(NamedTuple):
    """One row of the archive."""

    position: Position
    body: bytes
    columns: tuple[object, ...]

    @property
    def is_itself(self) -> bool:
        """Whether its columns are what its body says; those of a value that Postgres refuses may be left out."""
        read = read_entry(Entry(self.position, self.body))
        return self.columns in (read.columns, without_values(read).columns)


def archive(connection: Connection, shard: ShardId, after: Position, up_to: Position) -> Iterator[Archived]:
    """The archive after a position, up to another one, in order."""
    while True:
        until = {"to_epoch": up_to.epoch, "to_seq": up_to.seq, "limit": PAGE_MAX}
        values = of_shard(*shard) | of_position(after) | until
        with errors_told():
            page = connection.execute(query("mend", "archive"), values).fetchall()
        for epoch, seq, body, *columns in page:
            yield Archived(Position(epoch, seq), bytes(body), tuple(columns))
        if len(page) < PAGE_MAX:
            return
        after = Position(*page[-1][:2])


class Tables:
    """Write access to one shard's rows, while its checkpoint stands still."""

    def __init__(self, connection: Connection, shard: ShardId, checkpoint: Position) -> None:
        self.connection, self.shard, self.checkpoint = connection, shard, checkpoint

    def put_event(self, row: Row) -> None:
        columns = dict(zip(COLUMNS, row.columns, strict=True))
        self._execute("put_event", of_position(row.position) | columns | {"body": row.body})

    def put_order(self, order_id: str, order: Order, reserved_ms: int, changed_ms: int) -> None:
        self._execute(
            "put_order",
            of_position(order.changed_at)
            | {
                "order_id": order_id,
                "buyer": order.buyer,
                "sku": order.sku,
                "quantity": order.quantity,
                "status": order.status,
                "hold_until_ms": order.hold_until_ms,
                "reserved_ms": reserved_ms,
                "changed_ms": changed_ms,
            },
        )

    def drop_order(self, order_id: str) -> None:
        self._execute("drop_order", {"order_id": order_id})

    def put_stock(self, sku: str, told: Told) -> None:
        buckets = dict(zip(("available", "held", "sold", "returned"), told.counters, strict=True))
        self._execute(
            "put_stock", of_position(told.position) | buckets | {"sku": sku, "capacity": told.capacity}
        )

    def drop_stock(self, sku: str) -> None:
        self._execute("drop_stock", {"sku": sku})

    def _execute(self, name: str, values: dict[str, object]) -> None:
        self.connection.execute(query("mend", name), of_shard(*self.shard) | values)


@contextmanager
def locked(connection: Connection, shard: ShardId) -> Iterator[Tables]:
    """A transaction in which the shard's checkpoint stands still: all that is written, or nothing."""
    with errors_told(), written(connection):
        row = connection.execute(query("mend", "lock"), of_shard(*shard)).fetchone()
        yield Tables(connection, shard, Position(*row) if row else START)
