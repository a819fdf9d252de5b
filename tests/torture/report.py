"""The table at the end: how often each fault really bit, and what became of the promises."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tests.torture.checks import Result
from tests.torture.faults import FAULTS
from tests.torture.run import Outcome

WIDTH = 110


def print_report(outcome: Outcome, result: Result) -> None:
    """Both tables, and what was left out."""
    console = Console(width=WIDTH, highlight=False)
    faults = Table("fault", box=None)
    for name in ("planned", "done", "bit"):
        faults.add_column(name, justify="right")
    faults.add_column("evidence")
    for name, tally in outcome.tallies.items():
        evidence = (
            f"left out: {tally.left_out}" if tally.left_out else f"{tally.evidence} {FAULTS[name].evidence}"
        )
        faults.add_row(name, str(tally.planned), str(tally.done), str(tally.bit), evidence)
    console.print(faults)
    console.print()
    promises = Table("promise", box=None)
    promises.add_column("found", justify="right")
    for name, value in _rows(result):
        promises.add_row(name, value)
    console.print(promises)


def broken(outcome: Outcome, result: Result) -> list[str]:
    """What was promised and did not hold, and what could not be carried out."""
    return [*outcome.errors, *result.broken]


def never_bit(outcome: Outcome) -> list[str]:
    """Faults that proved nothing."""
    return [
        f"{name} was done {tally.done} times and never bit"
        for name, tally in outcome.tallies.items()
        if tally.done and not tally.bit
    ]


def _rows(result: Result) -> Iterator[tuple[str, str]]:
    yield f"of {result.units:,} units sold", f"{result.sold:,}"
    yield "returned, not put back on sale", f"{result.returned:,}"
    yield "oversold", f"{result.oversold:,}"
    yield "acknowledged and lost", f"{result.lost:,}"
    yield "reserved twice", f"{result.double:,}"
    yield "answers that cannot be true", f"{result.untrue:,}"
    yield "drift", f"{result.drift:,}"
    yield "events, epochs", f"{result.events:,}, {result.epochs}"
    asked = f"{result.asked:,} / {result.ok:,} / {result.refused:,} / {result.unknown:,}"
    yield "requests: asked / ok / refused / unknown", asked
    if result.over_http:
        yield "of these over HTTP", " / ".join(f"{count:,}" for count in result.over_http.values())
    yield "acknowledged by a log that was lost later (beyond D1)", f"{result.lost_with_the_log:,}"
