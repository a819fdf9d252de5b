"""One shop process: buyers come at a steady pace, and everything asked and told goes into a history file.

This program uses the library; tests.torture.http_shop is the same shop before a gateway.

python -m tests.torture.shop NAME HISTORY SALE SEED RATE     until SIGTERM, then every buyer finishes
python -m tests.torture.shop NAME HISTORY SALE SEED 0        sell what is left, and end
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Awaitable
from typing import Protocol

from flashsale.bootstrap import connect
from flashsale.client import AsyncClient
from flashsale.client_history import HistoryWriter, open_history
from flashsale.commands import Answer, Cancel, Code, Confirm, OrderRequest, Refund, Reserve
from flashsale.errors import FlashsaleError

#: The second is scarce.
SKUS = ("phone", "case")
#: Buyers come back, and meet the limit.
BUYERS = 2_000
HOLD_S = 3.0
#: Waits between two tries grow from the first to the last.
AGAIN_S = (0.1, 1.5)
#: After the signal, those under way have so many tries left.
TRIES_AT_THE_END = 60
#: A request is asked for so often at most; minutes.
TRIES_MAX = 600
BUYERS_AT_ONCE_MAX = 3_000
SELLERS = 48
ROUNDS_MAX = 400

#: The sale is halted or gone, over HTTP not open, or there is a waiting room: the shop asks again.
NOT_NOW = {Code.LOG_REGRESSED, Code.NOT_LOADED, Code.NOT_OPEN, Code.NO_PASS}


class Door(Protocol):
    """Where a shop sends its requests."""

    def order_id(self, buyer: str, key: str) -> str:
        """The id of the order that this buyer places with this key, which no other order has."""

    def submit(self, sale: str, request: OrderRequest) -> Awaitable[Answer]:
        """Raises `FlashsaleError` when there is no answer. Whoever needs a pass joins the line, and may ask again."""


class LibraryDoor:
    """Straight to Redis."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def order_id(self, buyer: str, key: str) -> str:  # noqa: ARG002 - other doors make it of both
        return f"0-{key}"

    async def submit(self, sale: str, request: OrderRequest) -> Answer:
        answer = await self._client.submit(sale, request)
        if isinstance(request, Reserve) and answer.code is Code.NO_PASS:
            with contextlib.suppress(FlashsaleError):
                await self._client.join(sale, request.buyer)
        return answer


class Shop:
    """Buyers of one process."""

    def __init__(self, door: Door, history: HistoryWriter, sale: str, name: str, seed: str) -> None:
        self._door, self._history, self._sale, self._name = door, history, sale, name
        self._lots = random.Random(seed)
        self._made = 0
        self.stopping = asyncio.Event()

    async def ask(self, request: OrderRequest) -> Answer | None:
        """Ask until there is an answer; None when there was none in all that time."""
        tries, again_s = TRIES_MAX, AGAIN_S[0]
        while tries:
            tries = min(tries, TRIES_AT_THE_END) - 1 if self.stopping.is_set() else tries - 1
            op = self._history.invoked(self._sale, request)
            try:
                answer = await self._door.submit(self._sale, request)
            except FlashsaleError as error:
                self._history.returned(op, error)
            else:
                self._history.returned(op, answer)
                if answer.code not in NOT_NOW:
                    return answer
            again_s = min(again_s * 1.5, AGAIN_S[1])
            await asyncio.sleep(self._lots.uniform(again_s / 2, again_s))
        return None

    async def buyer(self) -> None:
        """What one buyer does."""
        request = self.reservation(self._lots.choice((1, 1, 1, 2, 3)))
        asked = [self.ask(request)]
        if self._lots.random() < 0.1:
            asked.append(self.ask(request))  # the button, twice
        answers = await asyncio.gather(*asked)
        if self._lots.random() < 0.03:
            await self.ask(Reserve(request.order_id, request.buyer, request.sku, request.quantity + 1))
        if not any(answer is not None and answer.code is Code.RESERVED for answer in answers):
            return
        lot = self._lots.random()
        if lot < 0.08:
            return  # forgotten: the sweeper ends it
        await asyncio.sleep(HOLD_S * 1.2 if lot < 0.14 else self._lots.uniform(0, HOLD_S * 0.6))
        if lot < 0.30:
            await self.ask(Cancel(request.order_id, request.buyer))
            return
        paid = await self.ask(Confirm(request.order_id))
        await self.give_back(request.order_id, paid)

    async def give_back(self, order_id: str, paid: Answer | None) -> None:
        """Some paid orders, and all whose money must go back, are refunded."""
        if paid is None:
            return
        lot = self._lots.random()
        if paid.code is Code.REFUND_DUE or (paid.code is Code.CONFIRMED and lot < 0.2):
            await asyncio.sleep(self._lots.uniform(0, 1))
            await self.ask(Refund(order_id, units="keep" if lot < 0.03 else "restock"))

    def reservation(self, quantity: int) -> Reserve:
        return self._reserve(f"buyer-{self._lots.randrange(BUYERS)}", self._lots.choice(SKUS), quantity)

    async def run(self, per_second: float) -> None:
        """Buyers come until the signal."""
        at_work: set[asyncio.Task[None]] = set()
        while not self.stopping.is_set():
            if len(at_work) < BUYERS_AT_ONCE_MAX:
                task = asyncio.create_task(self.buyer())
                at_work.add(task)
                task.add_done_callback(at_work.discard)
            await asyncio.sleep(self._lots.expovariate(per_second))
            failed = [task for task in at_work if task.done() and task.exception()]
            for task in failed:
                await task
        await asyncio.gather(*at_work)

    async def sell_out(self) -> None:
        """Buy and pay one unit after the other until nothing is left and nothing will come back."""
        for number in range(ROUNDS_MAX):
            bought = await asyncio.gather(
                *(self._buy(f"last-{number}-{i}", SKUS[i % 8 == 0]) for i in range(SELLERS))
            )
            if not any(bought):
                return

    async def _buy(self, buyer: str, sku: str) -> bool:
        request = self._reserve(buyer, sku, 1)
        answer = await self.ask(request)
        if answer is None or answer.code is not Code.RESERVED:
            return False
        await self.ask(Confirm(request.order_id))
        return True

    def _reserve(self, buyer: str, sku: str, quantity: int) -> Reserve:
        self._made += 1
        order_id = self._door.order_id(buyer, f"{self._name}-{self._made:08d}")
        return Reserve(order_id, buyer, sku, quantity)


async def work(shop: Shop, per_second: float) -> None:
    """Until SIGTERM, or, at a rate of 0, until all is sold."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, shop.stopping.set)
    if per_second:
        await shop.run(per_second)
    else:
        await shop.sell_out()


async def main(name: str, history_file: str, sale: str, seed: str, per_second: float) -> None:
    with open_history(history_file, name) as history:
        async with connect(by=name) as client:
            await work(Shop(LibraryDoor(client), history, sale, name, seed), per_second)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5])))
    except FlashsaleError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
