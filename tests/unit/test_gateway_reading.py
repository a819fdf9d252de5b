"""How a body is read that has arrived as a whole."""

from __future__ import annotations

import msgspec
import pytest
from starlette.requests import Request
from starlette.types import Message

from flashsale.gateway import problems
from flashsale.gateway.messages import RefundOrder
from flashsale.gateway.problems import Problem
from flashsale.gateway.reading import BODY_BYTES_MAX, WHOLE, body


def whole(message: Message) -> Request:
    async def receive() -> Message:
        return message

    headers = [(b"content-type", b"application/json")]
    return Request({"type": "http", "state": {WHOLE: True}, "headers": headers}, receive)


REFUND = msgspec.json.Decoder(RefundOrder)


async def test_what_is_here_is_taken_as_it_is() -> None:
    kept = whole({"type": "http.request", "body": b'{"units": "keep"}'})

    assert await body(kept, REFUND, empty=b"{}") == RefundOrder("keep")
    assert await body(whole({"type": "http.request", "body": b""}), REFUND, empty=b"{}") == RefundOrder(
        "restock"
    )


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        # Whoever left has not said that the units are sold again.
        ({"type": "http.disconnect"}, problems.BAD_REQUEST),
        ({"type": "http.request", "body": b" " * (BODY_BYTES_MAX + 1)}, problems.TOO_LARGE),
    ],
    ids=["left", "too large"],
)
async def test_what_is_no_body_is_not_taken_for_an_empty_one(message: Message, kind: problems.Kind) -> None:
    with pytest.raises(Problem) as caught:
        await body(whole(message), REFUND, empty=b"{}")
    assert caught.value.kind is kind
