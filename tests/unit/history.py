"""Events, and short histories of a sale made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from flashsale.events import AnyEvent
from flashsale.events import types as t
from flashsale.ids import Position

Counters = tuple[int, int, int, int]

FIRST, SECOND = "0-first", "0-second"
OPENS, CLOSES = 100, 200


def at(events: Sequence[AnyEvent]) -> list[tuple[Position, AnyEvent]]:
    """The events at the places where a shard's first epoch has them."""
    return [(Position(1, i), event) for i, event in enumerate(events, start=1)]


def loaded(opens_ms: int = 0, closes_ms: int = 0) -> t.SaleLoaded:
    return t.SaleLoaded(1, 1, "x", opens_ms, closes_ms, 60)


def stocked(sku: str = "A", quantity: int = 5, limit: int = 3) -> t.StockLoaded:
    return t.StockLoaded(1, 1, "x", sku, quantity, limit, quantity, 0, 0, 0)


def added(counters: Counters, quantity: int = 2, request: str = "r-1", sku: str = "A") -> t.StockAdded:
    return t.StockAdded(1, 150, "x", request, sku, quantity, *counters)


def removed(counters: Counters, quantity: int = 2, request: str = "r-1") -> t.StockRemoved:
    return t.StockRemoved(1, 150, "x", request, "A", quantity, *counters)


def reconfigured(opens_ms: int, closes_ms: int) -> t.SaleReconfigured:
    return t.SaleReconfigured(1, 1, "x", opens_ms, closes_ms, 60)


def reserved(
    counters: Counters, quantity: int = 2, order: str = FIRST, *, at_ms: int = 150, sku: str = "A"
) -> t.OrderReserved:
    return t.OrderReserved(1, at_ms, "x", order, "ann", sku, quantity, *counters, at_ms + 60)


def confirmed(
    counters: Counters, quantity: int = 2, order: str = FIRST, *, late: bool = False
) -> t.OrderConfirmed:
    return t.OrderConfirmed(1, 160, "x", order, "ann", "A", quantity, *counters, late)


def cancelled(
    counters: Counters, quantity: int = 2, buyer: str = "ann", order: str = FIRST
) -> t.OrderCancelled:
    return t.OrderCancelled(1, 160, "x", order, buyer, "A", quantity, *counters)


def expired(counters: Counters, order: str = FIRST) -> t.OrderExpired:
    return t.OrderExpired(1, 160, "x", order, "ann", "A", 2, *counters)


def refund_due(counters: Counters) -> t.OrderRefundDue:
    return t.OrderRefundDue(1, 170, "x", FIRST, "ann", "A", 2, *counters)


def refunded(counters: Counters, units: str = "restock") -> t.OrderRefunded:
    return t.OrderRefunded(2, 170, "x", FIRST, "ann", "A", 2, *counters, units)  # type: ignore[arg-type]  # also what is none of the three ways


#: What the draw of a line is made from, and what is published of it before.
SEED = "5eed" * 16
COMMITMENT = hashlib.sha256(SEED.encode()).hexdigest()


def room_set(rate: int = 5, committed: str = COMMITMENT, message: str = "") -> t.SaleRoomSet:
    return t.SaleRoomSet(
        1, 1, "x", "open", rate, 10, 20, 30, shuffle=True, commitment=committed, message=message
    )


def drawn(count: int = 3, seed: str = SEED) -> t.SaleLineDrawn:
    return t.SaleLineDrawn(1, 1, "x", count, seed)


OPENED = t.SaleOpened(1, 1, "x", OPENS)
PAUSED = t.SalePaused(1, 1, "x")
RESUMED = t.SaleResumed(1, 1, "x")
CLOSED = t.SaleClosed(1, 1, "x")

WARM: list[AnyEvent] = [loaded(), stocked()]
OPEN: list[AnyEvent] = [*WARM, OPENED]
UNLIMITED: list[AnyEvent] = [loaded(), stocked(limit=0), OPENED]
HELD: list[AnyEvent] = [*OPEN, reserved((3, 2, 0, 0))]
PAID: list[AnyEvent] = [*HELD, confirmed((3, 0, 2, 0))]
CANCELLED: list[AnyEvent] = [*HELD, cancelled((5, 0, 0, 0))]
EXPIRED: list[AnyEvent] = [*HELD, expired((5, 0, 0, 0))]
LATE: list[AnyEvent] = [*EXPIRED, confirmed((3, 0, 2, 0), late=True)]
DUE: list[AnyEvent] = [*EXPIRED, refund_due((5, 0, 0, 0))]
DUE_AFTER_CANCEL: list[AnyEvent] = [*CANCELLED, refund_due((5, 0, 0, 0))]
RESTOCKED: list[AnyEvent] = [*PAID, refunded((5, 0, 0, 0))]
KEPT: list[AnyEvent] = [*PAID, refunded((3, 0, 0, 2), "keep")]
SETTLED: list[AnyEvent] = [*DUE, refunded((5, 0, 0, 0), "none")]
SETTLED_AFTER_CANCEL: list[AnyEvent] = [*DUE_AFTER_CANCEL, refunded((5, 0, 0, 0), "none")]
