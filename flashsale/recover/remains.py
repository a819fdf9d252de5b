"""Tell as events what only Redis's records still say of orders and restocks: the log that said it is gone.

A record keeps where its order stands, not how it came there: the shortest way that leads there is told. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flashsale.commands import Snapshot
from flashsale.events import AnyEvent, Order, ShardState
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
    return sorted(found, key=lambda item: item[0])


def _reserved(snapshot: Snapshot, state: ShardState, order_id: str, order: Order) -> t.OrderReserved:
    # When it was made is not kept; its hold began then.
    at_ms = max(order.hold_until_ms - (snapshot.state.hold_ms or state.hold_ms), state.opens_ms)
    if state.closes_ms:
        at_ms = min(at_ms, state.closes_ms - 1)
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
