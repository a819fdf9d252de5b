"""Whether an answer that says `done` is true (K1, K6), and when, by the log, it can have been given.

Moments of a log are numbered twice as fine as its events: the step that writes the n-th event is at 2n - 1, and whoever
looks right after it is at 2n. So two requests can be put in order even where one of them wrote nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from flashsale.client_history import Invoked, Returned
from flashsale.ids import Position
from flashsale.verify.index import Index

ORDER_COMMANDS = frozenset(["reserve", "confirm", "cancel", "refund"])


class Untrue(Exception):
    """The log says otherwise; `rule` is a key of `flashsale.verify.history.HISTORY_RULES`."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class Span(NamedTuple):
    """Between which moments of the log a request was decided; both included."""

    earliest: int
    latest: int


def written_at(prefix: int) -> int:
    """The moment at which the event was written that ends this prefix."""
    return 2 * prefix - 1


def seen_at(prefix: int) -> int:
    """The moment of looking at this prefix."""
    return 2 * prefix


def event_of(index: Index, asked: Invoked) -> int:
    """The prefix that ends with the event which this very request would write; 0 when the log has none."""
    if asked.command == "restock":
        done = index.state.requests.get(asked.request_id)
        content = (asked.how, asked.sku, asked.quantity)
        if done is None or content != (done.direction, done.sku, done.quantity):
            return 0
        return index.prefix(done.position) or 0
    for prefix in index.steps(asked.order_id):
        if index.done[prefix].command == asked.command:
            return prefix if _other_content(index, asked) == "" and _is_asked_how(index, asked, prefix) else 0
    return 0


def _is_asked_how(index: Index, asked: Invoked, prefix: int) -> bool:
    """Whether a refund went the way that was asked for."""
    return asked.command != "refund" or index.done[prefix].detail in (asked.how, "none")


def _other_content(index: Index, asked: Invoked) -> str:
    """What differs between a request about an order and the order in the log; "" when nothing does."""
    order = index.state.orders[asked.order_id]
    if asked.command == "reserve" and (asked.sku, asked.quantity) != (order.sku, order.quantity):
        return f"{order.quantity} of {order.sku}"
    return f"an order of {order.buyer}" if asked.buyer not in ("", order.buyer) else ""


def judge_done(index: Index, asked: Invoked, told: Returned) -> tuple[Span, int]:
    """When a request was decided that was done, and the prefix which ends with its event.

    An order that was carried over into a later epoch has another place now; its span says nothing. Raises `Untrue`.
    """
    rule = "K6" if told.status else "K1"
    prefix = index.prefix(Position.parse(told.position)) if told.position else event_of(index, asked)
    if not prefix and not told.position:
        raise Untrue(rule, f"{_said(told)}, and the log has nothing of it")
    if not prefix or not _is_event_of(index, asked, prefix):
        moved = _carried_over(index, asked, told)
        if moved:
            return Span(0, seen_at(len(index.done))), moved
        there = f"{index.done[prefix].code} of something else" if prefix else "nothing"
        raise Untrue(rule, f"{_said(told)}, and the log has {there} there")
    _require_same(index, asked, told, prefix, rule)
    if not told.status:
        return Span(written_at(prefix), written_at(prefix)), prefix
    if asked.command == "restock":
        return Span(seen_at(prefix), seen_at(len(index.done))), prefix
    span = index.span_of(asked.order_id, told.status)
    if span is None:
        raise Untrue("K6", f"{_said(told)} and that the order is {told.status}, which it never was")
    return Span(seen_at(span[0]), seen_at(span[1])), prefix


def _is_event_of(index: Index, asked: Invoked, prefix: int) -> bool:
    """Whether the event is one of the kind, and of the order or the restock, that was asked for."""
    if index.done[prefix].command != asked.command:
        return False
    if asked.command in ORDER_COMMANDS:
        return prefix in index.steps(asked.order_id)
    if asked.command == "restock":
        done = index.state.requests.get(asked.request_id)
        return done is not None and index.prefix(done.position) == prefix
    return True


def _require_same(index: Index, asked: Invoked, told: Returned, prefix: int, rule: str) -> None:
    """The event says what was asked for, and what was answered."""
    done = index.done[prefix]
    if done.code != told.code:
        raise Untrue(rule, f"{_said(told)}, and the log has {done.code} there")
    if asked.command in ORDER_COMMANDS:
        other = _other_content(index, asked)
        if other:
            raise Untrue(rule, f"{_said(told)}, and the log has {other} there")
        if not _is_asked_how(index, asked, prefix):
            raise Untrue(rule, f"{_said(told)} to {asked.how}, and the log has {done.detail} there")
    if asked.command == "restock" and not event_of(index, asked):
        raise Untrue(rule, f"{_said(told)}, and the log has a restock of another content there")
    detail = _detail_of(index, asked, prefix)
    is_told = told.position or told.detail  # over HTTP, some answers leave it out
    if is_told and detail is not None and told.detail != detail:
        raise Untrue(rule, f"{_said(told)} {told.detail!r}, and the log has {detail!r} there")


def _detail_of(index: Index, asked: Invoked, prefix: int) -> str | None:
    """What the answer says beside its word and its place; None where the log cannot tell."""
    match asked.command:
        case "reserve":
            return str(index.state.orders[asked.order_id].hold_until_ms)
        case "restock":
            return str(index.state.requests[asked.request_id].available)
        case "open":
            return str(index.moment(prefix).opens_ms)
        case _:
            return index.done[prefix].detail


def _carried_over(index: Index, asked: Invoked, told: Returned) -> int:
    """Where the same event stands in a later epoch; 0 if it does not."""
    prefix = event_of(index, asked)
    epoch = Position.parse(told.position).epoch
    return prefix if prefix and index.epoch_of(prefix) > epoch else 0


def _said(told: Returned) -> str:
    again = ", as before," if told.status else ""
    return f"it was answered {told.code}{again}{place(told)}"


def place(told: Returned) -> str:
    """Where an answer says that it was decided; HTTP does not tell."""
    return f" at {told.position}" if told.position else ""
