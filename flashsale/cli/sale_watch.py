"""`flashsale sale watch`: the counters of a sale, again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from flashsale import ids
from flashsale.cli import output, values, words
from flashsale.cli.sale_views import COLUMNS, View, counters, sums, view_of
from flashsale.cli.session import Json, SaleId, Session, Shop, shared
from flashsale.definition_file import parse_duration
from flashsale.errors import BadInput

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flashsale.definition import SaleDefinition


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
    ids.sale_id(sale)
    pause_ms = parse_duration(interval, "interval")
    if pause_ms < 1:
        raise BadInput("interval", interval, "use 1ms or more")
    looks = None if number is None else values.whole(number, "count", 1, 1_000_000_000)
    from flashsale.projections import catalog

    with session.connected() as shop:
        definition = catalog.get(shop.connection, sale)
        views = _look_again_and_again(shop, definition, looks, pause_ms)
        if json or not output.is_terminal():
            for view, rate in views:
                _print_look(view, rate, json=json)
        else:
            _draw_looks(views)


def _look_again_and_again(
    shop: Shop, definition: SaleDefinition, looks: int | None, pause_ms: int
) -> Iterator[tuple[View, float]]:
    """Views, each with the events a second since the one before."""
    before: View | None = None
    while looks is None or looks > 0:
        if before is not None:
            time.sleep(pause_ms / 1000)
        view = view_of(shop, definition)
        rate = 0.0
        if before is not None:
            passed_s = max(0.001, (view.snapshot.now_ms - before.snapshot.now_ms) / 1000)
            rate = max(0, view.snapshot.state.position.seq - before.snapshot.state.position.seq) / passed_s
        yield view, rate
        before, looks = view, None if looks is None else looks - 1


def _print_look(view: View, rate: float, *, json: bool) -> None:
    if json:
        at = {"at": words.iso(view.snapshot.now_ms), "events_per_s": round(rate, 1)}
        output.json(at | view.record() | sums(view))
    else:
        stock = "  ".join(f"{name} {words.count(number)}" for name, number in sums(view).items())
        output.line(f"{words.clock(view.snapshot.now_ms)}  {view.state}  {stock}  {_pace(view, rate)}")
    output.flush()


def _draw_looks(views: Iterator[tuple[View, float]]) -> None:
    from rich.live import Live

    console = output.console_of(sys.stdout)
    with Live(console=console, auto_refresh=False) as live:
        for view, rate in views:
            live.update(_drawing(view, rate), refresh=True)


def _drawing(view: View, rate: float) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    state = Text(view.state, "bold green" if view.state == "open" else "bold yellow")
    now = words.clock(view.snapshot.now_ms)[11:19]
    head = Text.assemble((view.definition.sale, "bold"), "  ", state, f"  {now}  {_pace(view, rate)}")
    rows = [(sku, *counters(stock)) for sku, stock in view.stock.items()]
    if len(rows) > 1:
        rows.append(("all", *(words.count(number) for number in sums(view).values())))
    table = output.build_table(("SKU", *COLUMNS), rows)
    return Group(head, Text(""), table, Text("\nCtrl-C ends this.", "dim"))


def _pace(view: View, rate: float) -> str:
    lag = words.count(view.lag_events, "events")
    return f"log {view.snapshot.state.position} (+{rate:,.0f}/s)  lag {lag}"
