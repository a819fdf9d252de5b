"""The API as the pages ask it: the handlers of /v1 themselves, without a socket between, and with the same answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flashsale.gateway.app import Handler
from flashsale.gateway.messages import (
    ChangedOrder,
    OrderState,
    PlacedOrder,
    PlaceOrder,
    QueueState,
    SaleState,
)
from flashsale.gateway.problems import Problem
from flashsale.gateway.reading import BODY
from flashsale.gateway.storefront.visitors import Visitor

T = TypeVar("T")

#: Who records a payment of the demo.
_TILL = ((b"authorization", b"Demo service:storefront"),)


class Api:
    """Each call is one operation, for one visitor. Raises `Problem`.

    `request` is the page's own: its client and address stand for those of the operation.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    async def sale(self, request: Request, sale: str) -> SaleState:
        return await self._ask(request, "get_sale", SaleState, {"sale": sale})

    async def join(self, request: Request, visitor: Visitor, sale: str) -> QueueState:
        """Join the line, keep the place in it, or fetch the pass."""
        return await self._ask(request, "join_queue", QueueState, {"sale": sale}, visitor.credentials)

    async def look(self, request: Request, visitor: Visitor, sale: str) -> QueueState:
        """How the visitor stands in the line, without joining it."""
        return await self._ask(request, "get_queue", QueueState, {"sale": sale}, visitor.credentials)

    async def leave(self, request: Request, visitor: Visitor, sale: str) -> None:
        await self._answer(request, "leave_queue", {"sale": sale}, visitor.credentials)

    async def place(
        self, request: Request, visitor: Visitor, sale: str, sku: str, *, key: str, ticket: str
    ) -> PlacedOrder:
        """Hold one unit. `ticket`: the pass of the waiting room; empty: none."""
        headers = [*visitor.credentials, (b"idempotency-key", key.encode())]
        if ticket:
            headers.append((b"flashsale-pass", ticket.encode()))
        body = msgspec.json.encode(PlaceOrder(sku))
        return await self._ask(request, "place_order", PlacedOrder, {"sale": sale}, tuple(headers), body=body)

    async def order(self, request: Request, visitor: Visitor, sale: str, order: str) -> OrderState:
        path = {"sale": sale, "order": order}
        return await self._ask(request, "get_order", OrderState, path, visitor.credentials)

    async def cancel(self, request: Request, visitor: Visitor, sale: str, order: str) -> ChangedOrder:
        path = {"sale": sale, "order": order}
        return await self._ask(request, "cancel_order", ChangedOrder, path, visitor.credentials)

    async def pay(self, request: Request, sale: str, order: str) -> ChangedOrder:
        """What the shop's till does when it has the money. Only a gateway with --demo-auth believes this one."""
        return await self._ask(request, "confirm_order", ChangedOrder, {"sale": sale, "order": order}, _TILL)

    async def _ask(
        self,
        request: Request,
        operation: str,
        of: type[T],
        path: dict[str, str],
        headers: tuple[tuple[bytes, bytes], ...] = (),
        *,
        body: bytes = b"",
    ) -> T:
        response = await self._answer(request, operation, path, headers, body=body)
        return msgspec.json.decode(bytes(response.body), type=of)

    async def _answer(
        self,
        request: Request,
        operation: str,
        path: dict[str, str],
        headers: tuple[tuple[bytes, bytes], ...] = (),
        *,
        body: bytes = b"",
    ) -> Response:
        scope: dict[str, Any] = {
            "type": "http",
            "method": request.method,
            "path": f"/v1/{operation}",
            "query_string": b"",
            "client": request.scope.get("client"),
            "headers": [*headers, *(((b"content-type", b"application/json"),) if body else ())],
            "path_params": path,
            "state": {BODY: bytearray(body)},
        }
        response = await self._handlers[operation](Request(scope))
        if response.status_code >= 400:
            raise Problem.of(response)
        return response
