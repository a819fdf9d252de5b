"""Examine one shard: one pass over stream and archive, Redis held against it on the way, Postgres at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flashsale.commands import Hot
from flashsale.errors import Halted
from flashsale.events import Audit, InvariantBroken, NewerEvent, UndecodableEvent, decode
from flashsale.ids import START, Position
from flashsale.projections import mending, reads
from flashsale.projections.continuity import refuse_other_shop
from flashsale.projections.database import Connection
from flashsale.projections.mending import Archived
from flashsale.reconcile import hot as hot_side
from flashsale.reconcile import tables as table_side
from flashsale.reconcile.comparison import wait_for_checkpoint
from flashsale.reconcile.finding import Finding, Report
from flashsale.shop import Shop
from flashsale.stream import Entry, Log, ShardId


class Examined(NamedTuple):
    """A report, and what mending needs besides; `hot` is None where there was nothing to compare."""

    report: Report
    audit: Audit
    hot: Hot | None


class Line(NamedTuple):
    """One place of the log, from wherever it is kept."""

    position: Position
    #: as the stream has it; None when it is trimmed
    entry: Entry | None
    #: as Postgres has it
    row: Archived | None


class LogStops(Halted):
    """The log cannot be followed beyond this place."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(f"{finding.key}: {finding.note}" for finding in findings))
        self.findings = findings


def examine(
    shop: Shop,
    shard: ShardId,
    *,
    timeout_s: float,
    wait: Callable[[float], object] = time.sleep,
) -> Examined:
    """Examine one shard, also while it is sold. Waits until Postgres has applied what Redis held at the snapshot.

    Raises `NotCaughtUp`, `Halted` when Redis refuses to show its state, and `OtherShop`.
    """
    report, audit = Report(shard), Audit()
    # Postgres first: Redis, asked later, must have all that Postgres had.
    row = next((row for row in reads.checkpoints(shop.connection, shard.sale) if row.shard == shard), None)
    hot = shop.client.hot(*shard)
    report.position = hot.position
    refuse_other_shop(shard, hot.sale.get("origin"), row.origin if row else None)
    if row is not None and row.archived:
        report.skipped = "archived: Redis holds nothing of it any more"
    elif hot.position == START and (row is None or row.reached == START):
        report.skipped = "not warm: there is nothing to compare"
    elif why := _split(hot, START if row is None else row.reached, row.halted if row else None):
        report.add(_fork(str(hot.position), why))
    else:
        wait_for_checkpoint(shop.connection, shard, hot.position, timeout_s=timeout_s, wait=wait)
        _read(shop, report, audit, hot)
        return Examined(report, audit, hot)
    return Examined(report, audit, None)


def follow(audit: Audit, line: Line, withheld: set[Position]) -> Finding | None:
    """Add one place of the log to the audit. Returns what is wrong with the archive there; raises `LogStops`."""
    finding = archive_difference(line)
    if finding is not None and finding.kind == "fork":
        raise LogStops(finding)
    body = (line.entry.body or b"") if line.entry else line.row.body if line.row else b""
    try:
        event = decode(body)
    except NewerEvent as error:
        # What it did is in Redis and Postgres: without it, the right state would look like damage.
        raise LogStops(
            Finding(
                "fork", str(line.position), None, None, note=f"{error.name}: {error.reason}",
                refusal="reconcile with the newer flashsale that wrote it",
            )
        ) from error  # fmt: skip
    except UndecodableEvent as error:
        if finding is not None and line.entry is None:
            raise LogStops(
                finding, _fork(str(line.position), f"its only copy cannot be read: {error.reason}")
            ) from error
        audit.skip(line.position)
        return finding
    try:
        audit.add(line.position, event, withheld=line.position in withheld)
    except InvariantBroken as broken:
        raise LogStops(*([finding] if finding else []), _fork(str(broken.position), str(broken))) from broken
    return finding


def lines(
    log: Log, connection: Connection, shard: ShardId, after: Position, up_to: Position
) -> Iterator[Line]:
    """Every place of the log after one, up to another, with what the stream and the archive have there."""
    rows, entries = mending.archive(connection, shard, after, up_to), log.walk(shard, after, up_to)
    row, entry = next(rows, None), next(entries, None)
    while row is not None or entry is not None:
        if entry is None or (row is not None and row.position < entry.position):
            assert row is not None
            yield Line(row.position, None, row)
            row = next(rows, None)
        elif row is None or entry.position < row.position:
            yield Line(entry.position, entry, None)
            entry = next(entries, None)
        else:
            yield Line(entry.position, entry, row)
            row, entry = next(rows, None), next(entries, None)


def _split(hot: Hot, reached: Position, halted: str | None) -> str:
    """Why Redis's log and what others know of it cannot both be right; "" when they can."""
    if halted:
        return f"the projector halted: {halted}"
    if "lost" in hot.sale:
        return f"Redis lost events: somebody has seen {hot.sale['lost']}, it ends at {hot.position}"
    if hot.position < reached:
        return f"Redis lost events: Postgres has seen {reached}, Redis ends at {hot.position}"
    if hot.log_position != hot.position:
        return f"Redis counts to {hot.position}, its log ends at {hot.log_position}"
    return ""


def _read(shop: Shop, report: Report, audit: Audit, hot: Hot) -> None:
    tables = reads.tables(shop.connection, report.shard)
    report.checkpoint, report.dead_letters = tables.checkpoint, tables.parked
    withheld = {letter.position for letter in tables.withheld}
    try:
        for line in lines(shop.log, shop.connection, report.shard, START, tables.checkpoint):
            if finding := follow(audit, line, withheld):
                report.add(finding)
            if line.position == hot.position:
                _add_all(report, hot_side.differences(audit, hot))
    except LogStops as stop:
        for finding in stop.findings:
            report.add(finding)
        return
    if audit.state.position != tables.checkpoint:
        report.add(_fork(str(tables.checkpoint), f"the log ends at {audit.state.position}"))
        return
    _add_all(report, table_side.differences(audit, tables))
    for sku, stock in sorted(audit.state.stock.items()):
        if stock.available < 0:
            units = f"{stock.available} {stock.held} {stock.sold} {stock.returned}"
            below = (b.position for b in audit.noted if str(b).startswith(f"{b.position}: {sku} went below"))
            refusal = "more is sold than there is: whom to refuse is for a person to decide"
            report.add(Finding("oversold", sku, units, None, next(below, None), refusal=refusal, sku=sku))


def _add_all(report: Report, findings: Iterator[Finding]) -> None:
    for finding in findings:
        report.add(finding)


def _fork(key: str, note: str) -> Finding:
    return Finding("fork", key, None, None, note=note, refusal="see `flashsale recover`")


def archive_difference(line: Line) -> Finding | None:
    position, entry, row = line
    key = str(position)
    if row is None:
        return Finding("archive-gap", key, _text(entry.body) if entry else None, None, position)
    if entry is None or (entry.body or b"") == row.body:
        if row.is_itself:
            return None
        return Finding(
            "content-mismatch",
            key,
            _text(row.body),
            _columns(row),
            position,
            note="columns differ from the bytes",
        )
    if row.is_itself and _reads(row.body):
        return Finding(
            "fork", key, _text(entry.body), _text(row.body), position,
            note="Redis and Postgres have different events there", refusal="see `flashsale recover`",
        )  # fmt: skip
    return Finding("content-mismatch", key, _text(entry.body), _text(row.body), position)


def _reads(body: bytes) -> bool:
    try:
        decode(body)
    except UndecodableEvent:
        return False
    return True


def _columns(row: Archived) -> str:
    return " ".join("-" if value is None else str(value) for value in row.columns)


def _text(body: bytes | None) -> str:
    return (body or b"").decode(errors="backslashreplace")
