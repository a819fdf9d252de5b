"""Logs to be projected: of sales that are defined in Postgres, with a reservation and a payment for each order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from flashsale.bench.orders import pairs
from flashsale.bench.place import HOLD_MS, SKU, Place, expect
from flashsale.client import Client
from flashsale.commands import BATCH_MAX, Code, Confirm, Open, Reserve
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.ids import START
from flashsale.keys import shard_keys
from flashsale.projections import catalog, partitions
from flashsale.projections.database import Connection, connect
from flashsale.projections.replays import live_tables
from flashsale.stream import Entry, Log, ShardId
from flashsale.warm import warm


class Logged(NamedTuple):
    """A sale and what is needed to write and read its log."""

    shard: ShardId
    client: Client
    log: Log
    connection: Connection

    def sell(self, orders: int, first: int = 0) -> None:
        """Two events an order: held, then paid."""
        buyers = pairs(orders, first)
        for start in range(0, orders, BATCH_MAX):
            part = buyers[start : start + BATCH_MAX]
            self.client.execute(self.shard.sale, [Reserve(*pair, SKU) for pair in part])
            self.client.execute(self.shard.sale, [Confirm(order_id) for order_id, _ in part])

    def entries(self) -> Iterator[Entry]:
        """The whole log."""
        after = START
        while page := self.log.entries(self.shard, after):
            yield from page
            after = page[-1].position

    def tables(self) -> dict[str, int]:
        """What Postgres has of the sale."""
        sale = self.shard.sale
        ((events,),) = self.connection.execute("SELECT count(*) FROM event_log WHERE sale_id = %s", (sale,))
        ((orders, paid),) = self.connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE status = 'confirmed') FROM orders WHERE sale_id = %s",
            (sale,),
        )
        ((sold,),) = self.connection.execute(
            "SELECT coalesce(sum(sold), 0) FROM stock WHERE sale_id = %s", (sale,)
        )
        return {"events": int(events), "orders": int(orders), "paid": int(paid), "sold": int(sold)}


@contextmanager
def logged_sale(place: Place, units: int) -> Iterator[Logged]:
    """A sale that sells, known to Postgres; its rows and keys are gone afterwards."""
    sale = place.new_sale()
    item = SaleItem(sku=SKU, title="Phone", quantity=units, unit_price_minor=99_900, limit=2)
    definition = SaleDefinition(sale=sale, title="Bench", currency="EUR", items=(item,), hold_ms=HOLD_MS)
    with (
        connect(place.urls.postgres_url) as connection,
        place.client() as client,
        Log(place.urls.redis_url) as log,
    ):
        catalog.define(connection, definition)
        try:
            expect(warm(client, connection, definition).code, Code.LOADED)
            expect(client.control(sale, Open(at_once=True)).code, Code.OPENED)
            yield Logged(ShardId(sale, 0), client, log, connection)
        finally:
            catalog.mark_archived(connection, sale, archived=True)  # no other projector looks for it
            tables = [live.table for live in live_tables(connection, sale)]
            for table in (*tables, partitions.first_name("event_log", sale)):
                partitions.drop(connection, table)
            place.forget(*shard_keys(sale, 0))
