"""`flashsale sale watch`: the counters of a sale, again and again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from flashsale import ids, values, words
from flashsale.cli import output
from flashsale.cli.sale_views import COLUMNS, counters
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.looking import Look, interval_ms, look_again_and_again
from flashsale.sale_view import View, events_per_s, sums, view_of
from flashsale.shop import Shop

if TYPE_CHECKING:
    from rich.console import RenderableType


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
    """Watch the counters of a sale change. Ctrl-C ends it.

    A server that goes away meanwhile is waited for; a look that finds it away counts, too.
    """
    ids.sale_id(sale)
    pause_ms = interval_ms(interval)
    count = None if number is None else values.whole(number, "count", 1, 1_000_000_000)
    from flashsale.projections import catalog

    def take(shop: Shop) -> View:
        return view_of(shop, catalog.get(shop.connection, sale))

    looks = look_again_and_again(session.connected, take, count, pause_ms)
    if json or not output.is_terminal():
        _print_looks(looks, json=json)
    else:
        _draw_looks(looks)


def _rate(look: Look[View]) -> float:
    return 0.0 if look.before is None else events_per_s(look.before, look.seen)


def _print_looks(looks: Iterator[Look[View]], *, json: bool) -> None:
    away = ""
    for look in looks:
        if look.away and not away:
            output.say(f"{look.server_away} is away; waiting for it. ({look.away})")
        elif away and not look.away:
            output.say(f"{away} is back.")
        if not look.away:
            _print_look(look.seen, _rate(look), json=json)
        away = look.server_away if look.away else ""


def _print_look(view: View, rate: float, *, json: bool) -> None:
    if json:
        at = {"at": words.iso(view.snapshot.now_ms), "events_per_s": round(rate, 1)}
        output.json(at | view.record() | sums(view))
    else:
        stock = "  ".join(f"{name} {words.count(number)}" for name, number in sums(view).items())
        output.line(f"{words.clock(view.snapshot.now_ms)}  {view.told_state}  {stock}  {_pace(view, rate)}")
    output.flush()


def _draw_looks(looks: Iterator[Look[View]]) -> None:
    from rich.live import Live

    console = output.console_of(sys.stdout)
    with Live(console=console, auto_refresh=False) as live:
        for look in looks:
            live.update(_drawing(look), refresh=True)


def _drawing(look: Look[View]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    view, told = look.seen, look.seen.told_state
    state = Text(told, "bold green" if told == "open" else "bold yellow")
    if look.away:
        state = Text(f"{look.server_away} is away; waiting for it, last seen", "bold red")
    now = words.clock(view.snapshot.now_ms)[11:19]
    head = Text.assemble((view.definition.sale, "bold"), "  ", state, f"  {now}  {_pace(view, _rate(look))}")
    rows = [(sku, *counters(stock)) for sku, stock in view.stock.items()]
    if len(rows) > 1:
        rows.append(("all", *(words.count(number) for number in sums(view).values())))
    table = output.build_table(("SKU", *COLUMNS), rows)
    return Group(head, Text(""), table, Text("\nCtrl-C ends this.", "dim"))


def _pace(view: View, rate: float) -> str:
    lag = words.lag(view.lag_events, view.lost_events)
    return f"log {view.snapshot.state.position} (+{rate:,.0f}/s)  {lag}"
