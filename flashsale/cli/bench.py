"""`flashsale bench`: how fast, measured against what people use instead and against the limit of the servers."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flashsale.cli import output
from flashsale.cli.extras import need_http
from flashsale.cli.private import end_cleanly_on, servers_of_its_own
from flashsale.cli.session import Json, Session, shared
from flashsale.values import one_of

if TYPE_CHECKING:
    from flashsale.bench.report import Report
    from flashsale.bench.run import Plan
    from flashsale.cli.bench_views import Progress

#: What ends with it: a contender did something else than was asked for.
FAILED = 6


@shared
def bench(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="write|project|replay|mixed|growth|all|http", help="What to measure; http is not in all."
        ),
    ] = "all",
    quick: Annotated[
        bool, typer.Option("--quick", help="Three short rounds, and no growth: under three minutes.")
    ] = False,
    durability: Annotated[
        str, typer.Option(metavar="always|everysec", help="When a write is on disk: for all contenders.")
    ] = "always",
    rounds: Annotated[
        int | None, typer.Option(min=1, max=100, help="Rounds; 5, or 3 with --quick.", show_default=False)
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=100,
            help="Multiplies the work of a round; 4, or 1 with --quick.",
            show_default=False,
        ),
    ] = None,
    archived: Annotated[
        int, typer.Option(min=1_000, max=100_000_000, help="Events in the archive at the end of its curve.")
    ] = 200_000,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw it, too.", show_default=False)
    ] = None,
    json: Json = False,
) -> int:
    """Measure how fast it sells and projects, against what people use instead, and against the servers' limit.

    Contenders run in turn, on the same servers, at the same durability; what counts is their ratio. Runs on private
    servers, gone afterwards; on given ones it makes a database of its own, and their settings stay. Exit code 6 when a
    contender did something else than it was asked for; it then has no number.
    """
    from flashsale.bench.machine import load
    from flashsale.bench.place import APPENDFSYNC
    from flashsale.bench.run import WORDS, Plan
    from flashsale.cli.bench_views import Progress, print_report

    load_before = load()
    if what == "http":
        need_http()
    plan = Plan(
        what=one_of(what, WORDS, "what"),
        durability=one_of(durability, APPENDFSYNC, "durability"),
        quick=quick,
        rounds=rounds,
        scale=scale,
        archived_max=archived,
    )
    if chart is not None:
        from flashsale.bench import chart as drawing

        drawing.check(chart)
    end_cleanly_on(signal.SIGTERM, signal.SIGHUP)
    with Progress() as progress:
        report = _measured(session, plan, load_before, progress)
    if json:
        output.json(report)
    else:
        print_report(report)
    if chart is not None:
        drawing.draw(report, chart)
    for sentence in report.failed:
        output.fail(f"no number for {sentence}")
    return FAILED if report.failed else 0


def _measured(session: Session, plan: Plan, load_before: float | None, progress: Progress) -> Report:
    from flashsale import log
    from flashsale.bench.place import opened
    from flashsale.bench.run import run

    log.configure("warning", session.config.settings.log_format)
    progress.phase("Starting servers")
    with servers_of_its_own(session, "bench") as (parts, folder):
        private = {"redis": parts.uses_dev_redis, "postgres": parts.uses_dev_postgres}
        servers = [server for server in parts.dev_servers.status() if private[server.name]]
        with opened(parts.urls(), plan.durability, servers, folder) as place:
            return run(place, plan, load_before, progress)
