"""The two requests of a crowd, answered before routing: the page of a sale, and an order.

Both go to the very handlers that the routes have; what is left out is the search for the route, and the layers around
it, which cost more than the page itself. Whatever is written in another way finds its route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]

_SALES = "/v1/sales/"


class HotPaths:
    """An application that knows two paths by itself. The handlers answer whatever goes wrong, too."""

    def __init__(self, app: ASGIApp, *, page: Handler, order: Handler) -> None:
        self._app = app
        #: method, and what follows the sale
        self._handlers = {("GET", ""): page, ("POST", "/orders"): order}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith(_SALES):
            end = path.find("/", len(_SALES))
            rest = "" if end < 0 else path[end:]
            handler = self._handlers.get((scope["method"], rest))
            sale = path[len(_SALES) : len(path) - len(rest)]
            if handler is not None and sale:
                scope["path_params"] = {"sale": sale}
                response = await handler(Request(scope, receive, send))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
