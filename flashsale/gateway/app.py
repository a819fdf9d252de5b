"""The application: every operation at its path, and a problem for whatever goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from flashsale.gateway import problems, reading
from flashsale.gateway.feed import Feeds
from flashsale.gateway.health import Health
from flashsale.gateway.hot_paths import HotPaths
from flashsale.gateway.meter import Meter
from flashsale.gateway.openapi import document
from flashsale.gateway.operations import OPERATIONS
from flashsale.gateway.orders import Orders
from flashsale.gateway.problems import Problem, problem_of
from flashsale.gateway.queues import Queues
from flashsale.gateway.ready import Ready
from flashsale.gateway.sale_state import SaleStates

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]
#: Makes pages for browsers; it is given what carries out each operation, by name, and answers whatever goes wrong.
Pages = Callable[[Mapping[str, Handler]], Sequence[Route]]

#: It changes with a new version only.
_DOCUMENT_CACHE = {"Cache-Control": "public, max-age=300"}


def application(
    orders: Orders,
    queues: Queues,
    states: SaleStates,
    feeds: Feeds,
    health: Health,
    *,
    meter: Meter,
    pages: Pages = lambda _: [],
) -> ASGIApp:
    """The whole of /v1, and what a load balancer asks; beside it pages that are made of its answers."""
    handlers: dict[str, Handler] = {
        "get_sale": states.get,
        "follow_sale": feeds.follow,
        "join_queue": queues.join,
        "get_queue": queues.look,
        "leave_queue": queues.leave,
        "place_order": orders.place,
        "get_order": orders.read,
        "cancel_order": orders.cancel,
        "confirm_order": orders.confirm,
        "refund_order": orders.refund,
        "is_alive": health.alive,
        "is_ready": health.ready,
    }
    endpoints = {name: _measured(name, handler, meter) for name, handler in handlers.items()}
    routes = [
        Route(operation.path, endpoints[operation.name], methods=[operation.method])
        for operation in OPERATIONS
    ]
    routes.append(Route("/v1/openapi.json", _document(), methods=["GET"]))
    routes += pages({name: partial(answered, name, handler) for name, handler in handlers.items()})
    app = Starlette(routes=routes, exception_handlers={HTTPException: _unrouted(meter)})
    # One path for each resource: a redirect would lead to whatever host the request names.
    app.router.redirect_slashes = False
    return HotPaths(app, page=endpoints["get_sale"], order=endpoints["place_order"])


def _document() -> Handler:
    content = msgspec.json.encode(document())

    async def openapi(request: Request) -> Response:  # noqa: ARG001  # a handler takes one
        return Ready(content, headers=_DOCUMENT_CACHE, media_type="application/json")

    return openapi


def _measured(name: str, handler: Handler, meter: Meter) -> Handler:
    async def endpoint(request: Request) -> Response:
        began_s = time.perf_counter()
        response = await answered(name, handler, request)
        meter.answered(name, response.status_code, time.perf_counter() - began_s)
        return response

    return endpoint


async def answered(name: str, handler: Handler, request: Request) -> Response:
    """Whatever goes wrong becomes a problem."""
    try:
        return await handler(request)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - logged in `told`
        return told(error, request, name).response()


def told(error: BaseException, request: Request, operation: str) -> Problem:
    """What is being handled, as a problem of this request; what nobody expected is logged, too."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, asyncio.CancelledError):
        # The server can wait no longer; what has left is decided all the same.
        return _left_open(request)
    problem = problem_of(error)
    if problem.kind is problems.INTERNAL:
        trace_id = reading.trace_id(request) or None
        log.exception(  # noqa: LOG004 - whoever calls handles it
            "a request failed", action="gateway_fault", operation=operation, trace_id=trace_id
        )
    return problem


def _left_open(request: Request) -> Problem:
    if request.method == "GET":
        return Problem(problems.UNAVAILABLE, "this gateway leaves")
    return Problem(problems.UNKNOWN_OUTCOME, "this gateway leaves: ask again with the same key")


def _unrouted(meter: Meter) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        """What no path or method fits."""
        assert isinstance(error, HTTPException)
        problem = Problem(problems.NOT_FOUND, "no resource has this path")
        if error.status_code == problems.METHOD_NOT_ALLOWED.status:
            sentence = f"{request.method} is not one of its methods"
            problem = Problem(problems.METHOD_NOT_ALLOWED, sentence, headers=error.headers)
        meter.unrouted(problem.kind.status)
        return problem.response()

    return answer
