"""Every answer carries the headers that keep other pages and scripts out."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flashsale.operator.pages import HEADERS

_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class Dressed:
    """The application, and around it these headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_RAW]
            await send(message)

        await self._app(scope, receive, dressed)
