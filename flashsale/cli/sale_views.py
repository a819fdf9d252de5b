"""The reading half of `flashsale sale`: list and show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from flashsale import ids
from flashsale.cli import output, words
from flashsale.cli.session import Json, SaleId, Session, Shop, shared
from flashsale.commands import sale_state
from flashsale.events import ShardState, Stock
from flashsale.money import money

if TYPE_CHECKING:
    from flashsale.commands import Snapshot
    from flashsale.definition import SaleDefinition
    from flashsale.ids import Position
    from flashsale.stream import ShardId

BUCKETS = ("available", "held", "sold", "returned")
COLUMNS = ("#available", "#held", "#sold", "#returned")
#: What stands in those columns before a sale is warm.
UNKNOWN = ("-",) * len(BUCKETS)


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


@shared
def list_sales(session: Session, json: Json = False) -> None:
    """List the sales, oldest first, with the state of each."""
    from flashsale.projections import catalog

    with session.connected() as shop:
        views = [view_of(shop, definition) for definition in catalog.every(shop.connection)]
    if json:
        output.json({"sales": [view.record() for view in views]})
    elif views:
        output.table(("sale", "state", *COLUMNS, "title"), [_list_row(view) for view in views])
    else:
        output.say("No sale is defined.")
        output.suggest("sale define FILE")


@shared
def show(session: Session, sale: SaleId, json: Json = False) -> None:
    """Show a sale: its window, its stock as Redis counts it, its orders as Postgres has them."""
    ids.sale_id(sale)
    from flashsale.projections import catalog, reads

    with session.connected() as shop:
        view = view_of(shop, catalog.get(shop.connection, sale))
        orders = reads.order_counts(shop.connection, sale)
    if json:
        counted = {status: {"orders": number, "units": units} for status, (number, units) in orders.items()}
        output.json(view.record() | {"orders_in_postgres": counted})
        return
    output.facts(_facts(view, orders))
    output.line("")
    output.table(("SKU", "#price", *COLUMNS, "#capacity", "#limit", "title"), _item_rows(view))


def view_of(shop: Shop, definition: SaleDefinition) -> View:
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


def _list_row(view: View) -> tuple[str, ...]:
    cells = map(words.count, sums(view).values()) if view.stock else UNKNOWN
    return (view.definition.sale, view.told_state, *cells, view.definition.title)


def _facts(view: View, orders: dict[str, tuple[int, int]]) -> Iterator[tuple[str, str]]:
    source = view.settings
    yield "sale", f"{view.definition.sale}: {view.definition.title}"
    yield "state", _STATES.get(view.state, view.state)
    yield "opens", words.when(source.opens_ms) if source.opens_ms else "when a person opens it"
    yield "closes", words.when(source.closes_ms) if source.closes_ms else "when a person closes it"
    yield "hold", words.span(source.hold_ms)
    told = [f"{words.count(number)} {status}" for status, (number, _) in orders.items()]
    yield "orders", f"{', '.join(told) or 'none'} (in Postgres)"
    lag = words.lag(view.lag_events, view.lost_events)
    yield "log", f"ends at {view.snapshot.state.position}; Postgres has {view.checkpoint}, {lag}"
    if view.halted:
        yield "halted", f"{view.halted}; nothing is applied to Postgres"


_STATES = {
    "defined": "defined, not warm",
    "warm": "warm, not open",
    "scheduled": "warm; opens by itself",
    "lost": "LOST: Redis lacks events that somebody has seen; nothing is sold",
    "damaged": "DAMAGED: the log has entries that no script wrote; nothing is sold",
    "archived": "archived: over, and only in Postgres",
}


def _item_rows(view: View) -> Iterator[tuple[str, ...]]:
    for item in view.definition.items:
        stock = view.stock.get(item.sku)
        cells = counters(stock) if stock else UNKNOWN
        limit = stock.limit if stock else item.limit
        yield (
            item.sku,
            money(item.unit_price_minor, view.definition.currency),
            *cells,
            words.count(stock.capacity if stock else item.quantity),
            words.count(limit) if limit else "none",
            item.title,
        )


def counters(stock: Stock) -> tuple[str, ...]:
    return tuple(words.count(getattr(stock, name)) for name in BUCKETS)
