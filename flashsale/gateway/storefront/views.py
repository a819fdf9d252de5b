"""What a page shows: decided here, from what the API told. The templates only say it. Pure."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from flashsale.gateway.messages import ItemState, OrderState, QueueState, SaleState
from flashsale.gateway.storefront.purchases import Purchases
from flashsale.gateway.storefront.stories import Step

SaleKind = Literal[
    "soon", "open", "waiting", "called", "out_for_you", "sold_out", "paused", "closed", "halted", "left"
]

#: How often a page asks how an order stands: what few people look at, and for a few minutes.
ORDER_MS = 3_000
#: A browser without scripts loads the page so often at most.
RELOAD_S_MIN = 2


class SaleView(msgspec.Struct, frozen=True, kw_only=True):
    """The page of a sale, for one visitor."""

    kind: SaleKind
    sale: SaleState
    #: who looks; None: nobody whom the shop knows
    buyer: str | None = None
    queue: QueueState | None = None
    purchases: Purchases | None = None
    #: it had been sold out when this browser looked last
    is_back: bool = False
    #: what became of the last click; empty: nothing to be said
    notice: str = ""
    sign_in_url: str = ""

    @property
    def held(self) -> OrderState | None:
        """The order that waits to be paid."""
        newest = self.purchases.newest if self.purchases else None
        return newest if newest is not None and newest.status == "held" else None

    @property
    def bought(self) -> list[OrderState]:
        return (
            [order for order in self.purchases.orders if order.status == "confirmed"]
            if self.purchases
            else []
        )

    @property
    def number(self) -> int | None:
        """Of the purchase that the next click is; None: no more."""
        return self.purchases.next_number if self.purchases else 1

    @property
    def ticket(self) -> str:
        """The pass that the next click shows."""
        return (self.queue.pass_ or "") if self.queue else ""

    @property
    def is_kept_out(self) -> bool:
        """Whether a click would be refused for want of a pass: whoever holds an order does not stand in line."""
        room = self.sale.room
        demands_pass = room is not None and room.mode != "pass-through"
        return demands_pass and self.kind == "open" and self.queue is None

    @property
    def refresh_ms(self) -> int:
        """When to ask how the sale stands; 0: never, for whoever looks stands in line again."""
        if self.kind == "left":
            return 0
        return self.queue.poll_after_ms if self.queue else self.sale.poll_after_ms

    @property
    def heartbeat_ms(self) -> int:
        """When this page must be loaded again to keep a place; 0: there is none to keep."""
        return (self.queue.heartbeat_after_ms or 0) if self.queue else 0

    @property
    def reload_s(self) -> int:
        """The same for a browser without scripts, which must not miss the opening; 0: there is nothing to wait for."""
        if self.kind in ("left", "closed"):
            return 0
        wait_ms = min(self.refresh_ms, self.heartbeat_ms or self.refresh_ms)
        if self.kind == "soon" and self.sale.opens_ms:
            wait_ms = min(max(wait_ms, 10_000), self.sale.opens_ms - self.sale.server_time_ms + 500)
        return max(RELOAD_S_MIN, math.ceil(wait_ms / 1000))

    @property
    def reload_query(self) -> str:
        """What the next look is told of this one."""
        return "?seen=sold-out" if self.kind == "sold_out" else ""

    def may_buy(self, item: ItemState) -> bool:
        """Whether this buyer may have one more of it."""
        units = self.purchases.units.get(item.sku, 0) if self.purchases else 0
        return self.number is not None and (item.limit == 0 or units < item.limit)


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """The page of an order, for its buyer."""

    sale: SaleState
    #: None: whether there is one is not known yet
    order: OrderState | None
    order_id: str
    story: tuple[Step, ...] = ()
    #: of the purchase, for another try
    number: int = 1
    sku: str = ""
    #: the pass that it shows
    ticket: str = ""
    notice: str = ""
    checkout_url: str = ""
    #: there is no such order, and nothing to look for again
    is_preview: bool = False

    @property
    def kind(self) -> str:
        """What the order is: its status, or `unknown`."""
        return self.order.status if self.order else "unknown"

    @property
    def item(self) -> ItemState | None:
        sku = self.order.sku if self.order else self.sku
        return next((item for item in self.sale.items if item.sku == sku), None)

    @property
    def total_minor(self) -> int:
        return self.item.unit_price_minor * (self.order.quantity if self.order else 1) if self.item else 0

    @property
    def refresh_ms(self) -> int:
        """When to look again; 0: nothing will change."""
        is_settled = self.kind not in ("held", "unknown") and all(step.done for step in self.story)
        return 0 if is_settled or self.is_preview else ORDER_MS

    @property
    def reload_s(self) -> int:
        return math.ceil(self.refresh_ms / 1000)


def sale_kind(sale: SaleState, queue: QueueState | None) -> SaleKind:
    """Which page it is."""
    match sale.state:
        case "closed" | "archived":
            return "closed"
        case "paused":
            return "paused"
        case "open":
            return _open_kind(sale, queue)
        case "scheduled" | "warm" | "defined":
            return "soon"
        case _:
            return "halted"


def _open_kind(sale: SaleState, queue: QueueState | None) -> SaleKind:
    if queue is not None and queue.state == "waiting":
        return "out_for_you" if queue.chance == "none" else "waiting"
    if not any(item.available for item in sale.items):
        return "sold_out"
    return "open" if queue is None else "called"
