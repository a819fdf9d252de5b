"""Simulated buyers for a person to be among: they wait in line, hesitate, pay, change their minds, or forget."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from typing import Any

from flashsale.client import AsyncClient
from flashsale.commands import Cancel, Code, Confirm, OrderRequest, Reserve, RoomSettings
from flashsale.definition import SaleDefinition
from flashsale.errors import Unreachable
from flashsale.ids import new_order_id

#: Three of four find something.
PEOPLE_PER_UNIT = 1.3
#: The first ones are called at such a pace that all units are gone after about so long.
SOLD_OUT_AFTER_S = 50.0
#: Later ones come one by one: so few that a person can be faster when something is given back.
LATE_EVERY_S = 9.0
#: How often they give a sign of life.
HEARTBEAT_S = 8.0
#: How long they look at what they hold.
HESITATE_S = (2.0, 20.0)
#: Of 100: how many give it back, and how many forget to pay.
CANCEL, FORGET = 15, 10
#: A lost reply is asked for again.
TRY_AGAIN_S = 1.0


def room_of(units: int) -> RoomSettings:
    """A waiting room in which a person sees the line move."""
    return RoomSettings(
        rate_per_s=max(1, round(units * PEOPLE_PER_UNIT / SOLD_OUT_AFTER_S)),
        active_max=max(5, units // 4),
        pass_ttl_ms=45_000,
        leave_after_ms=30_000,
        message="Welcome! Places are drawn by lot: nobody can jump the line.",
    )


class Visitors:
    """The crowd of one sale. It belongs to the event loop that runs it."""

    def __init__(self, shop: AsyncClient, sale: SaleDefinition) -> None:
        self._shop, self._sale = shop, sale
        self._units = sum(item.quantity for item in sale.items)
        self._lot = random.Random(sale.sale)  # noqa: S311  # a crowd, no secret
        self._here: set[asyncio.Task[None]] = set()

    async def come(self) -> None:
        """Most are there before the opening, then they come one by one, for ever; end it by cancelling."""
        people = round(self._units * PEOPLE_PER_UNIT)
        until_open_s = max(0.0, self._sale.opens_ms / 1000 - time.time())
        try:
            for _ in range(people):
                self._start(self._visit(self._lot.uniform(0.0, until_open_s * 0.9)))
            await asyncio.sleep(until_open_s + SOLD_OUT_AFTER_S)
            while True:
                self._start(self._visit(0.0))
                await asyncio.sleep(LATE_EVERY_S)
        finally:
            for task in self._here:
                task.cancel()

    async def _visit(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        buyer = f"visitor-{self._lot.getrandbits(32):08x}"
        if not await self._wait_in_line(buyer):
            return
        await asyncio.sleep(self._lot.uniform(0.5, 4.0))
        order = new_order_id()
        if await self._ask(Reserve(order, buyer, self._lot.choice(self._sale.items).sku)) is Code.RESERVED:
            await self._decide(order)
        else:
            await self._shop.leave(self._sale.sale, buyer)

    async def _wait_in_line(self, buyer: str) -> bool:
        """Until it is this one's turn; False when the sale is over before."""
        while True:
            try:
                code = (await self._shop.join(self._sale.sale, buyer)).code
            except Unreachable:
                code = Code.WAITING
            if code is not Code.WAITING:
                return code in (Code.ADMITTED, Code.NO_ROOM)
            await asyncio.sleep(self._lot.uniform(0.3, 1.0) * HEARTBEAT_S)

    async def _decide(self, order: str) -> None:
        await asyncio.sleep(self._lot.uniform(*HESITATE_S))
        lot = self._lot.randrange(100)
        if lot < CANCEL:
            await self._ask(Cancel(order))
        elif lot >= CANCEL + FORGET:
            await self._ask(Confirm(order))

    async def _ask(self, request: OrderRequest) -> Code:
        """Ask until there is an answer: the order id makes it safe."""
        while True:
            try:
                return (await self._shop.submit(self._sale.sale, request)).code
            except Unreachable:
                await asyncio.sleep(TRY_AGAIN_S)

    def _start(self, visit: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(visit)
        self._here.add(task)
        task.add_done_callback(self._here.discard)
