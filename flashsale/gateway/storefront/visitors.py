"""Who visits a page: a browser shows the shop's token as a cookie, and a form must come from a page of ours."""

from __future__ import annotations

import re
import secrets

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flashsale.gateway import problems
from flashsale.gateway.cookies import cookie
from flashsale.gateway.problems import Problem

#: The shop sets it, with a buyer's token: HttpOnly, Secure, SameSite=Lax.
COOKIE = "flashsale_buyer"
#: With --demo-auth this gateway sets one by itself: any browser is somebody.
DEMO_COOKIE = "flashsale_demo_buyer"
DEMO_COOKIE_S = 7 * 86_400

_DEMO_NAME = re.compile(r"demo-[0-9a-f]{12}")


class Visitor(msgspec.Struct, frozen=True):
    """One request's credentials, as the API wants them; whether they are true is for the API to say."""

    #: headers, in the form of ASGI
    credentials: tuple[tuple[bytes, bytes], ...]
    #: a demo buyer who was made just now, for whom the answer sets the cookie; empty: none
    newcomer: str = ""

    def greeted(self, response: Response) -> Response:
        """The answer, with the cookie of a newcomer. It is for this machine only, so it needs no TLS."""
        if self.newcomer:
            response.set_cookie(
                DEMO_COOKIE, self.newcomer, max_age=DEMO_COOKIE_S, httponly=True, samesite="lax"
            )
        return response


class Visitors:
    """Finds out who visits. `buyer_header`: what a trusted proxy names buyers in; None: there is none."""

    def __init__(self, buyer_header: str | None, *, demo: bool) -> None:
        self._buyer_header = None if buyer_header is None else buyer_header.lower().encode()
        self._demo = demo

    def of(self, request: Request) -> Visitor:
        """Who asks for this page."""
        named = tuple(pair for pair in request.scope["headers"] if pair[0] == self._buyer_header)
        if named:
            return Visitor(named)
        if self._demo:
            return _demo_visitor(request)
        token = cookie(request, COOKIE)
        return Visitor(() if token is None else ((b"authorization", f"Bearer {token}".encode()),))


def _demo_visitor(request: Request) -> Visitor:
    name = cookie(request, DEMO_COOKIE) or ""
    newcomer = "" if _DEMO_NAME.fullmatch(name) else f"demo-{secrets.token_hex(6)}"
    return Visitor(((b"authorization", f"Demo buyer:{newcomer or name}".encode()),), newcomer)


def check_origin(request: Request) -> None:
    """Refuse a form that another site sends. Raises `Problem`.

    Cookies are SameSite=Lax already; this holds, too, against the shop's sister domains, which are of the same site.
    """
    said = request.headers.get("sec-fetch-site")
    if said is not None:
        ours = said == "same-origin"
    else:
        # Browsers that do not say it, and pages that no TLS protects: the origin of the page must be this host.
        host, origin = request.headers.get("host", ""), request.headers.get("origin", "")
        ours = bool(host) and origin in (f"http://{host}", f"https://{host}")
    if not ours:
        raise Problem(problems.FORBIDDEN, "this form was not sent by a page of this shop")
