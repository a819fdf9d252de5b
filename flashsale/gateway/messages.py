"""What is said over HTTP, in JSON. The OpenAPI document is made of these types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from flashsale import ids

Sku = Annotated[str, Meta(pattern=f"^{ids.SKU.pattern}$", max_length=64, description="what is sold")]
OrderId = Annotated[str, Meta(pattern=f"^{ids.ORDER_ID.pattern}$", description="id of the order")]
TimeMs = Annotated[int, Meta(ge=0, description="Unix time in milliseconds; 0: none")]


class PlaceOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Hold units for the buyer who asks."""

    sku: Sku
    quantity: Annotated[
        int,
        Meta(ge=1, le=ids.QUANTITY_MAX, description="a whole number, written without a point: 1, not 1.0"),
    ] = 1


class RefundOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """The money of an order goes back."""

    #: whether the units are sold again
    units: Annotated[
        Literal["restock", "keep"], Meta(description="restock: the units are sold again; keep: they are not")
    ] = "restock"


class PlacedOrder(Struct, frozen=True):
    """The order that holds the units."""

    sale: str
    order: OrderId
    sku: Sku
    quantity: int
    status: Annotated[
        str, Meta(description="held; of a repeat, what the order is by now", examples=["held", "confirmed"])
    ]
    hold_until_ms: TimeMs


class OrderState(Struct, frozen=True):
    """An order as it is now."""

    sale: str
    order: OrderId
    buyer: str
    sku: Sku
    quantity: int
    status: Annotated[
        str,
        Meta(description="held, confirmed, cancelled, expired, refund_due or refunded", examples=["held"]),
    ]
    hold_until_ms: TimeMs


class ChangedOrder(Struct, frozen=True):
    """What became of an order."""

    sale: str
    order: OrderId
    status: Annotated[str, Meta(description="what the order is now", examples=["confirmed"])]
    repeated: Annotated[bool, Meta(description="this had been done before: it is the same answer again")]


class ItemState(Struct, frozen=True):
    """One SKU of a sale."""

    sku: Sku
    title: str
    unit_price_minor: Annotated[int, Meta(ge=0, description="in the currency's smallest unit")]
    available: Annotated[int, Meta(ge=0, description="units that can be ordered now")]
    limit: Annotated[int, Meta(ge=0, description="units one buyer may hold or own; 0: no limit")]


class SaleState(Struct, frozen=True, kw_only=True):
    """A sale as everybody may see it."""

    sale: str
    title: str
    currency: str
    state: Annotated[
        str,
        Meta(
            description="defined, warm, scheduled, open, paused, closed, archived or halted",
            examples=["scheduled", "open"],
        ),
    ]
    opens_ms: TimeMs
    closes_ms: TimeMs
    hold_ms: Annotated[int, Meta(ge=0, description="how long an unpaid order keeps its units")]
    items: list[ItemState]
    poll_after_ms: Annotated[int, Meta(ge=0, description="ask again after so long, not before")]
    server_time_ms: Annotated[
        TimeMs, Meta(description="when this was true, by the clock that opens the sale")
    ]


class Health(Struct, frozen=True):
    """How this gateway is."""

    status: Annotated[str, Meta(examples=["ok"])]
