"""How a body is read that has arrived as a whole."""

from __future__ import annotations

import msgspec
import pytest
from starlette.requests import Request
from starlette.types import Message

from flashsale.gateway import problems
from flashsale.gateway.messages import RefundOrder
from flashsale.gateway.problems import Problem
from flashsale.gateway.reading import BODY, BODY_BYTES_MAX, body


def request_of(state: dict[str, object]) -> Request:
    """A request whose client has left, whatever of it has arrived."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    headers = [(b"content-type", b"application/json")]
    return Request({"type": "http", "state": state, "headers": headers}, receive)


def whole(content: bytes) -> Request:
    return request_of({BODY: bytearray(content)})


REFUND = msgspec.json.Decoder(RefundOrder)


async def test_what_is_here_is_taken_as_it_is() -> None:
    assert await body(whole(b'{"units": "keep"}'), REFUND, empty=b"{}") == RefundOrder("keep")
    assert await body(whole(b""), REFUND, empty=b"{}") == RefundOrder("restock")


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        # Whoever left in the middle has not said that the units are sold again.
        (request_of({}), problems.BAD_REQUEST),
        (whole(b" " * (BODY_BYTES_MAX + 1)), problems.TOO_LARGE),
    ],
    ids=["left", "too large"],
)
async def test_what_is_no_body_is_not_taken_for_an_empty_one(request_: Request, kind: problems.Kind) -> None:
    with pytest.raises(Problem) as caught:
        await body(request_, REFUND, empty=b"{}")
    assert caught.value.kind is kind
