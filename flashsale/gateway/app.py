"""The application: every operation at its path, and a problem for whatever goes wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flashsale.errors import FlashsaleError
from flashsale.gateway import problems
from flashsale.gateway.health import Health
from flashsale.gateway.orders import Orders
from flashsale.gateway.problems import Problem, problem_of
from flashsale.gateway.sale_state import SaleStates

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

ORDERS = "/v1/sales/{sale}/orders"
ORDER = ORDERS + "/{order}"


def application(orders: Orders, states: SaleStates, health: Health) -> Starlette:
    """The whole of /v1, and what a load balancer asks."""
    handlers: list[tuple[str, str, Handler]] = [
        ("GET", "/v1/sales/{sale}", states.get),
        ("POST", ORDERS, orders.place),
        ("GET", ORDER, orders.read),
        ("POST", ORDER + "/confirm", orders.confirm),
        ("POST", ORDER + "/cancel", orders.cancel),
        ("POST", ORDER + "/refund", orders.refund),
        ("GET", "/healthz", health.alive),
        ("GET", "/readyz", health.ready),
    ]
    routes = [Route(path, _guarded(handler), methods=[method]) for method, path, handler in handlers]
    return Starlette(routes=routes, exception_handlers={HTTPException: _not_routed})


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
        except Exception:
            log.exception("a request failed", action="gateway_fault")
            return Problem(problems.INTERNAL, "this is a fault in flashsale; its log has more").response()

    return endpoint


async def _not_routed(request: Request, error: Exception) -> Response:
    """What no path or method fits."""
    assert isinstance(error, HTTPException)
    if error.status_code == problems.METHOD_NOT_ALLOWED.status:
        sentence = f"{request.method} is not one of its methods"
        return Problem(problems.METHOD_NOT_ALLOWED, sentence, headers=error.headers).response()
    return Problem(problems.NOT_FOUND, "no resource has this path").response()
