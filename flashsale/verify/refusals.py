"""Whether a refusal is true (K5, K6): at the place of the log that it names, the request could not be done."""

from __future__ import annotations

from flashsale import ids
from flashsale.client_history import UNREACHABLE, Invoked, Returned
from flashsale.ids import Position
from flashsale.verify.answers import Span, Untrue, event_of, place, seen_at
from flashsale.verify.index import Index

#: A whole shard that does not work: nothing in its log says so.
_WHOLE = frozenset([UNREACHABLE, "NOT_LOADED", "LOG_REGRESSED", "ARCHIVED"])

#: The statuses in which each of these does something, or repeats what it did.
_ALLOWED = {
    "confirm": {"held", "expired", "cancelled", "confirmed", "refund_due"},
    "cancel": {"held", "cancelled"},
    "refund": {"confirmed", "refund_due", "refunded"},
}


def judge_refusal(index: Index, asked: Invoked, told: Returned) -> Span | None:
    """When a request was decided that was refused; None where the log has nothing to do with it. Raises `Untrue`."""
    if told.code in _WHOLE:
        return None
    if not told.position:
        _require_anywhere(index, asked, told)
        return None
    position = Position.parse(told.position)
    prefix = index.prefix(position)
    if prefix is None:
        if index.is_superseded(position.epoch):
            return None  # decided on events that were lost; what was acknowledged there is another matter
        raise Untrue("K5", f"{_refused(told)}, and the log has no such place")
    if asked.command == "reserve":
        objection = _reserve(index, asked, told, prefix)
    elif asked.command == "restock":
        objection = _restock(index, asked, told, prefix)
    elif asked.command in _ALLOWED:
        objection = _resolution(index, asked, told, prefix)
    else:
        objection = ""  # what a sale is at a moment depends on the clock, too
    if objection:
        raise Untrue(
            "K6" if 0 < event_of(index, asked) <= prefix else "K5", f"{_refused(told)}, and {objection}"
        )
    return Span(seen_at(prefix), seen_at(prefix))


def _require_anywhere(index: Index, asked: Invoked, told: Returned) -> None:
    """A refusal that names no place: it must be true at one of them. Raises `Untrue`."""
    stock = index.stock.get(asked.sku)
    if told.code == "SOLD_OUT" and (stock is None or stock.available.least() >= asked.quantity):
        raise Untrue(
            "K5", f"{_refused(told)}, and the log never had fewer than {asked.quantity} of {asked.sku}"
        )


def _reserve(index: Index, asked: Invoked, told: Returned, prefix: int) -> str:
    """What the log holds against the refusal of a reservation; "" when it agrees."""
    stock = index.stock.get(asked.sku)
    available = None if stock is None else stock.available.at(prefix)
    order = index.order_at(asked.order_id, prefix)
    if told.code == "CONFLICT" or order is not None:
        return _conflict(told, is_there=order is not None, is_same=bool(event_of(index, asked)))
    if told.code in ("NOT_OPEN", "PAUSED", "CLOSED", "NO_PASS"):
        return _shut(index, told, prefix)
    if told.code == "UNKNOWN_SKU" or stock is None or available is None:
        return _unknown_sku(told, asked.sku, is_there=available is not None)
    if told.code == "SOLD_OUT":
        is_true = available < asked.quantity and told.detail == str(available)
        return "" if is_true else f"{available} of {asked.sku} were available there"
    if told.code == "LIMIT":
        limit, units = stock.limit.at(prefix) or 0, index.units_at(asked.buyer, asked.sku, prefix)
        is_true = 0 < limit < units + asked.quantity and told.detail == str(units)
        return "" if is_true else f"{asked.buyer} had {units} of {asked.sku} there, with limit {limit}"
    return _no_answer(told, asked)


def _shut(index: Index, told: Returned, prefix: int) -> str:
    """A sale is not open before its time, and over after its time, without an event: the clock says so."""
    moment = index.moment(prefix)
    match told.code:
        case "NOT_OPEN":
            by_clock = moment.status in ("warm", "open") and moment.opens_ms > 0
            is_true = by_clock or (moment.status == "warm" and moment.opens_ms == 0)
            is_true = is_true and told.detail == str(moment.opens_ms)
        case "PAUSED":
            is_true = moment.status == "paused"
        case "NO_PASS":  # who had one, no event tells
            is_true = moment.demands_pass
        case _:
            is_true = moment.status == "closed" or moment.closes_ms > 0
    return "" if is_true else f"the sale was {moment.status or 'not there'}"


def _restock(index: Index, asked: Invoked, told: Returned, prefix: int) -> str:
    """What the log holds against the refusal of a restock."""
    stock = index.stock.get(asked.sku)
    available = None if stock is None else stock.available.at(prefix)
    done = index.restock_at(asked.request_id, prefix)
    if told.code == "CONFLICT" or done is not None:
        return _conflict(told, is_there=done is not None, is_same=bool(event_of(index, asked)))
    if told.code == "WRONG_STATE":
        return _shut(index, told, prefix)
    if told.code == "UNKNOWN_SKU" or stock is None or available is None:
        return _unknown_sku(told, asked.sku, is_there=available is not None)
    if told.code == "NOT_ENOUGH":
        is_true = asked.how == "remove" and available < asked.quantity and told.detail == str(available)
        return "" if is_true else f"{available} of {asked.sku} were available there"
    if told.code == "OVER_CAPACITY":
        capacity = stock.capacity.at(prefix) or 0
        is_true = asked.how == "add" and capacity + asked.quantity > ids.CAPACITY_MAX
        return "" if is_true else f"it had {capacity} units of {asked.sku} there"
    return _no_answer(told, asked)


def _resolution(index: Index, asked: Invoked, told: Returned, prefix: int) -> str:
    """What the log holds against the refusal of a confirmation, a cancellation or a refund."""
    order = index.order_at(asked.order_id, prefix)
    status, how = index.status_at(asked.order_id, prefix)
    if told.code == "NOT_FOUND":
        is_true = order is None or asked.buyer not in ("", order.buyer)
        return "" if is_true else f"the order was {status} there"
    if order is None:
        return "the order was not there"
    if told.code == "WRONG_STATE":
        is_true = told.detail == status and status not in _ALLOWED[asked.command]
        return "" if is_true else f"the order was {status} there"
    if told.code == "CONFLICT" and asked.command == "refund":
        is_true = status == "refunded" and told.detail == how and how not in (asked.how, "none")
        return "" if is_true else f"the order was {status} {how} there"
    return _no_answer(told, asked)


def _conflict(told: Returned, *, is_there: bool, is_same: bool) -> str:
    if not is_there:
        return "the log has nothing of that id there"
    if is_same or told.code != "CONFLICT":
        return "the log has that id there, with " + ("the same content" if is_same else "another content")
    return ""


def _unknown_sku(told: Returned, sku: str, *, is_there: bool) -> str:
    if is_there:
        return f"the log has {sku} there"
    return "" if told.code == "UNKNOWN_SKU" else f"the log has no {sku} there"


def _no_answer(told: Returned, asked: Invoked) -> str:
    return f"{told.code} is no answer to {asked.command}"


def _refused(told: Returned) -> str:
    return f"it was refused as {told.code}{place(told)}"
