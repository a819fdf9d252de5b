"""Two million buyers in one process: what they want, and what they do once they have it.

Everything a buyer decides follows from the seed and the buyer's number, so two runs with one seed have the same crowd;
who wins still depends on who is first.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from flashsale.client import AsyncClient
from flashsale.commands import Answer, Cancel, Code, Confirm, OrderRequest, Reserve
from flashsale.errors import Unreachable

#: Buyers whose request is under way at the same time.
CONCURRENT = 8_192
#: A request whose reply was lost is sent again with the same order id, this often …
TRIES_MAX = 50
#: … after this pause.
TRY_AGAIN_S = 0.2
#: Late payers pay this long after their hold ended.
LATE_S = 0.3

#: Of 100 buyers who hold a unit: how many cancel, forget to pay, pay late; the rest pay at once.
CANCEL, FORGET, LATE = 15, 8, 5
#: Of 100 buyers who hold a unit: how many press the button twice.
REPEAT = 10


class Ledger(msgspec.Struct):
    """What the crowd was told; the stores are held against it in the end."""

    attempts: int = 0
    #: refused reservations by reason
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    #: order id → the last status the shop acknowledged
    acknowledged: dict[str, str] = msgspec.field(default_factory=dict)
    repeats: int = 0
    #: repeats that were answered differently than the first time: must stay 0
    repeats_unlike: int = 0
    #: replies that were lost and asked for again
    retries: int = 0
    #: refused buyers who came back when units returned
    came_back: int = 0

    @property
    def accepted(self) -> int:
        return len(self.acknowledged)


class Crowd:
    """The buyers of one sale."""

    def __init__(
        self, client: AsyncClient, sale: str, sku: str, *, buyers: int, seed: int, hold_ms: int
    ) -> None:
        self.ledger = Ledger()
        self._client, self._sale, self._sku = client, sale, sku
        self._buyers, self._seed, self._hold_ms = buyers, seed, hold_ms
        self._followups: set[asyncio.Task[None]] = set()
        self._numbers: Iterator[int] = iter(range(buyers))

    async def rush(self) -> None:
        """Everybody tries to buy, as fast as the shop answers; returns when each has an answer."""
        async with asyncio.TaskGroup() as group:
            for _ in range(min(CONCURRENT, self._buyers)):
                group.create_task(self._queue_up())

    async def settle(self) -> None:
        """Wait until everybody who holds a unit has paid, cancelled or given up."""
        while self._followups:
            await asyncio.gather(*self._followups)

    async def come_back(self, units: int) -> None:
        """So many refused buyers try again, and pay at once."""
        first = self._buyers + self.ledger.came_back
        self.ledger.came_back += units
        await asyncio.gather(*(self._buy_now(number) for number in range(first, first + units)))

    async def _queue_up(self) -> None:
        ledger, refused = self.ledger, self.ledger.refused
        for number in self._numbers:
            order_id = self._order_id(number)
            request = Reserve(order_id, f"buyer-{number}", self._sku, 1)
            try:
                answer = await self._client.submit(self._sale, request)
            except Unreachable:
                answer = await self._ask(request)
            ledger.attempts += 1
            if answer.code is Code.RESERVED:
                ledger.acknowledged[order_id] = "held"
                task = asyncio.create_task(self._follow_up(number, request, answer))
                self._followups.add(task)
                task.add_done_callback(self._followups.discard)
            else:
                refused[answer.code] += 1

    async def _follow_up(self, number: int, request: Reserve, answer: Answer) -> None:
        """What a buyer with a held unit does, by lot."""
        if self._lot(number, "repeat") < REPEAT:
            self.ledger.repeats += 1
            again = await self._ask(request)
            if (again.code, again.position, again.detail) != (answer.code, answer.position, answer.detail):
                self.ledger.repeats_unlike += 1
        lot = self._lot(number, "pay")
        if lot < CANCEL:
            await self._resolve(Cancel(request.order_id))
        elif lot < CANCEL + FORGET:
            await asyncio.sleep(self._hold_ms / 1000)
        elif lot < CANCEL + FORGET + LATE:
            await asyncio.sleep(self._hold_ms / 1000 + LATE_S)
            await self._resolve(Confirm(request.order_id))
        else:
            await self._resolve(Confirm(request.order_id))

    async def _buy_now(self, number: int) -> None:
        request = Reserve(self._order_id(number), f"buyer-{number}", self._sku, 1)
        answer = await self._ask(request)
        if answer.code is Code.RESERVED:
            self.ledger.acknowledged[request.order_id] = "held"
            await self._resolve(Confirm(request.order_id))

    async def _resolve(self, request: OrderRequest) -> None:
        answer = await self._ask(request)
        status = _STATUS.get(answer.code)
        if status is not None:
            self.ledger.acknowledged[request.order_id] = status

    async def _ask(self, request: OrderRequest) -> Answer:
        """Ask until there is an answer: the order id makes it safe to ask twice."""
        return await _persist(lambda: self._client.submit(self._sale, request), self._count_retry)

    def _count_retry(self) -> None:
        self.ledger.retries += 1

    def _order_id(self, number: int) -> str:
        return f"0-{self._seed & 0xFFFFFFFF:08x}{number:014x}"

    def _lot(self, number: int, what: str) -> int:
        """0 to 99, the same for the same buyer in every run of one seed."""
        return zlib.crc32(f"{self._seed}:{number}:{what}".encode()) % 100


_STATUS = {Code.CONFIRMED: "confirmed", Code.CANCELLED: "cancelled", Code.REFUND_DUE: "refund_due"}


async def _persist(ask: Callable[[], Awaitable[Answer]], on_retry: Callable[[], None]) -> Answer:
    for _ in range(TRIES_MAX - 1):
        try:
            return await ask()
        except Unreachable:
            on_retry()
            await asyncio.sleep(TRY_AGAIN_S)
    return await ask()
