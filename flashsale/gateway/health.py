"""What a load balancer asks: whether this process lives, and whether it should be sent requests."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flashsale.gateway import messages, problems
from flashsale.gateway.problems import PRIVATE, Problem
from flashsale.gateway.ready import Ready
from flashsale.gateway.sale_state import SaleStates
from flashsale.gateway.sales import Sales

_OK = msgspec.json.encode(messages.Health("ok"))


class Health:
    def __init__(self, sales: Sales, states: SaleStates) -> None:
        self._sales, self._states = sales, states

    async def alive(self, request: Request) -> Response:  # noqa: ARG002  # a handler takes one
        """It answers, so it lives. A server that is away would not come back by a restart of this one."""
        return Ready(_OK, headers=PRIVATE, media_type="application/json")

    async def ready(self, request: Request) -> Response:
        """Postgres has told the fences, and Redis has answered within the last seconds."""
        if not self._sales.are_known:
            raise Problem(problems.UNAVAILABLE, "the sales are not known yet")
        if not self._states.are_fresh:
            raise Problem(problems.UNAVAILABLE, "Redis does not answer")
        return await self.alive(request)
