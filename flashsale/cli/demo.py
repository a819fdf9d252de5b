"""`flashsale demo`: a whole sale on private servers, with a crowd, a killed projector, and every promise checked."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from flashsale.cli import output
from flashsale.cli.private import end_cleanly_on, servers_of_its_own
from flashsale.cli.session import Json, Session, shared

#: What the demo says when a promise did not hold: drift between what was told and what is stored.
BROKEN = 6


@shared
def demo(
    session: Session,
    buyers: Annotated[
        int, typer.Option(min=1, max=100_000_000, help="How many people try to buy.")
    ] = 2_000_000,
    units: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many units there are.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Who cancels, forgets to pay or pays late.")] = 7,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave servers and sale, for other commands to look at.")
    ] = False,
    json: Json = False,
) -> int:
    """Sell 1,000 units to two million buyers, kill a projector half way, and check every promise.

    Runs on servers of its own, gone afterwards; with --keep on the private development servers, which stay. Servers
    that are configured win over both. Exit code 0 only if every promise held.
    """
    from flashsale import log
    from flashsale.demo.display import Display, final_table
    from flashsale.demo.run import Demo

    log.configure("warning", session.config.settings.log_format)
    end_cleanly_on(signal.SIGTERM, signal.SIGHUP)
    with Display(output.console_of(sys.stderr), quiet=json) as display:
        display.phase("starting servers")
        with servers_of_its_own(session, "demo", keep=keep) as (parts, log_dir):
            run = Demo(parts.urls(), log_dir, buyers=buyers, units=units, seed=seed, show=display.show)
            result = run.run()
    if json:
        output.json(result)
    else:
        output.console_of(sys.stdout).print(final_table(result))
    if keep:
        output.suggest(f"sale show {result.sale}", "its orders: order show, its log: events tail")
    return 0 if result.held_true else BROKEN
