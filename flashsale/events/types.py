"""The events of a sale's log: what each says, and its version.

An event is one JSON array in the stream field `e`: type, version, then the fields below in this order. Arrays keep an
entry near 120 bytes; `flashsale events show` prints the names. Fields are only ever added at the end; a reader ignores
those it does not know. The place (epoch, seq) is the id of the stream entry. Times are milliseconds of Redis's clock.

Each class carries `VERSION`, the version that its fields describe; older ones are lifted by
`flashsale.events.upcasters`. docs/events.md lists every type for people.
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

import msgspec


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What every event says."""

    VERSION: ClassVar[int] = 1

    v: int
    at_ms: int
    #: who asked: a client's name, `sweeper`, an operator
    by: str


class SaleLoaded(Event, frozen=True, array_like=True, tag="sale.loaded", gc=False):
    """The sale was warmed; the log begins."""

    #: 0: a person opens it
    opens_ms: int
    #: 0: a person closes it
    closes_ms: int
    hold_ms: int


class SaleOpened(Event, frozen=True, array_like=True, tag="sale.opened", gc=False):
    opens_ms: int


class SalePaused(Event, frozen=True, array_like=True, tag="sale.paused", gc=False):
    pass


class SaleResumed(Event, frozen=True, array_like=True, tag="sale.resumed", gc=False):
    pass


class SaleClosed(Event, frozen=True, array_like=True, tag="sale.closed", gc=False):
    pass


class SaleReconfigured(Event, frozen=True, array_like=True, tag="sale.reconfigured", gc=False):
    opens_ms: int
    closes_ms: int
    hold_ms: int
    #: (SKU, units one buyer may hold or own) for each limit that changed
    limits: tuple[tuple[str, int], ...] = ()


class SaleRoomSet(Event, frozen=True, array_like=True, tag="sale.room_set", gc=False):
    """The sale has a waiting room, with these settings; those of an earlier event are gone."""

    #: open, queue-all or pass-through
    mode: str
    rate_per_s: int
    active_max: int
    pass_ttl_ms: int
    leave_after_ms: int
    shuffle: bool
    #: SHA-256 of the seed that the line will be drawn with
    commitment: str
    #: of the operator, for all who wait; may be empty
    message: str


class SaleLineDrawn(Event, frozen=True, array_like=True, tag="sale.line_drawn", gc=False):
    """The sale is open, and those who had come before have their places."""

    #: tickets whose places were drawn by lot; 0: none, places are the tickets
    drawn: int
    #: what was committed to; empty: Redis had lost it, and nothing was drawn
    seed: str


class StockLoaded(Event, frozen=True, array_like=True, tag="stock.loaded", gc=False):
    sku: str
    quantity: int
    #: units one buyer may hold or own; 0: no limit
    limit: int
    available: int
    held: int
    sold: int
    returned: int


class StockAdded(Event, frozen=True, array_like=True, tag="stock.added", gc=False):
    request_id: str
    sku: str
    quantity: int
    available: int
    held: int
    sold: int
    returned: int


class StockRemoved(Event, frozen=True, array_like=True, tag="stock.removed", gc=False):
    request_id: str
    sku: str
    quantity: int
    available: int
    held: int
    sold: int
    returned: int


class OrderEvent(Event, frozen=True, array_like=True, gc=False):
    """What every event of an order says; the counters are those of its SKU after the step."""

    order_id: str
    buyer: str
    sku: str
    quantity: int
    available: int
    held: int
    sold: int
    returned: int


class OrderReserved(OrderEvent, frozen=True, array_like=True, tag="order.reserved", gc=False):
    hold_until_ms: int


class OrderConfirmed(OrderEvent, frozen=True, array_like=True, tag="order.confirmed", gc=False):
    #: paid after the hold had expired; the units were taken again
    late: bool


class OrderCancelled(OrderEvent, frozen=True, array_like=True, tag="order.cancelled", gc=False):
    pass


class OrderExpired(OrderEvent, frozen=True, array_like=True, tag="order.expired", gc=False):
    pass


class OrderRefundDue(OrderEvent, frozen=True, array_like=True, tag="order.refund_due", gc=False):
    """Paid after the hold had expired, and nothing was left; or paid after the buyer had cancelled.

    The counters did not move; the money must go back.
    """


class OrderRefunded(OrderEvent, frozen=True, array_like=True, tag="order.refunded", gc=False):
    """Version 1 had no `units`: every refund put them back on sale."""

    VERSION: ClassVar[int] = 2

    #: where the units went: on sale again, out of the sale, or none were held (a due refund was settled)
    units: Literal["restock", "keep", "none"]


class EpochStarted(Event, frozen=True, array_like=True, tag="epoch.started", gc=False):
    """The log was founded anew after a loss; it continues from this position of the epoch before."""

    previous_epoch: int
    previous_seq: int


AnyEvent = (
    SaleLoaded
    | SaleOpened
    | SalePaused
    | SaleResumed
    | SaleClosed
    | SaleReconfigured
    | SaleRoomSet
    | SaleLineDrawn
    | StockLoaded
    | StockAdded
    | StockRemoved
    | OrderReserved
    | OrderConfirmed
    | OrderCancelled
    | OrderExpired
    | OrderRefundDue
    | OrderRefunded
    | EpochStarted
)

#: type name in the log → class
EVENT_TYPES: dict[str, type[Event]] = {str(cls.__struct_config__.tag): cls for cls in get_args(AnyEvent)}


def type_name(event: Event) -> str:
    """The type as it stands in the log: `order.reserved`."""
    return str(event.__struct_config__.tag)
