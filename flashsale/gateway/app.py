"""The application: every operation at its path, and a problem for whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from flashsale.errors import FlashsaleError
from flashsale.gateway import problems
from flashsale.gateway.health import Health
from flashsale.gateway.hot_paths import HotPaths
from flashsale.gateway.openapi import document
from flashsale.gateway.operations import OPERATIONS
from flashsale.gateway.orders import Orders
from flashsale.gateway.problems import Problem, problem_of
from flashsale.gateway.sale_state import SaleStates

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

#: It changes with a new version only.
_DOCUMENT_CACHE = {"Cache-Control": "public, max-age=300"}


def application(orders: Orders, states: SaleStates, health: Health) -> ASGIApp:
    """The whole of /v1, and what a load balancer asks."""
    handlers: dict[str, Handler] = {
        "get_sale": states.get,
        "place_order": orders.place,
        "get_order": orders.read,
        "cancel_order": orders.cancel,
        "confirm_order": orders.confirm,
        "refund_order": orders.refund,
        "is_alive": health.alive,
        "is_ready": health.ready,
    }
    endpoints = {operation.name: _guarded(handlers[operation.name]) for operation in OPERATIONS}
    routes = [
        Route(operation.path, endpoints[operation.name], methods=[operation.method])
        for operation in OPERATIONS
    ]
    routes.append(Route("/v1/openapi.json", _document(), methods=["GET"]))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_routed})
    # One path for each resource: a redirect would lead to whatever host the request names.
    app.router.redirect_slashes = False
    return HotPaths(app, page=endpoints["get_sale"], order=endpoints["place_order"])


def _document() -> Handler:
    content = msgspec.json.encode(document())

    async def openapi(request: Request) -> Response:  # noqa: ARG001  # a handler takes one
        return Response(content, headers=_DOCUMENT_CACHE, media_type="application/json")

    return openapi


def _guarded(handler: Handler) -> Handler:
    """Whatever goes wrong becomes a problem; what nobody expected is logged, too."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Problem as problem:
            return problem.response()
        except FlashsaleError as error:
            told = problem_of(error)
            if told.kind is problems.INTERNAL:
                log.exception("a request failed", action="gateway_fault")
            return told.response()
        except asyncio.CancelledError:
            # The server can wait no longer; what has left is decided all the same.
            return _left_open(request).response()
        except Exception:
            log.exception("a request failed", action="gateway_fault")
            return Problem(problems.INTERNAL, "this is a fault in flashsale; its log has more").response()

    return endpoint


def _left_open(request: Request) -> Problem:
    if request.method == "GET":
        return Problem(problems.UNAVAILABLE, "this gateway leaves")
    return Problem(problems.UNKNOWN_OUTCOME, "this gateway leaves: ask again with the same key")


async def _not_routed(request: Request, error: Exception) -> Response:
    """What no path or method fits."""
    assert isinstance(error, HTTPException)
    if error.status_code == problems.METHOD_NOT_ALLOWED.status:
        sentence = f"{request.method} is not one of its methods"
        return Problem(problems.METHOD_NOT_ALLOWED, sentence, headers=error.headers).response()
    return Problem(problems.NOT_FOUND, "no resource has this path").response()
