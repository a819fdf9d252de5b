"""What goes wrong over HTTP: RFC 9457 problems, each of a kind that docs/problems.md explains."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from flashsale.errors import BadInput, Halted, Overloaded, UnknownOutcome, Unreachable
from flashsale.gateway.ready import Ready

TYPES = "https://github.com/flashsale/flashsale/blob/main/docs/problems.md#"
MEDIA_TYPE = "application/problem+json"
#: An answer to one caller; the next one gets another.
PRIVATE = {"Cache-Control": "no-store"}


class Kind(NamedTuple):
    """One kind of problem. Its slug is a promise: clients branch on the type."""

    slug: str
    status: int
    title: str
    #: when to ask again, at the earliest; 0: asking again does not help. Each caller is told up to twice as long
    retry_ms: int = 0

    @property
    def type(self) -> str:
        return TYPES + self.slug


BAD_REQUEST = Kind("bad-request", 400, "The request is malformed")
IDEMPOTENCY_KEY_MISSING = Kind("idempotency-key-missing", 400, "The request has no Idempotency-Key")
UNAUTHENTICATED = Kind("unauthenticated", 401, "Who asks is not known")
FORBIDDEN = Kind("forbidden", 403, "Who asks may not do this")
PASS_REQUIRED = Kind("pass-required", 403, "The sale lets in whoever has a pass of its waiting room")
NOT_FOUND = Kind("not-found", 404, "There is nothing here")
UNKNOWN_SALE = Kind("unknown-sale", 404, "There is no such sale")
UNKNOWN_SKU = Kind("unknown-sku", 404, "The sale has no such SKU")
UNKNOWN_ORDER = Kind("unknown-order", 404, "There is no such order")
NOT_IN_LINE = Kind("not-in-line", 404, "This buyer does not wait, and has no pass")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This cannot be done here")
TOO_SLOW = Kind("too-slow", 408, "The request took too long to arrive", 1_000)
SOLD_OUT = Kind("sold-out", 409, "Fewer units are left than were asked for")
LIMIT_REACHED = Kind("limit-reached", 409, "That is more than one buyer may have")
NOT_OPEN = Kind("not-open", 409, "The sale is not open yet", 3_000)
PAUSED = Kind("paused", 409, "The sale is paused", 3_000)
CLOSED = Kind("closed", 409, "The sale is over")
WRONG_STATE = Kind("wrong-state", 409, "The order's present state does not allow this")
REFUND_DUE = Kind("refund-due", 409, "The payment is recorded, and must go back")
TOO_LARGE = Kind("too-large", 413, "The request is too large")
NO_JSON = Kind("no-json", 415, "The body is not said to be JSON")
IDEMPOTENCY_KEY_REUSED = Kind(
    "idempotency-key-reused", 422, "The Idempotency-Key belongs to another purchase"
)
TOO_MANY_REQUESTS = Kind("too-many-requests", 429, "This buyer asks too often", 1_000)
HEADERS_TOO_LARGE = Kind("headers-too-large", 431, "The headers are too large")
INTERNAL = Kind("internal", 500, "Something unexpected happened", 1_000)
UNKNOWN_OUTCOME = Kind(
    "unknown-outcome", 503, "Whether it was done is not known: ask again, with the same key", 500
)
UNAVAILABLE = Kind("unavailable", 503, "Nothing was done: a server is away", 1_000)
OVERLOADED = Kind("overloaded", 503, "Nothing was done: too many are waiting", 2_000)
HALTED = Kind("halted", 503, "The sale has halted rather than guess", 10_000)

KINDS = tuple(kind for kind in globals().values() if isinstance(kind, Kind))


class Problem(Exception):
    """One problem of one request; `more` are members of its kind, like `available`."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        retry_ms: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.more = kind, detail, more
        self._headers = headers or {}
        self._retry_ms = kind.retry_ms if retry_ms is None else retry_ms

    @classmethod
    def of(cls, response: Response) -> Problem:
        """The problem that such a response tells."""
        content: dict[str, Any] = msgspec.json.decode(bytes(response.body))
        (kind,) = (kind for kind in KINDS if kind.type == content["type"])
        more = {
            name: value
            for name, value in content.items()
            if name not in ("type", "title", "status", "detail")
        }
        return cls(kind, content["detail"], **more)

    def response(self) -> Response:
        kind = self.kind
        content: dict[str, Any] = {
            "type": kind.type,
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            **self.more,
        }
        headers = {**PRIVATE, **self._headers}
        if self._retry_ms:
            # Spread out: they all failed at the same moment, and must not all come back at one.
            content["retry_after_ms"] = wait_ms = random.randint(self._retry_ms, 2 * self._retry_ms)  # noqa: S311  # jitter
            headers["Retry-After"] = str(math.ceil(wait_ms / 1000))
        return Ready(msgspec.json.encode(content), kind.status, headers, MEDIA_TYPE)


def problem_of(error: BaseException) -> Problem:
    """The problem that an exception is over HTTP: an `INTERNAL` one when nobody expected it."""
    match error:
        case UnknownOutcome():
            return Problem(
                UNKNOWN_OUTCOME, "the reply was lost: ask again with the same key, and get the same answer"
            )
        case Overloaded():
            return Problem(OVERLOADED, "too many requests are waiting already")
        case Unreachable():
            return Problem(UNAVAILABLE, "a server that decides cannot be reached, or refuses to work for now")
        case Halted():
            return Problem(
                HALTED, "what Redis holds of this sale is damaged or lost; nothing is sold from it"
            )
        case BadInput():
            return Problem(BAD_REQUEST, str(error), field=error.field)
        case _:
            return Problem(INTERNAL, "this is a fault in flashsale; its log has more")
