"""`flashsale demo`: a whole sale on private servers, with a crowd, a killed projector, and every promise checked."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from flashsale import values
from flashsale.address import Address
from flashsale.cli import output
from flashsale.cli.extras import need_http
from flashsale.cli.private import end_cleanly_on, servers_of_its_own
from flashsale.cli.session import Json, Session, shared
from flashsale.errors import BadInput
from flashsale.loopback import is_local

#: What the demo says when a promise did not hold: drift between what was told and what is stored.
BROKEN = 6
UNITS, WEB_UNITS = 1_000, 120


@shared
def demo(
    session: Session,
    buyers: Annotated[
        int, typer.Option(min=1, max=100_000_000, help="How many people try to buy.")
    ] = 2_000_000,
    units: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="How many units there are: 1,000, or 120 with --web."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Who cancels, forgets to pay or pays late.")] = 7,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave servers and sale, for other commands to look at.")
    ] = False,
    web: Annotated[
        bool,
        typer.Option("--web", help="Open a storefront to click into, among simulated buyers, until Ctrl-C."),
    ] = False,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="With --web: where the storefront is, on this machine.")
    ] = "127.0.0.1:8080",
    json: Json = False,
) -> int:
    """Sell 1,000 units to two million buyers, kill a projector half way, and check every promise.

    Runs on servers of its own, gone afterwards; with --keep on the private development servers, which stay. Servers
    that are configured win over both. Exit code 0 only if every promise held. With --web a person is one of the
    buyers, in a browser.
    """
    if web:
        return _web(session, units or WEB_UNITS, listen, keep=keep, json=json)
    from flashsale import log
    from flashsale.demo.display import Display, final_table
    from flashsale.demo.run import Demo

    log.configure("warning", session.config.settings.log_format)
    end_cleanly_on(signal.SIGTERM, signal.SIGHUP)
    with Display(output.console_of(sys.stderr), quiet=json) as display:
        display.phase("starting servers")
        with servers_of_its_own(session, "demo", keep=keep) as (parts, log_dir):
            run = Demo(
                parts.urls(), log_dir, buyers=buyers, units=units or UNITS, seed=seed, show=display.show
            )
            result = run.run()
    if json:
        output.json(result)
    else:
        output.console_of(sys.stdout).print(final_table(result))
    if keep:
        output.suggest(f"sale show {result.sale}", "its orders: order show, its log: events tail")
    return 0 if result.held_true else BROKEN


def _web(session: Session, units: int, listen: str, *, keep: bool, json: bool) -> int:
    """The demo for a browser. Ctrl-C ends it, with the exit code of Ctrl-C."""
    from flashsale import log
    from flashsale.demo.web import WebDemo

    address = Address.parse(listen, "--listen")
    if not is_local(address.host):
        raise BadInput("--listen", listen, "listen on 127.0.0.1: anybody who reaches it may be anybody")
    if json:
        raise values.Usage("--json needs an end, and --web has none")
    need_http()
    from flashsale.gateway.server import listen as listening

    log.configure("warning", session.config.settings.log_format)
    end_cleanly_on(signal.SIGTERM, signal.SIGHUP)
    listening(address).close()  # told before servers have been started for nothing
    _tell("starting servers; Ctrl-C ends it")
    with servers_of_its_own(session, "demo", keep=keep) as (parts, log_dir):
        WebDemo(parts.urls(), log_dir, listen=listen, units=units, tell=_tell).run()
    return 0


def _tell(text: str) -> None:
    """At once, also into a pipe: it goes on for long."""
    output.line(text)
    output.flush()
