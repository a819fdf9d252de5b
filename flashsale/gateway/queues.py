"""The line of a sale over HTTP: a buyer joins, stays, is let in, or leaves. However long it is, each costs the same."""

from __future__ import annotations

import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flashsale.client import AsyncClient
from flashsale.commands import Answer, Code, pass_expires_ms, standing
from flashsale.errors import UnknownOutcome
from flashsale.gateway import problems
from flashsale.gateway.answers import refusal
from flashsale.gateway.callers import Callers
from flashsale.gateway.messages import LeftQueue, QueueState
from flashsale.gateway.passes import Passes
from flashsale.gateway.problems import PRIVATE, Problem
from flashsale.gateway.ready import Ready
from flashsale.gateway.rooms import Rooms
from flashsale.gateway.sales import Sales
from flashsale.gateway.throttle import Throttle

#: So often one buyer may leave at once. Whoever comes back takes another ticket, and a line has only so many.
LEAVES_MAX = 10


class Queues:
    """The lines of every sale. Redis knows who stands where; what the others do is told from memory."""

    def __init__(
        self, callers: Callers, sales: Sales, client: AsyncClient, rooms: Rooms, passes: Passes
    ) -> None:
        self._callers, self._sales, self._client = callers, sales, client
        self._rooms, self._passes = rooms, passes
        self._leaves = Throttle(LEAVES_MAX)

    async def join(self, request: Request) -> Response:
        """Take a place, or keep the one that there is; or fetch the pass."""
        sale, buyer = self._named(request)
        return _json(self._told(sale, buyer, await self._client.join(sale, buyer)))

    async def look(self, request: Request) -> Response:
        """The same without joining, and without a sign of life."""
        sale, buyer = self._named(request)
        try:
            answer = await self._client.stand(sale, buyer)
        except UnknownOutcome as error:
            raise Problem(problems.UNAVAILABLE, "the reply was lost: ask again") from error
        if answer.code is Code.NOT_FOUND:
            raise Problem(problems.NOT_IN_LINE, "this buyer neither waits nor has a pass: POST joins")
        return _json(self._told(sale, buyer, answer))

    async def leave(self, request: Request) -> Response:
        """Give the place, or the pass, back."""
        sale, buyer = self._named(request)
        if wait_ms := self._leaves.wait_ms(buyer, "", time.monotonic()):
            sentence = "this buyer leaves more often than people do"
            raise Problem(problems.TOO_MANY_REQUESTS, sentence, retry_ms=wait_ms)
        answer = await self._client.leave(sale, buyer)
        if answer.code not in (Code.LEFT, Code.NO_ROOM):
            raise refusal(answer)
        return _json(LeftQueue(sale))

    def _named(self, request: Request) -> tuple[str, str]:
        """Sale and buyer. Raises `Problem`."""
        buyer = self._callers.buyer(request)
        return self._sales.selling(request.path_params["sale"]).sale, buyer

    def _told(self, sale: str, buyer: str, answer: Answer) -> QueueState:
        match answer.code:
            case Code.WAITING:
                return self._rooms.waiting(sale, standing(answer))
            case Code.ADMITTED:
                expires_ms = pass_expires_ms(answer)
                return QueueState(
                    sale=sale,
                    state="admitted",
                    message=self._rooms.message(sale),
                    poll_after_ms=self._rooms.poll_after_ms(sale),
                    pass_=self._passes.issue(sale, buyer, expires_ms),
                    pass_expires_ms=expires_ms,
                )
            case Code.NO_ROOM:
                return QueueState(sale=sale, state="no_room", poll_after_ms=self._rooms.poll_after_ms(sale))
            case _:
                raise refusal(answer)


def _json(message: msgspec.Struct) -> Response:
    return Ready(msgspec.json.encode(message), 200, PRIVATE, "application/json")
