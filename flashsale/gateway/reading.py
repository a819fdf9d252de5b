"""Read a request: its body and its key, within limits, and nothing is guessed."""

from __future__ import annotations

import asyncio
import re
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request

from flashsale.gateway import problems
from flashsale.gateway.problems import Problem

#: Ten times the longest order.
BODY_BYTES_MAX = 4_096
#: A phone on a bad network sends a hundred bytes in less.
BODY_S = 5.0
KEY_LENGTH_MAX = 200
#: More than any form has.
FIELDS_MAX = 16
#: In the state of a request, set by the protocol: its body, when all of it has arrived.
BODY = "flashsale.body"

#: The rest of a body that nobody reads must not be taken for the next request.
_HANG_UP = {"Connection": "close"}

#: W3C Trace Context: version, trace-id, parent-id, flags; later versions may have more behind. `ff` is no version.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)

T = TypeVar("T")


def header(request: Request, name: bytes) -> list[str]:
    """The values of a header, by its name in lower case.

    From what the server has: `Request.headers` is made anew for each request, and goes through all of them in Python.
    """
    return [value.decode("latin-1") for key, value in request.scope["headers"] if key == name]


async def body(request: Request, decoder: msgspec.json.Decoder[T], *, empty: bytes = b"") -> T:
    """The body as a message. `empty`: what no body stands for. Raises `Problem`."""
    content = await _content(request)
    if content and _media_type(request) != "application/json":
        raise Problem(problems.NO_JSON, "send it with Content-Type: application/json")
    try:
        return decoder.decode(content or empty)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Problem(problems.BAD_REQUEST, f"the body is not accepted: {error}") from error


def _media_type(request: Request) -> str:
    given = header(request, b"content-type")
    return given[0].partition(";")[0].strip().lower() if given else ""


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, as a browser sends them; of two with one name, the last. Raises `Problem`."""
    content = await _content(request)
    try:
        return dict(parse_qsl(content.decode(), max_num_fields=FIELDS_MAX))
    except ValueError as error:
        raise Problem(problems.BAD_REQUEST, f"the form is not accepted: {error}") from error


async def _content(request: Request) -> bytearray:
    # An alarm for a body that is here, and a look for more, would cost more than the rest of its reading.
    arrived: bytearray | None = request.scope["state"].get(BODY)
    if arrived is not None:
        return _within_limit(arrived)
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                content += chunk
                _within_limit(content)
    except TimeoutError as error:
        sentence = f"the body took longer than {BODY_S:g} s"
        raise Problem(problems.TOO_SLOW, sentence, headers=_HANG_UP) from error
    except ClientDisconnect as error:
        raise Problem(problems.BAD_REQUEST, "the connection ended before the body did") from error
    return content


def _within_limit(content: bytearray) -> bytearray:
    if len(content) > BODY_BYTES_MAX:
        sentence = f"a body has at most {BODY_BYTES_MAX} bytes"
        raise Problem(problems.TOO_LARGE, sentence, headers=_HANG_UP)
    return content


def idempotency_key(request: Request) -> str:
    """The key, quoted or bare: `"cart-4711"` and `cart-4711` are the same. Raises `Problem`."""
    given = header(request, b"idempotency-key")
    if not given:
        sentence = "send Idempotency-Key: the same one with every retry of this purchase, and with no other"
        raise Problem(problems.IDEMPOTENCY_KEY_MISSING, sentence)
    key = given[0].strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(given) > 1 or not (1 <= len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        sentence = f"Idempotency-Key: use one of 1 to {KEY_LENGTH_MAX} printable ASCII characters"
        raise Problem(problems.BAD_REQUEST, sentence, field="Idempotency-Key")
    return key


def trace_id(request: Request) -> str:
    """The trace id of the header `traceparent`; empty when there is none that can be read: then nobody follows it."""
    given = header(request, b"traceparent")
    match = _TRACEPARENT.fullmatch(given[0].strip()) if len(given) == 1 else None
    if match is None or (match[2] and given[0].strip().startswith("00")):
        return ""
    return match[1]
