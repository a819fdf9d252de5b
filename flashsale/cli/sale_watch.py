"""`flashsale sale watch`: the counters of a sale, again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from flashsale import ids
from flashsale.cli import output, values, words
from flashsale.cli.sale_views import COLUMNS, View, counters, sums, view_of
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.definition_file import parse_duration
from flashsale.errors import BadInput, Unreachable

if TYPE_CHECKING:
    from rich.console import RenderableType


#: Longer, and nobody watches; the clock of the system has an end, too.
INTERVAL_MS_MAX = 86_400_000
#: The shortest time between two attempts to reach a server that is away.
AWAY_INTERVAL_MS = 500


class Look(NamedTuple):
    """What one look saw."""

    #: the last one, when a server is away
    view: View
    events_per_s: float = 0.0
    #: Redis or Postgres, and why it cannot be reached
    away: str = ""


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
    pause_ms = parse_duration(interval, "interval")
    if not 1 <= pause_ms <= INTERVAL_MS_MAX:
        raise BadInput("interval", interval, "use 1ms to 1d")
    count = None if number is None else values.whole(number, "count", 1, 1_000_000_000)
    looks = _look_again_and_again(session, sale, count, pause_ms)
    if json or not output.is_terminal():
        _print_looks(looks, json=json)
    else:
        _draw_looks(looks)


def _look_again_and_again(session: Session, sale: str, count: int | None, pause_ms: int) -> Iterator[Look]:
    """Looks, at most `count`. Raises `Unreachable` when the first or the last one finds a server away."""
    from flashsale.projections import catalog

    before: View | None = None
    taken = 0
    while True:
        try:
            with session.connected() as shop:
                definition = catalog.get(shop.connection, sale)
                while True:
                    view = view_of(shop, definition)
                    taken += 1
                    yield Look(view, _events_per_s(before, view))
                    if taken == count:
                        return
                    before = view
                    time.sleep(pause_ms / 1000)
        except Unreachable as error:
            taken += 1
            if before is None or taken == count:
                raise
            yield Look(before, away=str(error))
            time.sleep(max(pause_ms, AWAY_INTERVAL_MS) / 1000)


def _events_per_s(before: View | None, view: View) -> float:
    if before is None:
        return 0.0
    passed_s = max(0.001, (view.snapshot.now_ms - before.snapshot.now_ms) / 1000)
    return max(0, view.snapshot.state.position.seq - before.snapshot.state.position.seq) / passed_s


def _print_looks(looks: Iterator[Look], *, json: bool) -> None:
    away = ""
    for look in looks:
        if look.away and not away:
            output.say(f"{_server(look.away)} is away; waiting for it. ({look.away})")
        elif away and not look.away:
            output.say(f"{_server(away)} is back.")
        if not look.away:
            _print_look(look.view, look.events_per_s, json=json)
        away = look.away


def _server(away: str) -> str:
    return "Redis" if away.startswith("Redis") else "Postgres"


def _print_look(view: View, rate: float, *, json: bool) -> None:
    if json:
        at = {"at": words.iso(view.snapshot.now_ms), "events_per_s": round(rate, 1)}
        output.json(at | view.record() | sums(view))
    else:
        stock = "  ".join(f"{name} {words.count(number)}" for name, number in sums(view).items())
        output.line(f"{words.clock(view.snapshot.now_ms)}  {view.told_state}  {stock}  {_pace(view, rate)}")
    output.flush()


def _draw_looks(looks: Iterator[Look]) -> None:
    from rich.live import Live

    console = output.console_of(sys.stdout)
    with Live(console=console, auto_refresh=False) as live:
        for look in looks:
            live.update(_drawing(look), refresh=True)


def _drawing(look: Look) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    view, told = look.view, look.view.told_state
    state = Text(told, "bold green" if told == "open" else "bold yellow")
    if look.away:
        state = Text(f"{_server(look.away)} is away; waiting for it, last seen", "bold red")
    now = words.clock(view.snapshot.now_ms)[11:19]
    head = Text.assemble(
        (view.definition.sale, "bold"), "  ", state, f"  {now}  {_pace(view, look.events_per_s)}"
    )
    rows = [(sku, *counters(stock)) for sku, stock in view.stock.items()]
    if len(rows) > 1:
        rows.append(("all", *(words.count(number) for number in sums(view).values())))
    table = output.build_table(("SKU", *COLUMNS), rows)
    return Group(head, Text(""), table, Text("\nCtrl-C ends this.", "dim"))


def _pace(view: View, rate: float) -> str:
    lag = words.lag(view.lag_events, view.lost_events)
    return f"log {view.snapshot.state.position} (+{rate:,.0f}/s)  {lag}"
