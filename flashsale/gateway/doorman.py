"""The doorman: calls those whose turn it is, once a second, in every sale that is open and has a waiting room.

Every gateway has one. Redis counts by its own clock, so more of them let in no more, and one that dies is not missed.
"""

from __future__ import annotations

import asyncio

import structlog

from flashsale.client import AsyncClient
from flashsale.commands import Code, called
from flashsale.errors import FlashsaleError
from flashsale.gateway.outage import Outage
from flashsale.gateway.rooms import Rooms
from flashsale.gateway.sales import Sales
from flashsale.room.lag import WHOLE_PERMILLE, share_permille
from flashsale.stream import ShardId

log = structlog.get_logger(__name__)

CALL_EVERY_S = 1.0


class Doorman:
    """Calls people at the room's rate; slower while Postgres is behind, for orders that nobody can read help nobody."""

    def __init__(self, client: AsyncClient, sales: Sales, rooms: Rooms) -> None:
        self._client, self._sales, self._rooms = client, sales, rooms
        #: sale → the part of its rate that it may use, as it was asked for last
        self.shares_permille: dict[str, int] = {}
        #: people called since this gateway began
        self.called = 0

    async def keep_calling(self) -> None:
        """Call for ever. A Redis that is away, or refuses, is waited for."""
        outage = Outage("redis")
        while True:
            try:
                await self.call()
                outage.over()
            except FlashsaleError as error:
                outage.met(error)
            await asyncio.sleep(CALL_EVERY_S)

    async def call(self) -> None:
        """One call for each line that may move, all at once. Raises what one of them raised, when all have ended."""
        sales = list(self._rooms.of_open_sales())
        for sale in self.shares_permille.keys() - set(sales):
            del self.shares_permille[sale]
        ended = await asyncio.gather(*map(self._call, sales), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _call(self, sale: str) -> None:
        recorded = self._sales.recorded(ShardId(sale, 0))
        share = share_permille(self._rooms.lag_ms(sale, recorded))
        self._tell(sale, share)
        answer = await self._client.admit(sale, share)
        if answer.code is Code.CALLED:
            self.called += called(answer).count

    def _tell(self, sale: str, share: int) -> None:
        """When Postgres begins to slow a line, and when it does not any more."""
        is_slow = share < WHOLE_PERMILLE
        if is_slow != (self.shares_permille.get(sale, WHOLE_PERMILLE) < WHOLE_PERMILLE):
            if is_slow:
                log.warning("Postgres is behind: fewer are let in", action="room_slowed", sale=sale)
            else:
                log.info(
                    "Postgres has caught up: the whole rate again", action="room_at_full_rate", sale=sale
                )
        self.shares_permille[sale] = share
