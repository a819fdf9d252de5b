"""The reading half of `flashsale sale`: list and show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flashsale import comparison_words, ids, words
from flashsale.cli import output
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.events import Stock
from flashsale.money import money
from flashsale.sale_view import BUCKETS, View, sums, view_of

if TYPE_CHECKING:
    from flashsale.sale_pause import Paused

COLUMNS = ("#available", "#held", "#sold", "#returned")
#: What stands in those columns before a sale is warm.
UNKNOWN = ("-",) * len(BUCKETS)


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
    from flashsale import sale_pause
    from flashsale.projections import catalog, comparisons, reads
    from flashsale.stream import ShardId

    with session.connected() as shop:
        view = view_of(shop, catalog.get(shop.connection, sale))
        orders = reads.order_counts(shop.connection, sale)
        comparison = comparisons.every(shop.connection, sale).get(ShardId(sale, 0))
        paused = sale_pause.of(shop, sale) if view.state == "paused" else None
    if json:
        counted = {status: {"orders": number, "units": units} for status, (number, units) in orders.items()}
        compared = comparison_words.record(comparison)
        told = {"orders_in_postgres": counted, "comparison": compared}
        output.json(view.record() | told | {"paused": paused and paused.record()})
        return
    output.facts([*_facts(view, orders, paused), ("compared", comparison_words.outcome(comparison))])
    output.line("")
    output.table(("SKU", "#price", *COLUMNS, "#capacity", "#limit", "title"), _item_rows(view))


def _list_row(view: View) -> tuple[str, ...]:
    cells = map(words.count, sums(view).values()) if view.stock else UNKNOWN
    return (view.definition.sale, view.told_state, *cells, view.definition.title)


def _facts(
    view: View, orders: dict[str, tuple[int, int]], paused: Paused | None
) -> Iterator[tuple[str, str]]:
    source = view.settings
    yield "sale", f"{view.definition.sale}: {view.definition.title}"
    yield "state", str(paused) if paused else _STATES.get(view.state, view.state)
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
