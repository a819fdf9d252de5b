"""Read one cookie of a request."""

from __future__ import annotations

from starlette.requests import Request

from flashsale.gateway.reading import header


def cookie(request: Request, name: str) -> str | None:
    """The value of the cookie of that name, the last one if there are several; None: there is none.

    The library's reading of a quoted value takes seconds for one of 16 KB, before Python 3.11.10 and 3.12.6
    (CVE-2024-7592), and everybody waits meanwhile. No value of ours has a character that needs more than quotes.
    """
    found = None
    for given in header(request, b"cookie"):
        for pair in given.split(";"):
            key, equals, value = pair.partition("=")
            if equals and key.strip() == name:
                found = value.strip()
    if found is not None and len(found) >= 2 and found[0] == found[-1] == '"':
        return found[1:-1]
    return found
