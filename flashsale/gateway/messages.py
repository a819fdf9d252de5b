"""What is said over HTTP, in JSON. The OpenAPI document is made of these types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

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


class Room(Struct, frozen=True, kw_only=True):
    """The waiting room of a sale, as everybody may see it."""

    mode: Annotated[
        str,
        Meta(
            description="open: lets in at its rate; queue-all: everybody waits; pass-through: nobody does",
            examples=["open"],
        ),
    ]
    now_serving: Annotated[int, Meta(ge=0, description="places below it have been called: ask for your pass")]
    waiting: Annotated[int, Meta(ge=0, description="people in the line, those who left in silence included")]
    message: Annotated[str, Meta(description="what the shop says to those who wait; empty: nothing")]
    commitment: Annotated[str, Meta(description="SHA-256 of the seed that shuffles the pre-queue, in hex")]
    drawn: Annotated[
        int | None, Meta(description="how many joined before the opening, and were shuffled; null: not yet")
    ]
    seed: Annotated[str | None, Meta(description="that seed, in hex, when it has been used; null: not yet")]


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
    available_max: Annotated[
        int | None,
        Meta(description="of more units than so many, this number is told as available; null: of none"),
    ] = None
    room: Annotated[Room | None, Meta(description="its waiting room; null: it has none")] = None
    poll_after_ms: Annotated[int, Meta(ge=0, description="ask again after so long, not before")]
    server_time_ms: Annotated[
        TimeMs, Meta(description="when this was true, by the clock that opens the sale")
    ]


class QueueState(Struct, frozen=True, kw_only=True):
    """How one buyer stands in the waiting room of a sale."""

    sale: str
    state: Annotated[
        Literal["no_room", "waiting", "admitted"],
        Meta(description="no_room: nobody waits, order at once; admitted: order with the pass"),
    ]
    ticket: Annotated[int | None, Meta(description="number of joining, from 0; it stays while one waits")] = (
        None
    )
    place: Annotated[
        int | None, Meta(description="in the line, from 0; null: the line is shuffled when the sale opens")
    ] = None
    ahead: Annotated[
        int | None, Meta(description="people ahead, at most: some of them may have left; null: see place")
    ] = None
    wait_min_ms: Annotated[int | None, Meta(description="so long at the least; null: unknown")] = None
    wait_max_ms: Annotated[int | None, Meta(description="so long at the most; null: unknown")] = None
    chance: Annotated[
        Literal["good", "uncertain", "none"] | None,
        Meta(description="none: those ahead are enough to take what is left, even if all holds came back"),
    ] = None
    message: Annotated[str, Meta(description="what the shop says to those who wait; empty: nothing")] = ""
    poll_after_ms: Annotated[int, Meta(ge=0, description="ask how it stands after so long, not before")]
    heartbeat_after_ms: Annotated[
        int | None, Meta(description="join again after so long, to keep the place; null: nothing to keep")
    ] = None
    pass_: Annotated[
        str | None,
        Meta(description="send it with the order, as Flashsale-Pass; null: none, or none is needed"),
    ] = field(default=None, name="pass")
    pass_expires_ms: Annotated[TimeMs | None, Meta(description="until then the pass is good")] = None


class LeftQueue(Struct, frozen=True):
    """Whoever has left does not wait any more, and has no pass."""

    sale: str
    state: Literal["left"] = "left"


class Health(Struct, frozen=True):
    """How this gateway is."""

    status: Annotated[str, Meta(examples=["ok"])]
