"""`flashsale top`: everything that is sold and runs, at a glance, live."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from flashsale import comparison_words, values, words
from flashsale.cli import output
from flashsale.cli.sale_views import COLUMNS, UNKNOWN
from flashsale.cli.session import Json, Session, shared
from flashsale.looking import Look, interval_ms, look_again_and_again
from flashsale.overview import Overview, rate, record, take
from flashsale.sale_view import sums

if TYPE_CHECKING:
    from rich.console import RenderableType

SALES = (
    *(
        "sale",
        "state",
        *COLUMNS,
        "#events/s",
        "projection",
        "#lag",
        "#lag, s",
        "#pending",
        "#parked",
        "#overdue",
    ),
)
PROJECTORS = ("projector", "#sales", "#heartbeat")


@shared
def top(
    session: Session,
    interval: Annotated[str, typer.Option(metavar="DURATION", help="Time between two looks.")] = "1s",
    number: Annotated[
        str | None,
        typer.Option(
            "--count", metavar="N", help="Looks to take; none: until q or Ctrl-C, off a terminal 1."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """See everything at once: sales, stock, rates, lag, pending, dead letters, overdue holds, projectors.

    Live on a terminal, until q or Ctrl-C; elsewhere one look. A server that goes away meanwhile is waited for.
    """
    pause_ms = interval_ms(interval)
    count = None if number is None else values.whole(number, "count", 1, 1_000_000_000)
    if json:
        for look in look_again_and_again(session.connected, take, count, pause_ms):
            output.json(record(look))
            output.flush()
    elif output.is_terminal():
        _draw(session, count, pause_ms)
    else:
        for look in look_again_and_again(session.connected, take, count or 1, pause_ms):
            _print(look)
            output.flush()


def _draw(session: Session, count: int | None, pause_ms: int) -> None:
    from rich.live import Live

    console = output.console_of(sys.stdout)
    with _keys_at_once(), Live(console=console, auto_refresh=False) as live:
        for look in look_again_and_again(session.connected, take, count, pause_ms, _wait_for_q):
            live.update(_drawing(look), refresh=True)


@contextmanager
def _keys_at_once() -> Iterator[None]:
    """A key is there when it is pressed, not at the end of its line, and is not shown."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _wait_for_q(seconds: float) -> None:
    """Sleep; a q ends the command as Ctrl-C does."""
    import os
    import select

    until_s = time.monotonic() + seconds
    is_open = sys.stdin.isatty()
    while (left_s := until_s - time.monotonic()) > 0:
        if not is_open:
            time.sleep(left_s)
        elif select.select([sys.stdin], [], [], left_s)[0]:
            keys = os.read(sys.stdin.fileno(), 1_024)
            if b"q" in keys.lower():
                raise KeyboardInterrupt
            is_open = bool(keys)


def _print(look: Look[Overview]) -> None:
    if look.away:
        output.say(f"{look.server_away} is away; waiting for it. ({look.away})")
        return
    output.table(SALES, _sale_rows(look))
    output.line("")
    output.table(PROJECTORS, _projector_rows(look.seen))
    for sentence in _notes(look.seen):
        output.say(sentence)


def _drawing(look: Look[Overview]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    seen = look.seen
    now_ms = max((found.view.snapshot.now_ms for found in seen.sales.values()), default=0)
    at = words.clock(now_ms)[11:19] if now_ms else ""
    head = Text.assemble(("flashsale", "bold"), f"  {at}")
    if look.away:
        head.append(f"  {look.server_away} is away; waiting for it, last seen", "bold red")
    return Group(
        head,
        Text(""),
        output.build_table(SALES, _sale_rows(look)),
        Text(""),
        output.build_table(PROJECTORS, _projector_rows(seen)),
        *(Text(sentence, "bold yellow") for sentence in _notes(seen)),
        Text("\nq ends this.", "dim"),
    )


def _sale_rows(look: Look[Overview]) -> Iterator[tuple[str, ...]]:
    for sale, found in look.seen.sales.items():
        view, status, events = found.view, found.status, rate(look, sale)
        yield (
            sale,
            view.told_state,
            *(map(words.count, sums(view).values()) if view.stock else UNKNOWN),
            "-" if events is None else f"{events:,.0f}",
            status.state,
            "-" if status.lag_events is None else words.count(status.lag_events),
            "-" if status.lag_s is None else f"{status.lag_s:,.1f}",
            words.count(found.pending),
            words.count(status.parked),
            "-" if found.overdue_ms is None else f"{found.overdue_ms / 1000:,.1f} s",
        )
    for sale in look.seen.unreadable:
        yield (sale, "unreadable", *(["-"] * (len(SALES) - 2)))


def _projector_rows(seen: Overview) -> Iterator[tuple[str, ...]]:
    for projector in seen.projectors:
        age_ms = projector.heartbeat_age_ms
        heartbeat = "-" if age_ms is None else f"{age_ms / 1000:,.1f} s ago"
        yield projector.name, words.count(projector.shards), heartbeat


def _notes(seen: Overview) -> Iterator[str]:
    if not seen.sales and not seen.unreadable:
        yield "No sale is defined that is not archived."
    if not seen.projectors:
        yield "No projector is connected."
    for sale, reason in seen.unreadable.items():
        yield f"{sale}: {reason}"
    for sale, found in seen.sales.items():
        if found.status.halted:
            yield f"{sale}: {found.status.halted}"
        if drift := comparison_words.drift(found.comparison):
            yield f"{sale}: {drift}"
