"""Which requests are answered before routing, and that all others find their route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Scope

from flashsale.gateway.hot_paths import HotPaths


def saying(word: str) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        return PlainTextResponse(f"{word} {request.path_params['sale']}")

    return handler


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/v1/sales/drop", b"page drop"),
        ("POST", "/v1/sales/drop/orders", b"order drop"),
        ("POST", "/v1/sales/dröp orders/orders", "order dröp orders".encode()),
        ("HEAD", "/v1/sales/drop", b"routed"),
        ("POST", "/v1/sales/drop", b"routed"),
        ("GET", "/v1/sales/drop/orders", b"routed"),
        ("GET", "/v1/sales/drop/", b"routed"),
        ("POST", "/v1/sales/drop/orders/", b"routed"),
        ("POST", "/v1/sales/drop/orders/0-x/cancel", b"routed"),
        ("GET", "/v1/sales/", b"routed"),
        ("POST", "/v1/sales//orders", b"routed"),
        ("GET", "/healthz", b"routed"),
    ],
)
async def test_two_paths_are_known_and_the_others_are_routed(method: str, path: str, answer: bytes) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody reads a body here")

    paths = HotPaths(PlainTextResponse("routed"), page=saying("page"), order=saying("order"))
    scope: Scope = {"type": "http", "method": method, "path": path, "headers": []}
    await paths(scope, receive, send)

    assert b"".join(message.get("body", b"") for message in sent) == answer
