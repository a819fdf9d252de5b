"""The way in: a token is exchanged for a session, and the session's cookie opens the pages."""

from __future__ import annotations

import secrets
import time

import structlog
from starlette.requests import Request
from starlette.responses import Response

from flashsale.errors import BadInput, FlashsaleError
from flashsale.gateway.cookies import cookie
from flashsale.gateway.seal import Untrue
from flashsale.operator import pages
from flashsale.operator.people import PersonTokens
from flashsale.operator.sessions import Attempts, Login, Sessions
from flashsale.operator.visit import form

log = structlog.get_logger(__name__)

#: With Secure, browsers let nobody but this very host set a cookie of such a name.
_SECURE_PREFIX = "__Host-"
_SESSION = "flashsale_operator"
#: What the form for the token carries before there is a session.
_BEFORE = "flashsale_operator_login"


class Forbidden(FlashsaleError):
    """Whoever asks may not do this."""


class Door:
    """Lets people in and out. `behind_tls`: browsers reach it by a proxy that speaks TLS."""

    def __init__(self, tokens: PersonTokens, *, behind_tls: bool) -> None:
        self._tokens, self._behind_tls = tokens, behind_tls
        self._sessions, self._attempts = Sessions(), Attempts()
        prefix = _SECURE_PREFIX if behind_tls else ""
        self._session_cookie, self._before_cookie = prefix + _SESSION, prefix + _BEFORE

    def login_of(self, request: Request) -> Login | None:
        """Who asks; None: nobody who is logged in."""
        return self._sessions.find(cookie(request, self._session_cookie))

    async def show(self, request: Request) -> Response:
        """The form for a token."""
        if self.login_of(request) is not None:
            return pages.see("/")
        return self._form(200, "")

    async def enter(self, request: Request) -> Response:
        """Exchange a token for a session."""
        address = request.client.host if request.client else ""
        if wait_s := self._attempts.wait_s(address, time.monotonic()):
            refused = self._form(429, f"Too many attempts: wait {wait_s:.0f} s.")
            refused.headers["Retry-After"] = str(int(wait_s) + 1)
            return refused
        try:
            given = await form(request)
            check_form(cookie(request, self._before_cookie) or "", given.get("form_token", ""))
            person, ends_s = self._tokens.read(given.get("token", ""))
        except (Untrue, Forbidden, BadInput) as error:
            why = str(error)
            if isinstance(error, Untrue):
                # Not a form that is none of ours: any page that somebody looks at elsewhere can have it sent from here.
                self._attempts.failed(address, time.monotonic())
                log.warning(why, action="operator_login_refused", address=address)
            return self._form(403, f"{why[:1].upper()}{why[1:]}.")
        log.info("somebody logged in", action="operator_login", by=person.actor, role=person.role)
        response = pages.see("/")
        self._set(response, self._session_cookie, self._sessions.begin(person, ends_s))
        response.delete_cookie(self._before_cookie, secure=self._behind_tls, httponly=True, samesite="strict")
        return response

    async def leave(self, request: Request) -> Response:
        """Log out; the cookie opens nothing any more."""
        login = self.login_of(request)
        if login is not None:
            try:
                check_form(login.form_token, (await form(request)).get("form_token", ""))
            except (Forbidden, BadInput) as error:
                return pages.page("error.html", login, 403, sentence=str(error))
            self._sessions.end(cookie(request, self._session_cookie))
        return pages.see("/login")

    def _form(self, status: int, refusal: str) -> Response:
        token = secrets.token_urlsafe(32)
        response = pages.page("login.html", None, status, form_token=token, refusal=refusal)
        self._set(response, self._before_cookie, token)
        return response

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(name, value, httponly=True, samesite="strict", secure=self._behind_tls, path="/")


def check_form(expected: str, given: str) -> None:
    """Raises `Forbidden` for a form that does not come from a page of ours."""
    if not expected or not secrets.compare_digest(expected.encode(), given.encode()):
        raise Forbidden("this form does not belong to your session: load its page again")
