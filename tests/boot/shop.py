"""Buyers of one sale, until as many orders were asked for as the first argument says: each buys one unit and pays."""

from __future__ import annotations

import asyncio
import sys
import uuid

from flashsale.bootstrap import connect
from flashsale.commands import Code
from flashsale.ids import derived_order_id

SALE, SKU = "drop", "phone-15"
CALLERS = 20


async def buyers(count: int) -> None:
    sold = 0
    async with connect(by="shop") as shop:
        for _ in range(count // CALLERS):
            names = [f"buyer-{uuid.uuid4().hex[:12]}" for _ in range(CALLERS)]
            orders = [derived_order_id(SALE, buyer=name, idempotency_key="cart") for name in names]
            reserved = await asyncio.gather(
                *(shop.reserve(SALE, order, name, SKU) for order, name in zip(orders, names, strict=True))
            )
            assert {answer.code for answer in reserved} == {Code.RESERVED}, reserved
            paid = await asyncio.gather(*(shop.confirm(SALE, order) for order in orders))
            assert {answer.code for answer in paid} == {Code.CONFIRMED}, paid
            sold += len(paid)
    sys.stdout.write(f"shop: {sold} orders acknowledged and paid\n")


asyncio.run(buyers(int(sys.argv[1])))
