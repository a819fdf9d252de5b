"""The meaning of an event: the state of one shard as a fold of its log, with the promise checked at every step.

`evolve` knows no clock, socket or table; the same function is the oracle of the Lua scripts in tests, of `reconcile`,
of `verify` and of the demo. An event that does not fit raises `InvariantBroken`: a log that does not add up is never
folded on.
"""

from __future__ import annotations

from collections.abc import Iterable

from flashsale.events import types as t
from flashsale.events.room import evolve_room
from flashsale.events.state import InvariantBroken, Order, Restocked, ShardState, Stock, Tell
from flashsale.ids import START, Position


def fold(events: Iterable[tuple[Position, t.AnyEvent]], state: ShardState | None = None) -> ShardState:
    """Apply events in order. `state`, where given, is consumed: use only what is returned."""
    state = ShardState() if state is None else state
    for position, event in events:
        state = evolve(state, position, event)
    return state


def _refuse(broken: InvariantBroken) -> None:
    raise broken


def evolve(state: ShardState, position: Position, event: t.AnyEvent, tell: Tell = _refuse) -> ShardState:
    """The state after one more event. `state` is consumed: a fold of a million events must not copy it each time.

    Raises `InvariantBroken` when the event does not follow: a gap, a status it cannot come from, counters that differ.
    What was done is told by the event itself, so counters that differ, a limit or a window that was not kept need not
    stop an auditor: these go to `tell`, and the state adds up what was done.
    """
    if not continues(state.position, position, event):
        raise InvariantBroken("U4", position, f"it does not follow {state.position}")
    if isinstance(event, t.OrderEvent):
        _evolve_order(state, position, event, tell)
    elif isinstance(event, t.StockLoaded | t.StockAdded | t.StockRemoved):
        _evolve_stock(state, position, event, tell)
    else:
        _evolve_sale(state, position, event, tell)
    state.position = position
    return state


def continues(before: Position, position: Position, event: t.AnyEvent) -> bool:
    """Whether an event at this position is the next one: no gap, and an epoch that was founded on all that came before.

    A log begins in epoch 1, or later when an earlier one was lost before anybody had stored an event of it.
    """
    if before.precedes(position):
        return not isinstance(event, t.EpochStarted)
    if position.epoch <= before.epoch or position.seq != 1:
        return False
    if isinstance(event, t.EpochStarted):
        return before == Position(event.previous_epoch, event.previous_seq) != START
    return before == START and isinstance(event, t.SaleLoaded)


_FROM: dict[type[t.Event], set[str]] = {
    t.SaleLoaded: {""},
    t.SaleOpened: {"warm"},
    t.SalePaused: {"warm", "open"},
    t.SaleResumed: {"paused"},
    t.SaleLineDrawn: {"warm", "open"},
    **{kind: {"warm", "open", "paused"} for kind in (t.SaleClosed, t.SaleReconfigured, t.SaleRoomSet)},
}
_TO = {
    t.SaleLoaded: "warm",
    t.SaleOpened: "open",
    t.SalePaused: "paused",
    t.SaleResumed: "open",
    t.SaleClosed: "closed",
}


def _evolve_sale(state: ShardState, position: Position, event: t.AnyEvent, tell: Tell) -> None:
    if isinstance(event, t.EpochStarted):
        return
    if state.status not in _FROM[type(event)]:
        tell(InvariantBroken("S1", position, f"{t.type_name(event)} while {state.status or 'empty'}"))
    if isinstance(event, t.SaleOpened | t.SalePaused | t.SaleResumed):
        _require_time_left(state, position, event, tell)
    if isinstance(event, t.SaleOpened):
        state.opens_ms = event.opens_ms
    elif isinstance(event, t.SaleLoaded | t.SaleReconfigured):
        state.opens_ms, state.closes_ms, state.hold_ms = event.opens_ms, event.closes_ms, event.hold_ms
    elif isinstance(event, t.SaleRoomSet | t.SaleLineDrawn):
        evolve_room(state, position, event, tell)
    if isinstance(event, t.SaleReconfigured):
        for sku, limit in event.limits:
            _stock_of(state, position, sku).limit = limit
    state.status = _TO.get(type(event), state.status)


def _require_time_left(state: ShardState, position: Position, event: t.AnyEvent, tell: Tell) -> None:
    """A sale whose closing time has passed is only closed for good, or given another window."""
    if 0 < state.closes_ms <= event.at_ms:
        told = f"{t.type_name(event)} at {event.at_ms}, after its closing time {state.closes_ms}"
        tell(InvariantBroken("S1", position, told))


def _evolve_stock(
    state: ShardState, position: Position, event: t.StockLoaded | t.StockAdded | t.StockRemoved, tell: Tell
) -> None:
    if isinstance(event, t.StockLoaded):
        _require("U1", position, event.sku not in state.stock, f"{event.sku} was loaded before")
        stock = Stock(event.quantity, 0, 0, 0, event.limit, event.quantity)
        state.stock[event.sku] = stock
    else:
        _require(
            "U1",
            position,
            event.request_id not in state.requests,
            f"restock {event.request_id} was done before",
        )
        _require_time_left(state, position, event, tell)
        stock = _stock_of(state, position, event.sku)
        is_added = isinstance(event, t.StockAdded)
        delta = event.quantity if is_added else -event.quantity
        stock.available += delta
        stock.capacity += delta
        state.requests[event.request_id] = Restocked(
            "add" if is_added else "remove", event.sku, event.quantity, position, stock.available
        )
    _check_counters(position, event, stock, tell)


def _evolve_order(state: ShardState, position: Position, event: t.OrderEvent, tell: Tell) -> None:
    stock = _stock_of(state, position, event.sku)
    if isinstance(event, t.OrderReserved):
        _reserve(state, position, event, stock, tell)
    else:
        order = state.orders.get(event.order_id)
        if order is None:
            raise InvariantBroken("U2", position, f"order {event.order_id} was never reserved")
        same = (order.sku, order.quantity, order.buyer) == (event.sku, event.quantity, event.buyer)
        _require("U2", position, same, f"order {event.order_id} has another content")
        _resolve(state, position, event, order, tell)
        order.changed_at, order.how = position, _how(event)
    _check_counters(position, event, stock, tell)


def _reserve(state: ShardState, position: Position, event: t.OrderReserved, stock: Stock, tell: Tell) -> None:
    _require(
        "U1", position, event.order_id not in state.orders, f"order {event.order_id} was reserved before"
    )
    by_clock = state.status == "warm" and state.opens_ms > 0
    if state.status != "open" and not by_clock:
        tell(InvariantBroken("W1", position, f"a reservation while {state.status or 'empty'}"))
    in_window = state.opens_ms <= event.at_ms and (state.closes_ms == 0 or event.at_ms < state.closes_ms)
    if not in_window:
        tell(InvariantBroken("W1", position, f"a reservation at {event.at_ms}, outside the sale's window"))
    stock.available -= event.quantity
    stock.held += event.quantity
    _add_units(state, position, event, tell)
    state.orders[event.order_id] = Order(
        "held", event.sku, event.quantity, event.buyer, event.hold_until_ms, position, position
    )


def _resolve(state: ShardState, position: Position, event: t.OrderEvent, order: Order, tell: Tell) -> None:
    """What follows a reservation: each hold resolves once."""
    before, quantity, stock = order.status, event.quantity, state.stock[event.sku]
    match event:
        case t.OrderConfirmed(late=False):
            allowed, order.status = before == "held", "confirmed"
            stock.held -= quantity
            stock.sold += quantity
        case t.OrderConfirmed():
            allowed, order.status = before == "expired", "confirmed"
            stock.available -= quantity
            stock.sold += quantity
            _add_units(state, position, event, tell)
        case t.OrderCancelled() | t.OrderExpired():
            allowed = before == "held"
            order.status = "cancelled" if isinstance(event, t.OrderCancelled) else "expired"
            stock.held -= quantity
            stock.available += quantity
            _take_units(state, position, event)
        case t.OrderRefundDue():
            allowed, order.status = before in ("expired", "cancelled"), "refund_due"
        case t.OrderRefunded(units="none"):
            allowed, order.status = before == "refund_due", "refunded"
        case t.OrderRefunded():
            allowed, order.status = before == "confirmed", "refunded"
            stock.sold -= quantity
            if event.units == "restock":
                stock.available += quantity
            else:
                stock.returned += quantity
            _take_units(state, position, event)
        case _:
            raise InvariantBroken("U2", position, f"{t.type_name(event)} is no event of an order")
    _require("U2", position, allowed, f"{t.type_name(event)} of order {event.order_id}, which is {before}")


def _how(event: t.OrderEvent) -> str:
    """What the order's record keeps of this event, beside its status."""
    if isinstance(event, t.OrderConfirmed):
        return "late" if event.late else ""
    return event.units if isinstance(event, t.OrderRefunded) else ""


def _add_units(state: ShardState, position: Position, event: t.OrderEvent, tell: Tell) -> None:
    holder = (event.buyer, event.sku)
    mine, limit = state.units.get(holder, 0) + event.quantity, state.stock[event.sku].limit
    if 0 < limit < mine:
        tell(InvariantBroken("P1", position, f"{event.buyer} has {mine} units of {event.sku}, limit {limit}"))
    state.units[holder] = mine


def _take_units(state: ShardState, position: Position, event: t.OrderEvent) -> None:
    holder = (event.buyer, event.sku)
    mine = state.units.pop(holder, 0) - event.quantity
    _require("I3", position, mine >= 0, f"{event.buyer} gives back more of {event.sku} than they have")
    if mine:
        state.units[holder] = mine


def _stock_of(state: ShardState, position: Position, sku: str) -> Stock:
    stock = state.stock.get(sku)
    if stock is None:
        raise InvariantBroken("S1", position, f"SKU {sku} was never loaded")
    return stock


def _check_counters(
    position: Position,
    event: t.OrderEvent | t.StockLoaded | t.StockAdded | t.StockRemoved,
    stock: Stock,
    tell: Tell,
) -> None:
    folded = (stock.available, stock.held, stock.sold, stock.returned)
    told = (event.available, event.held, event.sold, event.returned)
    if folded != told:
        tell(InvariantBroken("I1", position, f"{event.sku} says {told}, the log adds up to {folded}"))
    if min(folded) < 0:
        tell(InvariantBroken("I2", position, f"{event.sku} went below zero: {folded}"))
    if sum(folded) != stock.capacity:
        tell(InvariantBroken("I1", position, f"{event.sku}: {folded} is not {stock.capacity} units"))


def _require(rule: str, position: Position, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise InvariantBroken(rule, position, otherwise)
