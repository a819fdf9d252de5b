"""Carry over what only a surviving Redis has: the same purchases, decided once more behind everything Postgres has.

A log that lost its tail and was written on has two histories behind one place. Postgres wins, because its buyers were
told yes first; the events of the other branch are decided again on top, in their order, and get new positions and
counters. What does not fit any more is left out, by name: an operator must know which promise cannot be kept. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from flashsale.events import AnyEvent, InvariantBroken, OrderEvent, ShardState, evolve, type_name
from flashsale.events import types as t
from flashsale.ids import Position


class LeftOut(msgspec.Struct):
    """Something that was acknowledged in the other branch and cannot be kept."""

    #: its place in the other branch
    position: Position
    type: str
    reason: str
    order_id: str = ""
    buyer: str = ""
    sku: str = ""
    quantity: int = 0
    #: its buyer has paid
    paid: bool = False


class Union(msgspec.Struct):
    """What became of a branch."""

    state: ShardState
    #: the events that are carried over, at their new positions
    log: list[tuple[Position, AnyEvent]] = msgspec.field(default_factory=list)
    #: newest first
    left_out: list[LeftOut] = msgspec.field(default_factory=list)


class _DoesNotFit(Exception):
    """Why an event cannot be decided once more."""


def carry_over(state: ShardState, branch: Iterable[tuple[Position, AnyEvent]]) -> Union:
    """Decide the events of a branch again behind `state`, which is consumed and has begun its new epoch."""
    union = Union(state)
    gone: dict[str, LeftOut] = {}
    for position, event in branch:
        if isinstance(event, t.OrderEvent) and event.order_id in gone:
            # What follows a reservation that is left out goes with it; that money was taken must be told.
            left = gone[event.order_id]
            left.paid = not isinstance(event, t.OrderRefunded) and (left.paid or _is_payment(event))
            continue
        try:
            before = _status(union.state, event)
            made = _decide(union.state, event)
            if made is not None:
                place = Position(union.state.position.epoch, union.state.position.seq + 1)
                union.state = evolve(union.state, place, made)
                union.log.append((place, made))
            if isinstance(event, t.OrderConfirmed) and isinstance(made, t.OrderRefundDue):
                # The money is recorded. The promise is broken all the same.
                reason = f"the order is {before} in Postgres: a refund is due"
                union.left_out.append(_left_out(position, event, reason))
        except (_DoesNotFit, InvariantBroken) as error:
            union.left_out.append(_left_out(position, event, str(error)))
            if isinstance(event, t.OrderReserved):
                gone[event.order_id] = union.left_out[-1]
    union.left_out.reverse()
    return union


def _status(state: ShardState, event: AnyEvent) -> str:
    order = state.orders.get(event.order_id) if isinstance(event, t.OrderEvent) else None
    return order.status if order else ""


def _is_payment(event: t.Event) -> bool:
    return isinstance(event, t.OrderConfirmed | t.OrderRefundDue)


def _decide(state: ShardState, event: AnyEvent) -> AnyEvent | None:
    """The event to write instead; None when both branches have it. Raises `_DoesNotFit` before anything is changed."""
    if isinstance(event, t.OrderReserved):
        return _reserve(state, event)
    if isinstance(event, t.OrderEvent):
        return _resolve(state, event)
    if isinstance(event, t.StockAdded | t.StockRemoved):
        return _restock(state, event)
    if isinstance(event, t.EpochStarted):
        return None
    if isinstance(event, t.SaleLoaded | t.StockLoaded):
        raise _DoesNotFit("it was warmed a second time")
    if isinstance(event, t.SaleReconfigured) and not {sku for sku, _ in event.limits} <= state.stock.keys():
        raise _DoesNotFit("it limits what the sale does not have")
    if isinstance(event, t.SaleRoomSet | t.SaleLineDrawn):
        return _arrange(state, event)
    already = {t.SaleOpened: "open", t.SalePaused: "paused", t.SaleResumed: "open", t.SaleClosed: "closed"}
    return None if already.get(type(event)) == state.status else event


def _arrange(state: ShardState, event: t.SaleRoomSet | t.SaleLineDrawn) -> AnyEvent | None:
    """The line is drawn once; what was drawn, and from which seed, stays as Postgres has it."""
    room = state.room
    if isinstance(event, t.SaleLineDrawn):
        return None if room is not None and room.drawn is not None else event
    if room is None or room.drawn is None:
        return event
    return msgspec.structs.replace(event, commitment=room.commitment)


def _reserve(state: ShardState, event: t.OrderReserved) -> AnyEvent | None:
    known, stock = state.orders.get(event.order_id), state.stock.get(event.sku)
    if known is not None:
        if (known.sku, known.quantity, known.buyer) == (event.sku, event.quantity, event.buyer):
            return None
        raise _DoesNotFit("its id belongs to another order in Postgres")
    if stock is None:
        raise _DoesNotFit(f"the sale has no {event.sku}")
    if stock.available < event.quantity:
        raise _DoesNotFit(f"oversold: {stock.available} of {event.sku} left")
    mine = state.units.get((event.buyer, event.sku), 0)
    if stock.limit and mine + event.quantity > stock.limit:
        raise _DoesNotFit(f"its buyer has {mine} of {event.sku} in Postgres, the limit is {stock.limit}")
    if state.status not in ("open", "warm"):
        raise _DoesNotFit(f"the sale was {state.status}")
    return _counted(state, event, available=-event.quantity, held=event.quantity)


def _resolve(state: ShardState, event: OrderEvent) -> AnyEvent | None:
    order = state.orders.get(event.order_id)
    if order is None:
        raise _DoesNotFit("its reservation is in neither log")
    status, n = order.status, event.quantity
    if _is_payment(event):
        return _pay(state, event, status)
    if isinstance(event, t.OrderCancelled | t.OrderExpired):
        if status == "held":
            return _counted(state, event, available=n, held=-n)
        # Paid in one branch and expired in the other: the payment wins. Cancelled by the buyer: somebody must decide.
        if isinstance(event, t.OrderExpired) or status in ("cancelled", "expired"):
            return None
    if isinstance(event, t.OrderRefunded):
        if status == "refunded":
            return None
        if status == "confirmed":
            back = "available" if event.units == "restock" else "returned"
            units = event.units if event.units != "none" else "keep"
            return _counted(state, msgspec.structs.replace(event, units=units), sold=-n, **{back: n})
        if status == "refund_due":
            return _counted(state, msgspec.structs.replace(event, units="none"))
    raise _DoesNotFit(f"the order is {status} in Postgres")


def _pay(state: ShardState, event: OrderEvent, status: str) -> AnyEvent | None:
    """Money was taken: it is recorded whatever became of the order."""
    n, stock = event.quantity, state.stock[event.sku]
    if status in ("confirmed", "refund_due"):
        return None
    paid = (event.v, event.at_ms, event.by, event.order_id, event.buyer, event.sku, n, 0, 0, 0, 0)
    if status == "held":
        return _counted(state, t.OrderConfirmed(*paid, late=False), held=-n, sold=n)
    mine = state.units.get((event.buyer, event.sku), 0)
    fits = stock.available >= n and (stock.limit == 0 or mine + n <= stock.limit)
    # Who was told that a refund is due gets it: somebody may have paid it back already.
    if status == "expired" and fits and isinstance(event, t.OrderConfirmed):
        return _counted(state, t.OrderConfirmed(*paid, late=True), available=-n, sold=n)
    if status in ("expired", "cancelled"):
        return _counted(state, t.OrderRefundDue(*paid))
    raise _DoesNotFit(f"the order is {status} in Postgres")


def _restock(state: ShardState, event: t.StockAdded | t.StockRemoved) -> AnyEvent | None:
    direction = "add" if isinstance(event, t.StockAdded) else "remove"
    done = state.requests.get(event.request_id)
    if done is not None:
        if (done.direction, done.sku, done.quantity) == (direction, event.sku, event.quantity):
            return None
        raise _DoesNotFit("its id belongs to another restock in Postgres")
    stock = state.stock.get(event.sku)
    if stock is None:
        raise _DoesNotFit(f"the sale has no {event.sku}")
    delta = event.quantity if direction == "add" else -event.quantity
    if stock.available + delta < 0:
        raise _DoesNotFit(f"only {stock.available} of {event.sku} are unsold")
    return _counted(state, event, available=delta)


def _counted(
    state: ShardState,
    event: OrderEvent | t.StockAdded | t.StockRemoved,
    *,
    available: int = 0,
    held: int = 0,
    sold: int = 0,
    returned: int = 0,
) -> AnyEvent:
    """The event with the counters of its SKU after these steps."""
    stock = state.stock[event.sku]
    made: AnyEvent = msgspec.structs.replace(  # type: ignore[assignment]  # it stays what it was
        event,
        available=stock.available + available,
        held=stock.held + held,
        sold=stock.sold + sold,
        returned=stock.returned + returned,
    )
    return made


def _left_out(position: Position, event: AnyEvent, reason: str) -> LeftOut:
    left = LeftOut(position, type_name(event), reason)
    if isinstance(event, t.OrderEvent):
        left.order_id, left.buyer, left.sku, left.quantity = (
            event.order_id,
            event.buyer,
            event.sku,
            event.quantity,
        )
        left.paid = _is_payment(event)
    elif isinstance(event, t.StockAdded | t.StockRemoved):
        left.sku, left.quantity = event.sku, event.quantity
    return left
