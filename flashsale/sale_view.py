"""One sale at one moment: what Redis counts, and how far Postgres is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from flashsale import words
from flashsale.commands import sale_state
from flashsale.events import ShardState, Stock

if TYPE_CHECKING:
    from flashsale.commands import Snapshot
    from flashsale.definition import SaleDefinition
    from flashsale.ids import Position
    from flashsale.shop import Shop
    from flashsale.stream import ShardId

BUCKETS = ("available", "held", "sold", "returned")


class View(msgspec.Struct):
    """A sale at one moment, with everything that is shown of it."""

    definition: SaleDefinition
    snapshot: Snapshot
    checkpoint: Position
    state: str
    #: events that Postgres lacks; None when the log is the shorter one
    lag_events: int | None
    #: events that the log lacks, 0 while all is well; None when it lost an unknown number
    lost_events: int | None
    #: why nothing is applied to Postgres any more; None while all is well
    halted: str | None

    @property
    def stock(self) -> dict[str, Stock]:
        """The counters of every SKU, in the order of the definition; empty before the sale is warm."""
        stock = self.snapshot.state.stock
        return {item.sku: stock[item.sku] for item in self.definition.items if item.sku in stock}

    @property
    def settings(self) -> ShardState | SaleDefinition:
        """What has window and hold: what runs, or the definition, which is kept in step with it."""
        runs = self.snapshot.is_loaded and self.state != "archived"
        return self.snapshot.state if runs else self.definition

    @property
    def told_state(self) -> str:
        """Its state, and whether its projection is halted, for people."""
        return f"{self.state}, halted" if self.halted else self.state

    def record(self) -> dict[str, Any]:
        """For programs."""
        source = self.settings
        return {
            "sale": self.definition.sale,
            "title": self.definition.title,
            "currency": self.definition.currency,
            "state": self.state,
            "opens_at": words.iso(source.opens_ms) if source.opens_ms else None,
            "closes_at": words.iso(source.closes_ms) if source.closes_ms else None,
            "hold_ms": source.hold_ms,
            "position": str(self.snapshot.state.position),
            "checkpoint": str(self.checkpoint),
            "lag_events": self.lag_events,
            "lost_events": self.lost_events,
            "halted": self.halted,
            "items": [self._item(number) for number in range(len(self.definition.items))],
        }

    def _item(self, number: int) -> dict[str, Any]:
        item = self.definition.items[number]
        stock = self.stock.get(item.sku)
        return {
            "sku": item.sku,
            "title": item.title,
            "unit_price_minor": item.unit_price_minor,
            "limit": stock.limit if stock else item.limit,
            "capacity": stock.capacity if stock else item.quantity,
            **{name: getattr(stock, name) if stock else None for name in BUCKETS},
        }


def view_of(shop: Shop, definition: SaleDefinition) -> View:
    """Look at one sale. Raises `Unreachable`, `Halted`."""
    from flashsale import history
    from flashsale.projections import reads
    from flashsale.stream import ShardId

    shard = ShardId(definition.sale, 0)
    # Postgres first: its checkpoint can then not be ahead of what Redis says, unless Redis lost something.
    row = reads.checkpoint_row(shop.connection, shard)
    snapshot = shop.snapshot(definition.sale)
    state = sale_state(snapshot, row.reached, archived=row.archived)
    if state == "archived":
        snapshot.state.position = row.checkpoint
        snapshot.state.stock = _stock_in_postgres(shop, shard, definition)
    apart = history.distance(shop.log, row, snapshot.state.position)
    return View(definition, snapshot, row.checkpoint, state, apart.lag, apart.lost, row.halted)


def _stock_in_postgres(shop: Shop, shard: ShardId, definition: SaleDefinition) -> dict[str, Stock]:
    """The counters of an archived sale."""
    from flashsale.projections import reads

    limits = {item.sku: item.limit for item in definition.items}
    return {
        row.sku: Stock(row.available, row.held, row.sold, row.returned, limits.get(row.sku, 0), row.capacity)
        for row in reads.stock_by_sku(shop.connection, shard).values()
    }


def sums(view: View) -> dict[str, int]:
    return {name: sum(getattr(stock, name) for stock in view.stock.values()) for name in BUCKETS}


def events_per_s(before: View, view: View) -> float:
    """What the log grew by between two looks, by Redis's clock."""
    return _per_s(before, view, before.snapshot.state.position, view.snapshot.state.position)


def applied_per_s(before: View, view: View) -> float:
    """What Postgres applied between two looks, by Redis's clock."""
    return _per_s(before, view, before.checkpoint, view.checkpoint)


def _per_s(before: View, view: View, start: Position, end: Position) -> float:
    passed_s = max(0.001, (view.snapshot.now_ms - before.snapshot.now_ms) / 1000)
    return max(0, end.seq - start.seq) / passed_s
