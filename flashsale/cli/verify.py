"""`flashsale verify`: check an exported log without any server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared
from flashsale.errors import BadInput

if TYPE_CHECKING:
    from flashsale.verify import Report

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
    json: Json = False,
) -> int:
    """Check that an exported log adds up: never oversold, nothing lost, nothing twice. Needs no server.

    Exit code 6 when an event does not follow from those before it.
    """
    from flashsale.verify import verify as verify_lines

    if file == "-":
        report = verify_lines(_lines(sys.stdin.buffer), "standard input")
    else:
        try:
            with Path(file).open("rb") as lines:
                report = verify_lines(_lines(lines), file)
        except OSError as error:
            raise BadInput("FILE", file, f"it cannot be read: {error.strerror}") from error
    if json:
        output.json(_record(report))
    else:
        _print(report)
    return BROKEN if report.violations else 0


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Its lines; a longer one comes in pieces, which are no lines of an export, and not as all of a disk."""
    return iter(lambda: stream.readline(LINE_BYTES_MAX), b"")


def _record(report: Report) -> dict[str, Any]:
    return {
        "events": report.events,
        "shards": [
            {"sale": sale, "shard": number, "events": shard.events, "position": str(shard.state.position)}
            for (sale, number), shard in sorted(report.shards.items())
        ],
        "violations": report.violations,
    }


def _print(report: Report) -> None:
    output.table(
        ("sale", "#shard", "#events", "ends at", "finding"),
        (
            (
                sale,
                str(number),
                f"{shard.events:,}",
                str(shard.state.position),
                f"{shard.violation.rule}: {shard.violation.sentence}" if shard.violation else "adds up",
            )
            for (sale, number), shard in sorted(report.shards.items())
        ),
    )
    for violation in report.violations:
        output.fail(f"{violation.sale}:{violation.shard} breaks {violation.rule}: {violation.meaning}")
