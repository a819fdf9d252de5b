"""Hold what Redis keeps hot against the log, record by record."""

from __future__ import annotations

from collections.abc import Iterator

from flashsale.commands import REQUEST_FIELD, Hot, order_record, parse_order, restock_record, room_records
from flashsale.events import Audit, Order
from flashsale.reconcile.finding import Finding

_SETTINGS = ("state", "opens_ms", "closes_ms", "hold_ms")
#: Of a sale with a waiting room.
_ROOM = ("door", "drawn")
_LIMIT = "limit "


def differences(audit: Audit, hot: Hot) -> Iterator[Finding]:
    """Everything in which Redis differs from the log at the same position."""
    yield from _counters(audit, hot)
    yield from _orders(audit, hot)
    yield from _holds(audit, hot)
    yield from _units(audit, hot)
    yield from _settings(audit, hot)


def _counters(audit: Audit, hot: Hot) -> Iterator[Finding]:
    for sku in sorted(audit.state.stock.keys() | hot.stock.keys()):
        stock, seen = audit.state.stock.get(sku), hot.stock.get(sku)
        if stock is None:
            yield Finding("hot-counter", sku, None, seen, sku=sku)
            continue
        log = (stock.available, stock.held, stock.sold, stock.returned)
        words = [] if seen is None else seen.split(" ")
        if len(words) != 5 or not all(word.isascii() and word.isdecimal() for word in words):
            yield Finding("hot-counter", sku, _text(*log, stock.limit), seen, sku=sku)
            continue
        *counted, limit = map(int, words)
        if tuple(counted) != log:
            astray = audit.astray.get(sku)
            by = tuple(there - told for there, told in zip(counted, log, strict=True))
            first = astray.since if astray is not None and astray.by == by else None
            yield Finding("hot-counter", sku, _text(*log), _text(*counted), first, sku=sku)
        if limit != stock.limit:
            yield Finding("hot-setting", f"{_LIMIT}{sku}", str(stock.limit), str(limit), sku=sku)


def _orders(audit: Audit, hot: Hot) -> Iterator[Finding]:
    for key in sorted(audit.state.orders.keys() | hot.orders.keys()):
        order, seen = audit.state.orders.get(key), hot.orders.get(key)
        if order is None:
            yield Finding("hot-order", key, None, seen)
        elif seen is None or _order(seen) != order:
            yield Finding("hot-order", key, order_record(order), seen, order.changed_at, sku=order.sku)


def _holds(audit: Audit, hot: Hot) -> Iterator[Finding]:
    for key in sorted(audit.state.orders.keys() | hot.holds.keys()):
        order, seen = audit.state.orders.get(key), hot.holds.get(key)
        held = order is not None and order.status == "held"
        log = str(order.hold_until_ms) if order is not None and held else None
        if log != seen:
            guard, sku = (None, "") if order is None else (order_record(order), order.sku)
            first = None if order is None else order.changed_at
            yield Finding("stuck-hold", key, log, seen, first, guard=guard, sku=sku)


def _units(audit: Audit, hot: Hot) -> Iterator[Finding]:
    log = {f"{buyer} {sku}": str(units) for (buyer, sku), units in audit.state.units.items()}
    for key in sorted(log.keys() | hot.buyers.keys()):
        if log.get(key) != hot.buyers.get(key):
            yield Finding("buyer-limit", key, log.get(key), hot.buyers.get(key), sku=key.rpartition(" ")[2])


def _settings(audit: Audit, hot: Hot) -> Iterator[Finding]:
    state = audit.state
    values = (state.status, state.opens_ms, state.closes_ms, state.hold_ms)
    log = dict(zip(_SETTINGS, map(str, values), strict=True)) | room_records(state.room)
    log |= {f"{REQUEST_FIELD}{key}": restock_record(done) for key, done in state.requests.items()}
    seen = {
        field: text
        for field, text in hot.sale.items()
        if field in (*_SETTINGS, *_ROOM) or field.startswith(REQUEST_FIELD)
    }
    first = {f"{REQUEST_FIELD}{key}": done.position for key, done in state.requests.items()}
    for field in sorted(log.keys() | seen.keys()):
        if log.get(field) != seen.get(field):
            yield Finding("hot-setting", field, log.get(field), seen.get(field), first.get(field))


def _order(text: str) -> Order | None:
    try:
        return parse_order(text)
    except ValueError:
        return None


def _text(*numbers: int) -> str:
    return " ".join(map(str, numbers))
