"""One request of somebody who is logged in: read within limits, and nothing is guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from flashsale.errors import BadInput
from flashsale.operator.sessions import Login

#: A reason for a discard, and then some.
FORM_BYTES_MAX = 8_192
FORM_S = 5.0
#: A sale has up to a thousand SKUs, and a form changes one limit.
FIELDS_MAX = 50

Fields = Mapping[str, str]


class Visit(NamedTuple):
    """Who asks for what."""

    login: Login
    #: parts of the path by their names
    path: Fields
    #: of the query, or of the form: each field once, without space around it, never empty
    fields: Fields


async def form(request: Request) -> dict[str, str]:
    """The fields of a form. Raises `BadInput`."""
    content = bytearray()
    try:
        async with asyncio.timeout(FORM_S):
            async for chunk in request.stream():
                content += chunk
                if len(content) > FORM_BYTES_MAX:
                    raise BadInput("form", f"more than {FORM_BYTES_MAX} bytes", "send less")
    except TimeoutError as error:
        raise BadInput("form", "a form that did not end", f"send it within {FORM_S:g} s") from error
    except ClientDisconnect as error:
        raise BadInput("form", "a form that broke off", "send it whole") from error
    return fields(content.decode("latin-1"))


def fields(text: str) -> dict[str, str]:
    """What a query or a form says. Raises `BadInput` for what no form of ours sends."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError as error:  # too many fields, or bytes that are not UTF-8
        # Not its text: it may hold a token, and stands in the log.
        raise BadInput("form", "a form that no page of ours sends", f"it cannot be read: {error}") from error
    found = {name: value.strip() for name, value in pairs}
    if len(found) < len(pairs):
        raise BadInput("form", "a field that stands there twice", "send each field once")
    return {name: value for name, value in found.items() if value}


def wanted(given: Fields, name: str) -> str:
    """A field that must be there. Raises `BadInput`."""
    if name not in given:
        raise BadInput(name, "", "fill it in")
    return given[name]
