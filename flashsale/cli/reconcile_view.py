"""How reconcile's findings read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flashsale import words
from flashsale.cli import output
from flashsale.errors import DriftFound, Halted, Unreachable

if TYPE_CHECKING:
    from flashsale.reconcile import Outcome, Report

#: Rows shown to people; JSON has all that are kept.
ROWS_MAX = 50


def exit_code(reports: Sequence[Report], behind: Sequence[str]) -> int:
    """The worst of all shards: a fork, then drift, then a projector that does not keep up."""
    if any(report.is_forked for report in reports):
        return Halted.exit_code
    if any(report.count for report in reports):
        return DriftFound.exit_code
    return Unreachable.exit_code if behind else 0


def record(report: Report) -> dict[str, Any]:
    """For programs."""
    return {
        "sale": report.shard.sale,
        "shard": report.shard.shard,
        "position": str(report.position),
        "checkpoint": str(report.checkpoint),
        "skipped": report.skipped or None,
        "dead_letters": report.dead_letters,
        "drift_count": report.count,
        "drift": [finding.record() for finding in report.findings],
    }


def print_reports(reports: Sequence[Report]) -> None:
    """For people."""
    from flashsale.reconcile import CLASSES

    rows = [(report, finding) for report in reports for finding in report.findings]
    if rows:
        output.table(
            ("sale", "class", "key", "log", "Redis", "Postgres", "#first seq"),
            (
                (
                    report.shard.sale,
                    finding.kind,
                    finding.key,
                    *(_cell(text) for text in (finding.log, finding.redis, finding.postgres)),
                    str(finding.first_seq or "-"),
                )
                for report, finding in rows[:ROWS_MAX]
            ),
        )
    more = sum(report.count for report in reports) - min(len(rows), ROWS_MAX)
    if more:
        output.line(f"and {words.count(more)} more: see --json")
    for kind in dict.fromkeys(finding.kind for _, finding in rows[:ROWS_MAX]):
        output.line(f"{kind}: {CLASSES[kind]}")
    for report in reports:
        output.line(f"{report.shard}: {_sentence(report)}")
        for finding in report.findings:
            if finding.kind in ("fork", "oversold"):
                output.fail(f"{report.shard}: {finding.note or finding.key}; {finding.refusal}")


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """What became of each item of a plan."""
    output.table(
        ("#item", "sale", "class", "key", "result", "why"),
        (
            (str(o.number), o.item.sale, o.item.kind, o.item.key, o.result, o.why or "-")
            for o in outcomes[:ROWS_MAX]
        ),
    )
    if len(outcomes) > ROWS_MAX:
        output.line(f"and {words.count(len(outcomes) - ROWS_MAX)} more: see --json")


def _sentence(report: Report) -> str:
    if report.skipped:
        return report.skipped
    letters = f", {words.count(report.dead_letters, 'dead letters')}" if report.dead_letters else ""
    if report.count:
        return f"{words.count(report.count, 'differences')} at {report.position}{letters}"
    return f"log, Redis and Postgres agree at {report.position}{letters}"


def _cell(text: str | None) -> str:
    return "-" if text is None else text
