"""Whatever goes wrong in a handler is a problem, and a fault is logged once, in one way."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from flashsale.errors import BadInput, FlashsaleError, Halted, Overloaded, UnknownOutcome, Unreachable
from flashsale.gateway import problems
from flashsale.gateway.app import answered
from flashsale.gateway.problems import Kind, Problem
from flashsale.gateway.reading import trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def request(*traceparents: str, method: str = "POST") -> Request:
    headers = [(b"traceparent", text.encode("latin-1")) for text in traceparents]
    return Request({"type": "http", "method": method, "headers": headers})


async def handled(error: BaseException, asked: Request) -> tuple[Response, list[dict[str, object]]]:
    async def fails(request: Request) -> Response:
        raise error

    with capture_logs() as logs:
        return await answered("place_order", fails, asked), list(map(dict, logs))


@pytest.mark.parametrize("error", [ValueError("x"), FlashsaleError("x"), KeyError("x"), RecursionError()])
async def test_a_fault_is_logged_with_its_operation_and_its_trace(error: Exception) -> None:
    response, logs = await handled(error, request(PARENT))

    assert response.status_code == 500
    assert b"#internal" in bytes(response.body)
    assert logs == [
        {
            "action": "gateway_fault",
            "event": "a request failed",
            "exc_info": True,
            "log_level": "error",
            "operation": "place_order",
            "trace_id": TRACE,
        }
    ]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnknownOutcome(), problems.UNKNOWN_OUTCOME),
        (Overloaded(), problems.OVERLOADED),
        (Unreachable(), problems.UNAVAILABLE),
        (Halted(), problems.HALTED),
        (BadInput("sku", "", "x"), problems.BAD_REQUEST),
        (Problem(problems.SOLD_OUT, "x"), problems.SOLD_OUT),
        (asyncio.CancelledError(), problems.UNKNOWN_OUTCOME),
    ],
)
async def test_what_is_expected_is_not_logged(error: BaseException, kind: Kind) -> None:
    response, logs = await handled(error, request())

    assert response.status_code == kind.status
    assert f"#{kind.slug}".encode() in bytes(response.body)
    assert logs == []


def test_a_trace_id_is_what_stands_between_the_first_two_dashes() -> None:
    assert trace_id(request(PARENT)) == TRACE
    assert trace_id(request(f" {PARENT} ")) == TRACE
    assert trace_id(request("01" + PARENT[2:] + "-more")) == TRACE, "a later version may have more"


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("",),
        (TRACE,),
        (PARENT, PARENT),
        (PARENT + "-more",),
        ("ff" + PARENT[2:],),
        (PARENT.upper(),),
        (PARENT.replace(TRACE, "0" * 32),),
        (PARENT.replace("00f067aa0ba902b7", "0" * 16),),
        (PARENT[:-1],),
        ("\u00e9" * 55,),
    ],
)
def test_what_cannot_be_read_is_no_trace(given: tuple[str, ...]) -> None:
    assert trace_id(request(*given)) == ""
