"""The application: every page at its path, seen by those who are logged in, acted on by those who may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import NamedTuple

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flashsale.beside import beside
from flashsale.errors import (
    BadInput,
    FlashsaleError,
    Halted,
    NotFound,
    RefusedByState,
    UnknownOutcome,
    Unreachable,
)
from flashsale.operator import dead_letters, door, events, live, orders, pages, sale
from flashsale.operator.desk import Desk
from flashsale.operator.door import Door
from flashsale.operator.headers import Dressed
from flashsale.operator.sessions import Login
from flashsale.operator.visit import Visit, fields, form

log = structlog.get_logger(__name__)

#: Pages made at the same time: each has connections of its own, and the role in Postgres has 20 for everybody.
WORKS_MAX = 4

#: Makes a page, in a thread of its own: it may wait for servers.
Handler = Callable[[Desk, Visit], Response]


class Page(NamedTuple):
    """One page or action."""

    method: str
    path: str
    make: Handler
    #: for operators alone: it acts, or it is the question before
    is_guarded: bool = False
    #: it shows what was seen last, so it is there while other pages wait for servers
    is_from_memory: bool = False


PAGES = (
    Page("GET", "/", live.show, is_from_memory=True),
    Page("GET", "/live", live.news, is_from_memory=True),
    Page("GET", "/sales/{sale}", sale.show),
    Page("POST", "/sales/{sale}/compare", sale.compare, is_guarded=True),
    Page("GET", "/sales/{sale}/do/{action}", sale.ask, is_guarded=True),
    Page("POST", "/sales/{sale}/do/{action}", sale.carry_out, is_guarded=True),
    Page("GET", "/sales/{sale}/events", events.browse),
    Page("GET", "/sales/{sale}/orders/{order}", orders.story),
    Page("GET", "/orders", orders.search),
    Page("GET", "/dead-letters", dead_letters.groups),
    Page("GET", "/dead-letters/{sale}/retry", dead_letters.ask_retry, is_guarded=True),
    Page("POST", "/dead-letters/{sale}/retry", dead_letters.retry, is_guarded=True),
    Page("GET", "/dead-letters/{sale}/{position}", dead_letters.show),
    Page("GET", "/dead-letters/{sale}/{position}/discard", dead_letters.ask_discard, is_guarded=True),
    Page("POST", "/dead-letters/{sale}/{position}/discard", dead_letters.discard, is_guarded=True),
)

#: What went wrong → status.
_STATUS: tuple[tuple[type[FlashsaleError], int], ...] = (
    (BadInput, 400),
    (NotFound, 404),
    (RefusedByState, 409),
    (Halted, 409),
    (Unreachable, 503),
)
_STATIC = {
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
    "live.js": "text/javascript",
    "uplot/uPlot.min.css": "text/css",
    "uplot/uPlot.min.js": "text/javascript",
}


def application(desk: Desk, people: Door) -> Starlette:
    """All pages, the way in, and what they are drawn with."""
    rooms = {is_from_memory: asyncio.Semaphore(WORKS_MAX) for is_from_memory in (False, True)}
    routes = [
        Route(page.path, _endpoint(page, desk, people, rooms[page.is_from_memory]), methods=[page.method])
        for page in PAGES
    ]
    routes += [
        Route("/login", people.show, methods=["GET"]),
        Route("/login", people.enter, methods=["POST"]),
        Route("/logout", people.leave, methods=["POST"]),
        *(Route(f"/static/{name}", _static(name, kind)) for name, kind in _STATIC.items()),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_routed})
    app.router.redirect_slashes = False
    app.add_middleware(Dressed)
    return app


def _endpoint(
    page: Page, desk: Desk, people: Door, room: asyncio.Semaphore
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        login = people.login_of(request)
        if login is None:
            return pages.see("/login") if page.path != "/live" else JSONResponse({"login": True}, 401)
        try:
            visit = Visit(login, request.path_params, await _fields(page, request, login))
            async with room:
                return await asyncio.wrap_future(beside(lambda: page.make(desk, visit), "operator-page"))
        except FlashsaleError as error:
            return _told(login, error)
        except Exception:
            log.exception("a page failed", action="operator_fault")
            return pages.page(
                "error.html", login, 500, sentence="This is a fault in flashsale; its log has more."
            )

    return endpoint


async def _fields(page: Page, request: Request, login: Login) -> dict[str, str]:
    if page.is_guarded and not login.person.may_act:
        raise door.Forbidden(f"{login.person.name} is a viewer: only an operator may do this")
    if page.method == "GET":
        return fields(request.url.query)
    given = await form(request)
    door.check_form(login.form_token, given.pop("form_token", ""))
    return given


def _told(login: Login, error: FlashsaleError) -> Response:
    """A page that says what went wrong, and whether it is known."""
    if isinstance(error, door.Forbidden):
        return pages.page("error.html", login, 403, sentence=str(error))
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status == 500:
        log.error("a page failed", action="operator_fault", exc_info=error)
    title = "Whether it was done is not known" if isinstance(error, UnknownOutcome) else ""
    return pages.page("error.html", login, status, sentence=str(error), title=title)


def _static(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = (files("flashsale.operator") / "static" / name).read_bytes()

    async def endpoint(request: Request) -> Response:  # noqa: ARG001  # a handler takes one
        return Response(content, media_type=kind)

    return endpoint


async def _not_routed(request: Request, error: Exception) -> Response:  # noqa: ARG001  # a handler takes both
    """What no path or method fits."""
    assert isinstance(error, HTTPException)
    sentence = "There is no such page." if error.status_code == 404 else "This cannot be done here."
    return pages.page("error.html", None, error.status_code, sentence=sentence)
