"""Tell as events what only Redis's records still say of orders and restocks: the log that said it is gone.

A record keeps where its order stands, not how it came there: the shortest way that leads there is told. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from flashsale.commands import Snapshot
from flashsale.events import AnyEvent, Order, Room, ShardState
from flashsale.events import types as t
from flashsale.ids import Position
from flashsale.stream import Entry

BY = "recover"


def remains(
    snapshot: Snapshot,
    state: ShardState,
    branch: Iterable[tuple[Position, AnyEvent]],
    *,
    common: Position,
    checkpoint: Position,
    entries: Sequence[Entry],
) -> list[tuple[Position, AnyEvent]]:
    """Events for the records whose own events are in neither log, in the order of their positions.

    `state` is the fold of what both logs agree on, up to `common` at least, and of the archive, up to `checkpoint`.
    """
    in_log = {entry.position for entry in entries}
    told = {event.order_id for _, event in branch if isinstance(event, t.OrderReserved)}
    found: list[tuple[Position, AnyEvent]] = []
    for order_id, order in snapshot.state.orders.items():
        if order.changed_at <= common or order.changed_at in in_log:
            continue
        known = order_id in state.orders
        if known and order.changed_at <= checkpoint:
            continue  # as far as Redis ever came with it, the archive came, too
        if not known and order_id not in told:
            found.append((order.reserved_at, _reserved(snapshot, state, order_id, order)))
        found += ((order.changed_at, event) for event in _way_to(snapshot.now_ms, order_id, order))
    for request_id, done in snapshot.state.requests.items():
        if done.position > common and done.position not in in_log and request_id not in state.requests:
            kind = t.StockAdded if done.direction == "add" else t.StockRemoved
            event = kind(1, snapshot.now_ms, BY, request_id, done.sku, done.quantity, 0, 0, 0, 0)
            found.append((done.position, event))
    found.sort(key=lambda item: item[0])
    hot = snapshot.state
    if hot.position > common and hot.position not in in_log:
        first, last = _of_the_sale(snapshot, state)
        found = [*((common, event) for event in first), *found, *((hot.position, event) for event in last)]
    return found


def _of_the_sale(snapshot: Snapshot, state: ShardState) -> tuple[list[AnyEvent], list[AnyEvent]]:
    """What was done to the sale itself: what must come before its orders, and what ended their being taken."""
    hot, said = snapshot.state, (snapshot.now_ms, BY)
    limits = tuple(
        (sku, one.limit) for sku, one in hot.stock.items() if not _has_limit(state, sku, one.limit)
    )
    first: list[AnyEvent] = []
    last: list[AnyEvent] = []
    status, windows = (
        state.status or "warm",
        [(one.opens_ms, one.closes_ms, one.hold_ms) for one in (hot, state)],
    )
    if state.status and (limits or windows[0] != windows[1]):
        first.append(t.SaleReconfigured(1, *said, *windows[0], limits))
    first += _of_the_room(hot.room, state.room, said)
    if hot.status == status:
        return first, last
    if status == "warm":
        first.append(t.SaleOpened(1, *said, hot.opens_ms))
    elif status == "paused" and hot.status == "open":
        first.append(t.SaleResumed(1, *said))
    if hot.status == "paused":
        last.append(t.SalePaused(1, *said))
    elif hot.status == "closed":
        last.append(t.SaleClosed(1, *said))
    return first, last


def _of_the_room(hot: Room | None, told: Room | None, said: tuple[int, str]) -> list[AnyEvent]:
    if hot is None:
        return []
    found: list[AnyEvent] = []
    drawn = None if told is None else told.drawn
    if told is None or structs.replace(hot, drawn=told.drawn, seed=told.seed) != told:
        settings = structs.astuple(hot)[:8]
        found.append(t.SaleRoomSet(1, *said, *settings))
    if hot.drawn is not None and drawn is None:
        found.append(t.SaleLineDrawn(1, *said, hot.drawn, hot.seed))
    return found


def _has_limit(state: ShardState, sku: str, limit: int) -> bool:
    return sku not in state.stock or state.stock[sku].limit == limit


def _reserved(snapshot: Snapshot, state: ShardState, order_id: str, order: Order) -> t.OrderReserved:
    # When it was made is not kept; its hold began then, within the window.
    window = snapshot.state if snapshot.is_loaded else state
    at_ms = max(order.hold_until_ms - window.hold_ms, window.opens_ms)
    if window.closes_ms:
        at_ms = min(at_ms, window.closes_ms - 1)
    return t.OrderReserved(
        1, at_ms, BY, order_id, order.buyer, order.sku, order.quantity, 0, 0, 0, 0, order.hold_until_ms
    )


def _way_to(now_ms: int, order_id: str, order: Order) -> list[AnyEvent]:
    """From a hold to the order's status."""
    said = (now_ms, BY, order_id, order.buyer, order.sku, order.quantity, 0, 0, 0, 0)
    paid, expired = t.OrderConfirmed(1, *said, late=False), t.OrderExpired(1, *said)
    due, back = t.OrderRefundDue(1, *said), t.OrderRefunded
    ways: dict[str, list[AnyEvent]] = {
        "confirmed": [paid],
        "cancelled": [t.OrderCancelled(1, *said)],
        "expired": [expired],
        "refund_due": [expired, due],
        "refunded": [paid, back(2, *said, units="keep" if order.how == "keep" else "restock")],
    }
    if order.status == "refunded" and order.how == "none":
        return [expired, due, back(2, *said, units="none")]
    return ways.get(order.status, [])
