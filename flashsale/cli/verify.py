"""`flashsale verify`: check an exported log, and what clients were told of it, without any server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared
from flashsale.errors import BadInput

if TYPE_CHECKING:
    from flashsale.verify import HistoryReport, Report, Source

#: A log that does not add up is drift between what was done and what is written.
BROKEN = 6
#: An event with the limits of a thousand SKUs is a hundred kilobytes.
LINE_BYTES_MAX = 1024 * 1024


@shared
def verify(
    session: Session,  # noqa: ARG001 - it needs no settings and no server
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="What `events export` printed; - for standard input.", show_default=False
        ),
    ],
    history: Annotated[
        list[str] | None,
        typer.Option(
            "--history",
            metavar="FILE",
            help="What a client wrote down of its requests; again for each client.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Check that an exported log adds up: never oversold, nothing lost, nothing twice. Needs no server.

    With the histories of clients also: what was acknowledged is there, what was refused is not, nobody was told that
    something is sold out that was not, and who came later comes later in the log. Exit code 6 when something is wrong.
    """
    from flashsale.verify import verify as verify_lines

    with ExitStack() as files:
        log = sys.stdin.buffer if file == "-" else files.enter_context(_open("FILE", file))
        name = "standard input" if file == "-" else file
        report = verify_lines(_lines(log), name, _sources(history or [], files))
    if json:
        output.json(_record(report))
    else:
        _print(report)
    is_kept = not report.violations and not (report.history and report.history.broken)
    return 0 if is_kept else BROKEN


def _open(field: str, file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise BadInput(field, file, f"it cannot be read: {error.strerror}") from error


def _sources(history: Sequence[str], files: ExitStack) -> list[Source]:
    """The histories, each once: the same answers read twice would look like two."""
    from flashsale.verify import Source

    sources, seen = [], set()
    for file in history:
        stream = files.enter_context(_open("--history", file))
        place = os.fstat(stream.fileno())
        if (place.st_dev, place.st_ino) in seen:
            raise BadInput("--history", file, "it is named twice")
        seen.add((place.st_dev, place.st_ino))
        sources.append(Source(file, _lines(stream)))
    return sources


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Its lines; a longer one comes in pieces, which are no lines of an export, and not as all of a disk."""
    try:
        yield from iter(lambda: stream.readline(LINE_BYTES_MAX), b"")
    except OSError as error:
        raise BadInput("FILE", stream.name, f"it cannot be read: {error.strerror}") from error


def _record(report: Report) -> dict[str, Any]:
    record = {
        "events": report.events,
        "shards": [
            {"sale": sale, "shard": number, "events": shard.events, "position": str(shard.state.position)}
            for (sale, number), shard in sorted(report.shards.items())
        ],
        "violations": report.violations,
    }
    return record if report.history is None else record | {"history": _history_record(report.history)}


def _history_record(report: HistoryReport) -> dict[str, Any]:
    return {
        "requests": report.requests,
        "not_judged": report.not_judged,
        "clients": [
            {
                "history": name,
                "requests": counts.requests,
                "ok": counts.ok,
                "refused": counts.refused,
                "unknown": counts.unknown,
            }
            for name, counts in report.clients.items()
        ],
        "broken": report.broken,
        "violations": report.violations,
    }


def _print(report: Report) -> None:
    output.table(
        ("sale", "#events", "ends at", "finding"),
        (
            (
                sale,
                f"{shard.events:,}",
                str(shard.state.position),
                f"{shard.violation.rule}: {shard.violation.sentence}" if shard.violation else "adds up",
            )
            for (sale, _), shard in sorted(report.shards.items())
        ),
    )
    for violation in report.violations:
        output.fail(f"{violation.sale}:{violation.shard} breaks {violation.rule}: {violation.meaning}")
    if report.history is not None:
        _print_history(report.history)


def _print_history(report: HistoryReport) -> None:
    output.table(
        ("history", "#requests", "#ok", "#refused", "#unknown"),
        (
            (
                name,
                *(f"{number:,}" for number in (counts.requests, counts.ok, counts.refused, counts.unknown)),
            )
            for name, counts in report.clients.items()
        ),
    )
    for violation in report.violations:
        place = f"{violation.history}, request {violation.op}"
        output.fail(f"{place} breaks {violation.rule} ({violation.meaning}): {violation.sentence}")
    left_out = report.broken.total() - len(report.violations)
    if left_out:
        output.fail(f"and {left_out:,} more requests: " + _by_rule(report))
    if report.not_judged:
        output.fail(f"{report.not_judged:,} requests cannot be judged: their log does not add up")
    elif not report.broken:
        output.say("every answer agrees with the log")


def _by_rule(report: HistoryReport) -> str:
    return ", ".join(f"{rule} {number:,} times" for rule, number in sorted(report.broken.items()))
