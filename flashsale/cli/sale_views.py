"""The reading half of `flashsale sale`: list, show and watch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from flashsale import ids
from flashsale.cli import output, values, words
from flashsale.cli.session import Json, SaleId, Session, Shop, shared
from flashsale.definition_file import parse_duration
from flashsale.errors import BadInput
from flashsale.events import Stock

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flashsale.commands import Snapshot
    from flashsale.definition import SaleDefinition
    from flashsale.ids import Position

BUCKETS = ("available", "held", "sold", "returned")
COLUMNS = ("#available", "#held", "#sold", "#returned")


class View(msgspec.Struct):
    """A sale at one moment, with everything that is shown of it."""

    definition: SaleDefinition
    snapshot: Snapshot
    checkpoint: Position
    state: str
    lag_events: int

    @property
    def stock(self) -> dict[str, Stock]:
        """The counters of every SKU, in the order of the definition; empty before the sale is warm."""
        stock = self.snapshot.state.stock
        return {item.sku: stock[item.sku] for item in self.definition.items if item.sku in stock}

    def record(self) -> dict[str, Any]:
        """For programs."""
        running = self.snapshot.state
        source = running if self.snapshot.is_loaded else self.definition
        return {
            "sale": self.definition.sale,
            "title": self.definition.title,
            "currency": self.definition.currency,
            "state": self.state,
            "opens_at": words.iso(source.opens_ms) if source.opens_ms else None,
            "closes_at": words.iso(source.closes_ms) if source.closes_ms else None,
            "hold_ms": source.hold_ms,
            "position": str(running.position),
            "checkpoint": str(self.checkpoint),
            "lag_events": self.lag_events,
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
        views = [_view(shop, definition) for definition in catalog.every(shop.connection)]
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
    from flashsale.projections import catalog, reads

    ids.sale_id(sale)
    with session.connected() as shop:
        view = _view(shop, catalog.get(shop.connection, sale))
        orders = reads.order_counts(shop.connection, sale)
    if json:
        counted = {status: {"orders": number, "units": units} for status, (number, units) in orders.items()}
        output.json(view.record() | {"orders_in_postgres": counted})
        return
    output.facts(_facts(view, orders))
    output.line("")
    output.table(("SKU", "#price", *COLUMNS, "#capacity", "#limit", "title"), _item_rows(view))


@shared
def watch(
    session: Session,
    sale: SaleId,
    interval: Annotated[str, typer.Option(metavar="DURATION", help="Time between two looks.")] = "1s",
    number: Annotated[
        str | None, typer.Option("--count", metavar="N", help="Looks to take; none: until Ctrl-C.")
    ] = None,
    json: Json = False,
) -> None:
    """Watch the counters of a sale change. Ctrl-C ends it."""
    from flashsale.projections import catalog

    ids.sale_id(sale)
    pause_ms = parse_duration(interval, "interval")
    if pause_ms < 1:
        raise BadInput("interval", interval, "use 1ms or more")
    looks = None if number is None else values.whole(number, "count", 1, 1_000_000_000)
    with session.connected() as shop:
        definition = catalog.get(shop.connection, sale)
        views = _look_again_and_again(shop, definition, looks, pause_ms)
        if json or not output.is_terminal():
            for view, rate in views:
                _print_look(view, rate, json=json)
        else:
            _draw_looks(views)


def _view(shop: Shop, definition: SaleDefinition) -> View:
    from flashsale.cli import history
    from flashsale.stream import ShardId

    shard = ShardId(definition.sale, 0)
    # Postgres first: its checkpoint can then not be ahead of what Redis says, unless Redis lost something.
    checkpoint = history.checkpoint(shop.connection, shard)
    snapshot = shop.client.snapshot(definition.sale)
    head = snapshot.state.position
    return View(
        definition,
        snapshot,
        checkpoint,
        words.sale_state(snapshot, checkpoint),
        history.count_after(shop.log, shard, checkpoint, head) if head > checkpoint else 0,
    )


def _look_again_and_again(
    shop: Shop, definition: SaleDefinition, looks: int | None, pause_ms: int
) -> Iterator[tuple[View, float]]:
    """Views, each with the events a second since the one before."""
    before: View | None = None
    while looks is None or looks > 0:
        if before is not None:
            time.sleep(pause_ms / 1000)
        view = _view(shop, definition)
        rate = 0.0
        if before is not None:
            passed_s = max(0.001, (view.snapshot.now_ms - before.snapshot.now_ms) / 1000)
            rate = max(0, view.snapshot.state.position.seq - before.snapshot.state.position.seq) / passed_s
        yield view, rate
        before, looks = view, None if looks is None else looks - 1


def _sums(view: View) -> dict[str, int]:
    return {name: sum(getattr(stock, name) for stock in view.stock.values()) for name in BUCKETS}


def _print_look(view: View, rate: float, *, json: bool) -> None:
    if json:
        at = {"at": words.iso(view.snapshot.now_ms), "events_per_s": round(rate, 1)}
        output.json(at | view.record() | _sums(view))
    else:
        counters = "  ".join(f"{name} {words.count(number)}" for name, number in _sums(view).items())
        output.line(f"{words.clock(view.snapshot.now_ms)}  {view.state}  {counters}  {_pace(view, rate)}")
    output.flush()


def _draw_looks(views: Iterator[tuple[View, float]]) -> None:
    import sys

    from rich.live import Live

    console = output.console_of(sys.stdout)
    with Live(console=console, auto_refresh=False) as live:
        for view, rate in views:
            live.update(_drawing(view, rate), refresh=True)


def _drawing(view: View, rate: float) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    head = Text.assemble(
        (view.definition.sale, "bold"), "  ", (view.state, "bold green" if view.state == "open" else "bold yellow"),
        f"  {words.clock(view.snapshot.now_ms)[11:19]}  {_pace(view, rate)}",
    )  # fmt: skip
    rows = [(sku, *_counters(stock)) for sku, stock in view.stock.items()]
    if len(rows) > 1:
        rows.append(("all", *(words.count(number) for number in _sums(view).values())))
    return Group(
        head, Text(""), output.build_table(("SKU", *COLUMNS), rows), Text("\nCtrl-C ends this.", "dim")
    )


def _pace(view: View, rate: float) -> str:
    return (
        f"log {view.snapshot.state.position} (+{rate:,.0f}/s)  lag {words.count(view.lag_events, 'events')}"
    )


def _list_row(view: View) -> tuple[str, ...]:
    counters = (
        tuple(map(words.count, _sums(view).values())) if view.snapshot.is_loaded else ("-",) * len(BUCKETS)
    )
    return (view.definition.sale, view.state, *counters, view.definition.title)


def _facts(view: View, orders: dict[str, tuple[int, int]]) -> Iterator[tuple[str, str]]:
    source = view.snapshot.state if view.snapshot.is_loaded else view.definition
    yield "sale", f"{view.definition.sale}: {view.definition.title}"
    yield "state", _STATES.get(view.state, view.state)
    yield "opens", words.when(source.opens_ms) if source.opens_ms else "when a person opens it"
    yield "closes", words.when(source.closes_ms) if source.closes_ms else "when a person closes it"
    yield "hold", words.span(source.hold_ms)
    told = [f"{words.count(number)} {status}" for status, (number, _) in orders.items()]
    yield "orders", f"{', '.join(told) or 'none'} (in Postgres)"
    yield (
        "log",
        (
            f"ends at {view.snapshot.state.position}; Postgres has {view.checkpoint}, "
            f"{words.count(view.lag_events, 'events')} behind"
        ),
    )


_STATES = {
    "defined": "defined, not warm",
    "warm": "warm, not open",
    "scheduled": "warm; opens by itself",
    "lost": "LOST: Redis lacks events that Postgres has; nothing is sold",
}


def _item_rows(view: View) -> Iterator[tuple[str, ...]]:
    for item in view.definition.items:
        stock = view.stock.get(item.sku)
        counters = _counters(stock) if stock else ("-",) * len(BUCKETS)
        limit = stock.limit if stock else item.limit
        yield (
            item.sku,
            words.money(item.unit_price_minor, view.definition.currency),
            *counters,
            words.count(stock.capacity if stock else item.quantity),
            words.count(limit) if limit else "none",
            item.title,
        )


def _counters(stock: Stock) -> tuple[str, ...]:
    return tuple(words.count(getattr(stock, name)) for name in BUCKETS)
