"""The tree of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from flashsale import __version__
from flashsale.cli import (
    bench,
    config,
    db,
    dead_letter,
    demo,
    dev,
    doctor,
    events,
    gateway,
    loadtest,
    metrics,
    operator,
    ops,
    order,
    output,
    projector,
    reconcile,
    recover,
    replay,
    room,
    sale,
    sweeper,
    top,
    trim,
    verify,
)

SELL, RUN, SET_UP = "Sell", "Keep running", "Set up"

EXIT_CODES = """
Exit codes: 0 done · 1 unexpected · 2 bad input · 3 not found · 4 refused by
the present state · 5 a server cannot be reached · 6 drift found · 7 a log is
halted or lost · 130 interrupted · 141 nobody reads the output any more
"""

app = typer.Typer(
    no_args_is_help=True,
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for panel, groups in {
    SELL: {"sale": sale.app, "room": room.app, "order": order.app, "events": events.app},
    RUN: {
        "projector": projector.app,
        "sweeper": sweeper.app,
        "dead-letter": dead_letter.app,
        "replay": replay.app,
        "gateway": gateway.app,
        "operator": operator.app,
        "metrics": metrics.app,
    },
    SET_UP: {"db": db.app, "dev": dev.app, "config": config.app, "ops": ops.app},
}.items():
    for name, group in groups.items():
        app.add_typer(group, name=name, no_args_is_help=True, rich_help_panel=panel)
app.command("demo", rich_help_panel=SELL)(demo.demo)
app.command("bench", rich_help_panel=SET_UP)(bench.bench)
app.command("loadtest", rich_help_panel=SET_UP)(loadtest.loadtest)
app.command("doctor", rich_help_panel=RUN)(doctor.doctor)
app.command("top", rich_help_panel=RUN)(top.top)
app.command("trim", rich_help_panel=RUN)(trim.trim)
app.command("reconcile", rich_help_panel=RUN)(reconcile.reconcile)
app.command("verify", rich_help_panel=RUN)(verify.verify)
app.command("recover", rich_help_panel=RUN)(recover.recover)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.line(f"flashsale {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sell exactly what there is, to any number of buyers at once, and put every order into Postgres once.

    Your first sale, in five commands:

      flashsale sale example > drop.toml     what is sold: items, prices, limits
      flashsale sale define drop.toml        into Postgres
      flashsale sale warm mega-drop          stock into Redis; the log begins
      flashsale sale open mega-drop          now it sells
      flashsale order reserve mega-drop phone-15 --buyer ada

    `flashsale projector run` then writes the log into Postgres.

    Without any configuration, private servers are started and used: see
    `flashsale dev --help`.
    """
