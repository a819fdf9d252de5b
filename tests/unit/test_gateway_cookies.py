"""Cookies of a request."""

from __future__ import annotations

import time

import pytest
from starlette.requests import Request

from flashsale.gateway.cookies import cookie


def request(*cookies: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", given.encode("latin-1")) for given in cookies]})


@pytest.mark.parametrize(
    ("cookies", "value"),
    [
        ([], None),
        (["other=x"], None),
        (["buyer"], None),
        (["xbuyer=x; buyerx=y"], None),
        (["buyer=a.b-c_d"], "a.b-c_d"),
        (["a=1; buyer=x;b=2"], "x"),
        (['buyer="x"'], "x"),
        (['buyer="'], '"'),
        (["buyer="], ""),
        (["buyer=x=="], "x=="),
        (["buyer=x; buyer=y"], "y"),
        (["a=1", "buyer=x"], "x"),
    ],
)
def test_one_cookie_is_found_by_its_name(cookies: list[str], value: str | None) -> None:
    assert cookie(request(*cookies), "buyer") == value


def test_no_cookie_takes_long_to_read() -> None:
    """Python's own reading took 3 s of CPU for this one, and everybody waited."""
    began_s = time.process_time()
    assert cookie(request('a="' + "\\" * 16_000 + '"; buyer=x'), "buyer") == "x"
    assert time.process_time() - began_s < 0.5
