"""Put rows of Postgres back to what the log says, while the projector is kept out."""

from __future__ import annotations

from flashsale.events import UndecodableEvent, decode
from flashsale.ids import Position
from flashsale.projections import mending, reads
from flashsale.projections.batch import read_entry, without_values
from flashsale.projections.mending import Tables
from flashsale.reconcile import tables as table_side
from flashsale.reconcile.examination import Examined, Line, archive_difference, follow, lines
from flashsale.reconcile.finding import Finding
from flashsale.shop import Shop
from flashsale.stream import Entry

_CHANGED = "the row changed meanwhile: make a new plan"


def mend_rows(shop: Shop, examined: Examined, findings: dict[int, Finding]) -> dict[int, str]:
    """All in one transaction. Item number → why it was refused; "" when it was mended."""
    shard, why = examined.report.shard, {}
    with mending.locked(shop.connection, shard) as rows:
        letters = reads.withheld(shop.connection, shard)
        withheld = {letter.position for letter in letters}
        # What the projector applied since the look: a few events, and none from here on.
        after = examined.audit.state.position
        for line in lines(shop.log, shop.connection, shard, after, rows.checkpoint):
            follow(examined.audit, line, withheld)
        waiting, resized = table_side.kept_back(letters)
        for number, finding in findings.items():
            if finding.kind in ("archive-gap", "content-mismatch"):
                why[number] = _mend_event(shop, rows, finding, withheld)
            elif finding.key in (resized if finding.kind == "stock-row" else waiting):
                why[number] = "it is a dead letter: see `flashsale dead-letter`"
            elif finding.kind == "stock-row":
                why[number] = _mend_stock(examined, rows, finding)
            else:
                why[number] = _mend_order(shop, examined, rows, finding)
    return why


def _mend_event(shop: Shop, rows: Tables, finding: Finding, withheld: set[Position]) -> str:
    line = _line(shop, rows, Position.parse(finding.key))
    found = None if line is None else archive_difference(line)
    if line is None or found is None:
        return ""
    if found.kind == "fork":
        return found.note
    row = read_entry(line.entry or Entry(line.position, line.row.body if line.row else b""))
    rows.put_event(without_values(row) if line.position in withheld else row)
    return ""


def _mend_stock(examined: Examined, rows: Tables, finding: Finding) -> str:
    sku, told = finding.key, examined.audit.told.get(finding.key)
    seen = table_side.of_stock(reads.stock_by_sku(rows.connection, rows.shard).get(sku))
    if seen == table_side.of_told(told):
        return ""
    if seen != finding.seen:
        return _CHANGED
    if told is None:
        rows.drop_stock(sku)
    elif min(told.counters) < 0:
        return "a counter would go below zero: mending would hide an oversell"
    else:
        rows.put_stock(sku, told)
    return ""


def _mend_order(shop: Shop, examined: Examined, rows: Tables, finding: Finding) -> str:
    order_id, order = finding.key, examined.audit.state.orders.get(finding.key)
    seen = table_side.of_row(reads.order(rows.connection, rows.shard.sale, order_id))
    if seen == table_side.of_order(order):
        return ""
    if seen != finding.seen:
        return _CHANGED
    if order is None:
        rows.drop_order(order_id)
        return ""
    times = [_at_ms(shop, rows, position) for position in (order.reserved_at, order.changed_at)]
    if times[0] is None or times[1] is None:
        return "the events of this order cannot be read"
    rows.put_order(order_id, order, times[0], times[1])
    return ""


def _at_ms(shop: Shop, rows: Tables, position: Position) -> int | None:
    line = _line(shop, rows, position)
    if line is None:
        return None
    body = (line.entry.body or b"") if line.entry else line.row.body if line.row else b""
    try:
        return decode(body).at_ms
    except UndecodableEvent:
        return None


def _line(shop: Shop, rows: Tables, position: Position) -> Line | None:
    before = Position(position.epoch, position.seq - 1)
    return next(iter(lines(shop.log, rows.connection, rows.shard, before, position)), None)
