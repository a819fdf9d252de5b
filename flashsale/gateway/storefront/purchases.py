"""What one buyer has bought in one sale, found without anything being kept for it.

The key of a buyer's first purchase is `storefront-1`, of the next one `storefront-2`: so the ids of their orders follow
from sale and buyer, a page finds them again after a reload, in another tab and on another device, and two clicks are
one order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from flashsale.gateway import problems
from flashsale.gateway.messages import OrderState
from flashsale.gateway.problems import Problem
from flashsale.ids import derived_order_id

#: Purchases of one buyer in one sale, cancelled and expired ones included: each page looks at all of them.
PURCHASES_MAX = 25
#: So many are looked at in one round trip, behind the first one, which hardly anybody has.
_STRIDE = 8

Read = Callable[[str], Awaitable[OrderState]]


class Purchases(msgspec.Struct, frozen=True):
    """In the order in which they were made."""

    orders: list[OrderState]
    #: number of the next purchase; None: there were too many
    next_number: int | None

    @property
    def newest(self) -> OrderState | None:
        return self.orders[-1] if self.orders else None

    @property
    def units(self) -> dict[str, int]:
        """Units held or owned, by SKU."""
        found: dict[str, int] = {}
        for order in self.orders:
            if order.status in ("held", "confirmed"):
                found[order.sku] = found.get(order.sku, 0) + order.quantity
        return found


def key_of(number: int) -> str:
    """The Idempotency-Key of a buyer's purchase."""
    return f"storefront-{number}"


def order_of(sale: str, buyer: str, number: int) -> str:
    """The id that the order of that purchase has, or will have."""
    return derived_order_id(sale, buyer, key_of(number))


async def purchases(sale: str, buyer: str, read: Read) -> Purchases:
    """All that there are. `read` tells an order by its id, and raises `Problem` for an unknown one."""
    orders: list[OrderState] = []
    while (first := len(orders) + 1) <= PURCHASES_MAX:
        stride = range(first, first + (1 if first == 1 else _STRIDE))
        found = await asyncio.gather(*(_maybe(read, order_of(sale, buyer, number)) for number in stride))
        for order in found:
            if order is None:
                return Purchases(orders, len(orders) + 1)
            orders.append(order)
    return Purchases(orders, None)


async def _maybe(read: Read, order: str) -> OrderState | None:
    try:
        return await read(order)
    except Problem as problem:
        if problem.kind is problems.UNKNOWN_ORDER:
            return None
        raise
