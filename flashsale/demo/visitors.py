"""Simulated buyers for a person to be among: they come at the opening, hesitate, pay, change their minds, or forget."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from flashsale.client import AsyncClient
from flashsale.commands import Answer, Cancel, Code, Confirm, OrderRequest, Reserve
from flashsale.definition import SaleDefinition
from flashsale.errors import Unreachable
from flashsale.ids import new_order_id

#: The first rush takes all units in about so long: time enough for a person to click, not to think it over.
SOLD_OUT_AFTER_S = 45.0
#: Afterwards so few come that a person can be faster when something is given back.
LATE_EVERY_S = 9.0
#: How long they look at what they hold.
HESITATE_S = (2.0, 20.0)
#: Of 100: how many give it back, and how many forget to pay.
CANCEL, FORGET = 15, 10
#: A lost reply is asked for again.
TRY_AGAIN_S = 1.0


class Visitors:
    """The crowd of one sale. It belongs to the event loop that runs it."""

    def __init__(self, shop: AsyncClient, sale: SaleDefinition) -> None:
        self._shop, self._sale = shop, sale
        self._lot = random.Random(sale.sale)  # noqa: S311  # a crowd, no secret
        self._under_way: set[asyncio.Task[None]] = set()

    async def come(self) -> None:
        """They come for ever, first in a rush; end it by cancelling."""
        units = sum(item.quantity for item in self._sale.items)
        pause_s, is_over = SOLD_OUT_AFTER_S / units, False
        try:
            while True:
                is_over = is_over or await self._visit() is Code.SOLD_OUT
                await asyncio.sleep(LATE_EVERY_S if is_over else self._lot.expovariate(1 / pause_s))
        finally:
            for task in self._under_way:
                task.cancel()

    async def _visit(self) -> Code:
        sku = self._lot.choice(self._sale.items).sku
        order = new_order_id()
        answer = await self._ask(Reserve(order, f"visitor-{self._lot.getrandbits(32):08x}", sku))
        if answer.code is Code.RESERVED:
            self._start(self._decide(order))
        return answer.code

    async def _decide(self, order: str) -> None:
        await asyncio.sleep(self._lot.uniform(*HESITATE_S))
        lot = self._lot.randrange(100)
        if lot < CANCEL:
            await self._ask(Cancel(order))
        elif lot >= CANCEL + FORGET:
            await self._ask(Confirm(order))

    async def _ask(self, request: OrderRequest) -> Answer:
        """Ask until there is an answer: the order id makes it safe."""
        while True:
            try:
                return await self._shop.submit(self._sale.sale, request)
            except Unreachable:
                await asyncio.sleep(TRY_AGAIN_S)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
