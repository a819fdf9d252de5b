"""Clients that write down what they ask and what they are told, and the log of their sale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from flashsale.client import AsyncClient, Client
from flashsale.client_history import HistoryWriter
from flashsale.commands import (
    Answer,
    Cancel,
    Code,
    Confirm,
    OrderRequest,
    Refund,
    Reserve,
    SaleRequest,
)
from flashsale.errors import UnknownOutcome
from flashsale.history import shown
from flashsale.ids import START
from flashsale.stream import Log, ShardId

SALE, PHONE, CASE = "recorded-sale", "phone", "case"
#: Buyers of the rush; so many of them ask at the same time.
BUYERS, AT_ONCE = 90, 12
TRIES_MAX = 20


@dataclass
class Recorded:
    """An exported log and the histories of its clients, line by line."""

    log: list[bytes]
    histories: dict[str, list[bytes]]


@dataclass
class Desk:
    """A sync client that writes down everything."""

    client: Client
    history: HistoryWriter

    def ask(self, request: OrderRequest) -> Answer:
        invoked = self.history.invoked(SALE, request)
        (answer,) = self.client.execute(SALE, [request])
        self.history.returned(invoked, answer)
        return answer

    def control(self, request: SaleRequest) -> Answer:
        invoked = self.history.invoked(SALE, request)
        answer = self.client.control(SALE, request)
        self.history.returned(invoked, answer)
        return answer

    def expect(self, request: OrderRequest, code: Code) -> Answer:
        answer = self.ask(request)
        assert answer.code is code, (request, answer)
        return answer


@dataclass
class Crowd:
    """Buyers of one asyncio client, whose replies are lost now and then."""

    client: AsyncClient
    history: HistoryWriter
    #: it leaves out what it was not told
    forgets_unknown: bool = False
    unknown: int = 0

    async def ask(self, request: OrderRequest) -> Answer:
        """Ask until there is an answer."""
        for _ in range(TRIES_MAX):
            invoked = self.history.invoked(SALE, request)
            try:
                answer = await self.client.submit(SALE, request)
            except UnknownOutcome as error:
                self.unknown += 1
                if not self.forgets_unknown:
                    self.history.returned(invoked, error)
            else:
                self.history.returned(invoked, answer)
                return answer
        raise AssertionError(f"no answer in {TRIES_MAX} tries")

    async def buy(self, number: int) -> None:
        """What one buyer wants and does."""
        request = Reserve(
            order(number), f"buyer-{number}", CASE if number % 3 == 0 else PHONE, 1 + number % 2
        )
        if (await self.ask(request)).code is not Code.RESERVED:
            return
        if number % 4 == 0:
            again = await self.ask(request)
            assert again.repeated
        match number % 6:
            case 0:
                await self.ask(Cancel(request.order_id, request.buyer))
            case 1:
                pass
            case 2:
                await self.ask(Confirm(request.order_id))
                await self.ask(Refund(request.order_id))
            case 3:
                await self.ask(Confirm(request.order_id))
                await self.ask(Refund(request.order_id, units="keep"))
            case _:
                await self.ask(Confirm(request.order_id))
                await self.ask(Confirm(request.order_id))


def order(number: int) -> str:
    return f"0-order-{number:06d}"


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def exported(redis_url: str) -> list[bytes]:
    """What `events export` prints."""
    shard, lines = ShardId(SALE, 0), list[bytes]()
    with Log(redis_url) as log:
        after = START
        while page := log.entries(shard, after):
            after = page[-1].position
            events: list[Any] = [shown(shard, entry, archived=False).record() for entry in page]
            lines.extend(msgspec.json.encode(event) + b"\n" for event in events)
    return lines
