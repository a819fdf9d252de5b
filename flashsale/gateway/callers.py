"""Who a request comes from: by a signed token, by the header of a trusted proxy, or, in a demo, by what it says."""

from __future__ import annotations

import ipaddress
import re

from starlette.requests import Request

from flashsale import ids
from flashsale.errors import BadInput
from flashsale.gateway import problems
from flashsale.gateway.problems import Problem
from flashsale.gateway.reading import header
from flashsale.gateway.tokens import Caller, Role, Tokens, Untrue
from flashsale.settings import Settings

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Callers:
    """Tells who asks. Refuses to be made when nobody could be believed."""

    def __init__(
        self, tokens: Tokens | None, buyer_header: str | None, proxies: tuple[Network, ...], *, demo: bool
    ) -> None:
        self._tokens, self._proxies, self._demo = tokens, proxies, demo
        #: in which a trusted proxy names the buyer; None: there is none
        self.buyer_header = buyer_header
        self._header = (buyer_header or "").lower().encode()

    @classmethod
    def configured(cls, settings: Settings, *, demo: bool = False) -> Callers:
        """By the settings. Raises `BadInput` for faulty ones, and when they leave nobody to believe."""
        header = settings.gateway_buyer_header
        if header is not None and _HEADER.fullmatch(header) is None:
            raise BadInput("gateway_buyer_header", header, "use the name of a header, like X-Buyer")
        needs_no_token = settings.gateway_keys is None and (header is not None or demo)
        tokens = None if needs_no_token else Tokens(settings.gateway_secrets)
        return cls(tokens, header, _networks(settings.gateway_proxies), demo=demo)

    def of(self, request: Request) -> Caller:
        """Who asks. Raises `Problem`."""
        if self.buyer_header is not None and (named := header(request, self._header)):
            return self._of_proxy(request, named)
        shown = header(request, b"authorization") or [""]
        scheme, _, credentials = shown[0].partition(" ")
        if scheme.lower() == "bearer" and self._tokens is not None:
            try:
                return self._tokens.read(credentials.strip())
            except Untrue as error:
                raise _unknown(str(error)) from error
        if scheme.lower() == "demo" and self._demo:
            return _of_demo(credentials)
        raise _unknown("the request does not say who asks")

    def buyer(self, request: Request) -> str:
        """The buyer who asks. Raises `Problem`, also for a service."""
        return self._in_role(request, "buyer").name

    def service(self, request: Request) -> str:
        """The service that asks. Raises `Problem`, also for a buyer."""
        return self._in_role(request, "service").name

    def _in_role(self, request: Request, role: Role) -> Caller:
        caller = self.of(request)
        if caller.role != role:
            raise Problem(problems.FORBIDDEN, f"only a {role} may do this, and a {caller.role} asks")
        return caller

    def _of_proxy(self, request: Request, named: list[str]) -> Caller:
        try:
            address = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            address = None
        if address is None or not any(address in network for network in self._proxies):
            raise _unknown(f"{self.buyer_header} is believed from a trusted proxy only")
        if len(named) > 1:
            raise _unknown(f"{self.buyer_header} stands there {len(named)} times")
        return _caller("buyer", named[0])


def _of_demo(text: str) -> Caller:
    """`buyer:ada` or `service:till`."""
    role, _, name = text.strip().partition(":")
    if role == "buyer":
        return _caller("buyer", name)
    if role == "service":
        return _caller("service", name)
    raise _unknown("write Demo buyer:NAME or Demo service:NAME")


def _caller(role: Role, name: str) -> Caller:
    try:
        return Caller(role, ids.buyer(name))
    except BadInput as error:
        raise _unknown(str(error)) from error


def _unknown(why: str) -> Problem:
    return Problem(problems.UNAUTHENTICATED, why, headers={"WWW-Authenticate": 'Bearer realm="flashsale"'})


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise BadInput(
            "gateway_proxies", text, f"use addresses and networks with spaces between: {error}"
        ) from error
