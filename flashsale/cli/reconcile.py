"""`flashsale reconcile`: hold log, Redis and Postgres against each other, and put right what is derived."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flashsale import ids, words
from flashsale.cli import output
from flashsale.cli.metrics import MetricsListen, listener
from flashsale.cli.reconcile_view import exit_code, print_outcomes, print_reports, record
from flashsale.cli.session import Json, Session, shared
from flashsale.errors import BadInput, RefusedByState, UnknownOutcome
from flashsale.times import parse_duration
from flashsale.values import Usage

if TYPE_CHECKING:
    from flashsale.cli.metrics import Serve
    from flashsale.reconcile import Item, Report

#: A look reads everything: more often than this, it would be the load.
WATCH_MS_MIN = 1_000


@shared
def reconcile(
    session: Session,
    sales: Annotated[
        list[str] | None, typer.Argument(metavar="[SALE]...", help="Ids of sales.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every sale.")] = False,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to wait for the projector, each sale.")
    ] = "30s",
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what would be put right into a new file.")
    ] = None,
    apply: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put right what a plan says; needs --yes.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do apply the plan.")] = False,
    watch: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Look again and again; a daemon.")
    ] = None,
    metrics_listen: MetricsListen = None,
    json: Json = False,
) -> int:
    """Compare log, Redis and Postgres at the same place of the log, while the sale goes on. Changes none of them.

    When it compared, and what it found, is kept for `sale show`, `top`, metrics and the operator page.

    `--plan FILE` writes what would be put right: read it, delete the items you do not want, and hand it back with
    `--apply FILE --yes`. The log is never written, and an oversell never hidden.

    Exit code 6 when something differs, 7 when a log is forked or lost, 5 when no projector keeps up, 4 when an item of
    a plan was refused.
    """
    timeout_s = parse_duration(timeout, "timeout") / 1000
    names = [ids.sale_id(sale) for sale in sales or ()]
    if apply is not None:
        if names or every or plan is not None or watch is not None:
            raise Usage("--apply takes its sales from the plan: leave out SALE, --all, --plan and --watch")
        return _apply(session, apply, timeout_s, yes=yes, json=json)
    if bool(names) == every:
        raise Usage("name the sales, or write --all for every one")
    if watch is not None:
        if plan is not None:
            raise Usage("--watch writes no plan: leave out --plan")
        return _watch(session, names, watch, timeout_s, listener(metrics_listen, "--metrics-listen"))
    if metrics_listen is not None:
        raise Usage("--metrics-listen is for a daemon: add --watch, or leave it out")
    return _look(session, names, timeout_s, plan, json=json)


def _look(session: Session, names: list[str], timeout_s: float, plan: Path | None, *, json: bool) -> int:
    if plan is not None and plan.exists():
        raise BadInput("plan", str(plan), "there is such a file already; name another")
    from flashsale.reconcile import examine_each

    with session.connected() as shop:
        reports, behind, not_kept = examine_each(shop, names, timeout_s, by=session.actor)
    items = _items(reports)
    if plan is not None and items:
        from flashsale.reconcile import write_plan

        write_plan(plan, items)
    if json:
        output.json({"shards": [record(report) for report in reports], "not_caught_up": behind})
    else:
        print_reports(reports)
    for sentence in behind:
        output.fail(sentence)
    if not_kept:
        output.say(f"Not kept for `sale show` and the operator page: {not_kept}.")
    if plan is not None:
        output.say(
            f"{words.count(len(items), 'items')} in {plan}"
            if items
            else "Nothing can be put right, so no plan was written."
        )
    if plan is not None and items:
        output.suggest(f"reconcile --apply {plan} --yes", "read it first; delete the items you do not want")
    elif items:
        output.suggest("reconcile … --plan FILE", "writes what would be put right")
    return exit_code(reports, behind)


def _items(reports: list[Report]) -> list[Item]:
    from flashsale.reconcile import Item

    return [
        Item.of(report.shard, finding)
        for report in reports
        if not report.is_forked
        for finding in report.findings
        if not finding.refusal
    ]


def _apply(session: Session, path: Path, timeout_s: float, *, yes: bool, json: bool) -> int:
    from flashsale.reconcile import apply_plan, read_plan

    items = read_plan(path).items
    if not yes:
        raise Usage(f"this writes {words.count(len(items), 'records')} in Redis and Postgres: add --yes")
    with session.connected() as shop:
        try:
            outcomes = apply_plan(shop, items, timeout_s=timeout_s)
        except UnknownOutcome as error:
            raise UnknownOutcome(
                "Redis went away in the middle: run the same command again, it mends the rest"
            ) from error
    if json:
        output.json({"items": [{"number": o.number, "result": o.result, "why": o.why} for o in outcomes]})
    else:
        print_outcomes(outcomes)
    refused = sum(outcome.result == "refused" for outcome in outcomes)
    if refused:
        output.fail(f"{refused} of {words.count(len(outcomes), 'items')} refused")
    output.suggest("reconcile --all", "shows what is left")
    return RefusedByState.exit_code if refused else 0


def _watch(session: Session, names: list[str], interval: str, timeout_s: float, serve: Serve) -> int:
    import structlog

    from flashsale.daemon import Daemon
    from flashsale.metrics.work import Compared, of_reconcile
    from flashsale.reconcile import NotCaughtUp, examine_each

    pause_ms = parse_duration(interval, "watch")
    if pause_ms < WATCH_MS_MIN:
        raise BadInput("watch", interval, f"use {WATCH_MS_MIN // 1000}s or more")
    session.configure_log()
    log = structlog.get_logger(__name__)
    daemon = Daemon("reconcile")
    compared = Compared()

    def wait(seconds: float) -> None:
        # Whoever is asked to stop does not wait for a projector any longer.
        if daemon.wait(seconds):
            raise NotCaughtUp("asked to stop before the projector had caught up")

    def step() -> None:
        with session.connected() as shop:
            found = examine_each(shop, names, timeout_s, by=session.actor, wait=wait)
        compared.now({report.shard: report.count for report in found.reports if not report.skipped})
        for report in found.reports:
            sale, shard, at = report.shard.sale, report.shard.shard, str(report.position)
            for finding in report.findings[:LOGGED_MAX]:
                log.error("drift", action="drift_found", sale=sale, shard=shard, at=at, **finding.record())
            if report.count == 0:
                log.info(
                    report.skipped or "no drift",
                    action="reconciled", sale=sale, shard=shard, at=at, dead_letters=report.dead_letters,
                )  # fmt: skip
        for sentence in found.behind:
            log.warning(sentence, action="reconcile_behind")
        if found.not_kept:
            log.warning(found.not_kept, action="reconcile_not_kept")
        daemon.wait(pause_ms / 1000)

    with serve(lambda: of_reconcile(daemon, compared)):
        return daemon.run(step, close=lambda: None)


#: Lines logged of one shard at one look.
LOGGED_MAX = 20
