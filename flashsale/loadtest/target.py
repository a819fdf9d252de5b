"""The gateway that is asked: where it is, who may ask there, and what its answers mean to the engine."""

from __future__ import annotations

import secrets
import ssl
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from flashsale.address import Address
from flashsale.bench.http_wire import Reply, packed, tls_of
from flashsale.commands import Answer, Code
from flashsale.errors import BadInput, UnknownOutcome, Unreachable
from flashsale.gateway import problems
from flashsale.gateway.tokens import Caller, Tokens
from flashsale.ids import START

TOKEN_S = 24 * 3600

#: Refusals that were decided, by the slug of their problem.
_REFUSED = {
    problems.SOLD_OUT.slug: Code.SOLD_OUT,
    problems.LIMIT_REACHED.slug: Code.LIMIT,
    problems.UNKNOWN_SKU.slug: Code.UNKNOWN_SKU,
    problems.UNKNOWN_ORDER.slug: Code.NOT_FOUND,
    problems.NOT_OPEN.slug: Code.NOT_OPEN,
    problems.PAUSED.slug: Code.PAUSED,
    problems.CLOSED.slug: Code.CLOSED,
    problems.WRONG_STATE.slug: Code.WRONG_STATE,
    problems.REFUND_DUE.slug: Code.REFUND_DUE,
    problems.IDEMPOTENCY_KEY_REUSED.slug: Code.CONFLICT,
}
#: Nothing was done, and asking again may help.
_NOT_DONE = frozenset([problems.UNAVAILABLE.slug, problems.OVERLOADED.slug])
_AGAIN = "Idempotency-Replayed".lower().encode()


class Target(NamedTuple):
    """One sale behind one gateway."""

    address: Address
    host: str
    tls: ssl.SSLContext | None
    sale: str
    sku: str
    #: signs for buyers and the till; None: the gateway believes what it is told, as in a demo
    tokens: Tokens | None

    @classmethod
    def at(cls, url: str, sale: str, sku: str, tokens: Tokens | None) -> Target:
        """Raises `BadInput` for what is no URL of a gateway."""
        remedy = "write it like http://127.0.0.1:8080, without a path"
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise BadInput("url", url, remedy) from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise BadInput("url", url, remedy)
        return cls(Address(parts.hostname, port), parts.netloc, tls_of(parts.scheme), sale, sku, tokens)

    def page(self, etag: str = "") -> bytes:
        """Look at the sale; with an ETag, at what is new."""
        return packed("GET", self.host, self._path(), {"If-None-Match": etag} if etag else {})

    def join(self, buyer: str) -> bytes:
        """Join the waiting room, or ask again."""
        return packed("POST", self.host, self._path("/queue"), self._asking(Caller("buyer", buyer)), b"")

    def order(self, buyer: str, key: str, quantity: int, admitted_by: str = "") -> bytes:
        """`admitted_by`: the pass of the waiting room, where there is one."""
        headers = self._asking(Caller("buyer", buyer)) | {"Idempotency-Key": key}
        if admitted_by:
            headers["Flashsale-Pass"] = admitted_by
        body = msgspec.json.encode({"sku": self.sku, "quantity": quantity})
        return packed("POST", self.host, self._path("/orders"), headers, body)

    def confirm(self, order: str) -> bytes:
        return self._change(order, "confirm", Caller("service", "loadtest"))

    def cancel(self, order: str, buyer: str) -> bytes:
        return self._change(order, "cancel", Caller("buyer", buyer))

    def refund(self, order: str, units: str) -> bytes:
        """`units`: restock or keep."""
        return self._change(
            order, "refund", Caller("service", "loadtest"), msgspec.json.encode({"units": units})
        )

    def _change(self, order: str, verb: str, caller: Caller, body: bytes = b"") -> bytes:
        return packed("POST", self.host, self._path(f"/orders/{order}/{verb}"), self._asking(caller), body)

    def _path(self, rest: str = "") -> str:
        return f"/v1/sales/{self.sale}{rest}"

    def _asking(self, caller: Caller) -> dict[str, str]:
        if self.tokens is None:
            return {"Authorization": f"Demo {caller.role}:{caller.name}"}
        return {"Authorization": f"Bearer {self.tokens.issue(caller, TOKEN_S)}"}


class Told(NamedTuple):
    """What one answer over HTTP says."""

    #: or why there is none
    answer: Answer | Unreachable
    #: of which order
    order: str = ""
    #: asking again is welcome after this pause; 0: it changes nothing
    retry_s: float = 0.0

    @property
    def word(self) -> str:
        if isinstance(self.answer, Answer):
            return self.answer.code
        return "unknown" if isinstance(self.answer, UnknownOutcome) else str(self.answer)


def told(reply: Reply | None, done: Code) -> Told:
    """What an answer to an order, or to a change of one, says. `done`: the word for what was asked for."""
    if reply is None:
        return Told(UnknownOutcome("the connection ended before the answer came"), retry_s=0.5)
    try:
        content: dict[str, Any] = msgspec.json.decode(reply.body, type=dict[str, Any])
        if reply.status < 300:
            return _done(reply, content, done)
        return _refused(reply.status, content)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return Told(UnknownOutcome(f"status {reply.status} with a body that says nothing"), retry_s=0.5)


def _done(reply: Reply, content: dict[str, Any], done: Code) -> Told:
    """It was done, now or before: then `status` says what the order is by now."""
    is_repeated = reply.header(_AGAIN) == b"true" or content.get("repeated") is True
    detail = str(content["hold_until_ms"]) if done is Code.RESERVED else ""
    return Told(Answer(done, START, detail, content["status"] if is_repeated else ""), content["order"])


def _refused(status: int, content: dict[str, Any]) -> Told:
    slug = str(content["type"]).rpartition("#")[2]
    retry_s = float(content.get("retry_after_ms", 0)) / 1000
    if slug in _REFUSED:
        # Only what was done can be a repeat: of these, a payment that must go back.
        before = "refund_due" if content.get("repeated") is True else ""
        return Told(Answer(_REFUSED[slug], START, "", before))
    if slug in _NOT_DONE or 400 <= status < 500:
        return Told(Unreachable(slug), retry_s=retry_s)
    # Whatever else it is, it does not say that nothing was done.
    return Told(UnknownOutcome(slug), retry_s=retry_s or 0.5)


def new_name(what: str) -> str:
    """A name that no other run has."""
    return f"{what}-{secrets.token_hex(4)}"
