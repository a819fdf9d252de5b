"""What a person sees of a load test."""

from __future__ import annotations

from flashsale.cli import output
from flashsale.loadtest.result import Result


def print_result(result: Result) -> None:
    """All of it."""
    output.table(
        ("", "#requests", "#p50 ms", "#p90 ms", "#p99 ms", "#p99.9 ms", "#max ms", "answers"),
        [
            (
                kind.name,
                f"{kind.requests:,}",
                *(f"{ms:,.1f}" for ms in (kind.p50_ms, kind.p90_ms, kind.p99_ms, kind.p999_ms, kind.max_ms)),
                ", ".join(f"{word} {number:,}" for word, number in kind.answers.items()),
            )
            for kind in result.kinds
        ],
    )
    output.line("")
    checked = result.checked
    drift = (
        "not compared with Postgres"
        if checked.drift is None
        else f"{checked.drift} differences to Redis and Postgres"
    )
    output.facts(
        [
            (
                "crowd",
                f"{result.buyers:,} buyers in {result.load_seconds:g} s; the last answer after {result.seconds:g} s",
            ),
            (
                "this process",
                f"{result.busy:.0%} of a core; late to send by {result.late_p99_ms:,.1f} ms at most (99 %)",
            ),
            (
                "sale",
                f"{checked.units:,} units: {checked.sold:,} sold, {checked.held:,} held, {checked.left:,} left",
            ),
            ("log", f"{checked.events:,} events; {drift}"),
            (
                "answers",
                f"{checked.requests:,} held against the log, {checked.unknown:,} of them unknown: "
                + (f"{len(result.broken):,} do not hold" if result.broken else "all true"),
            ),
        ]
    )
