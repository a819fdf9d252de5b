"""An answer in one write, and what the server must look at itself."""

from __future__ import annotations

import pytest
from starlette.types import Message, Scope

from flashsale.gateway.ready import REPLY, Ready


class Protocol:
    """Notes what is written in one piece, and what by messages."""

    def __init__(self, *, takes: bool = True) -> None:
        self._takes = takes
        self.whole, self.messages = list[tuple[int, bytes, bytes]](), list[Message]()

    async def give(self, answer: Ready) -> None:
        def reply(_scope: Scope, status: int, lines: bytes, body: bytes) -> bool:
            self.whole.append((status, lines, body))
            return self._takes

        async def receive() -> Message:
            raise AssertionError("nothing is read")

        async def send(message: Message) -> None:
            self.messages.append(message)

        await answer({"type": "http", "state": {REPLY: reply}}, receive, send)


async def test_head_and_body_leave_together() -> None:
    protocol = Protocol()
    await protocol.give(Ready(b"no", 409, {"Cache-Control": "no-store"}))

    assert protocol.whole == [(409, b"cache-control: no-store\r\ncontent-length: 2\r\n", b"no")]
    assert not protocol.messages


async def test_what_the_protocol_does_not_take_goes_by_messages() -> None:
    protocol = Protocol(takes=False)
    await protocol.give(Ready(b"no"))
    assert [message["type"] for message in protocol.messages] == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Location": "/a\r\nSet-Cookie: b=c"},
        {"Location": "/a\nb"},
        {"Location": "/a\rb"},
        {"Connection": "close"},
    ],
)
async def test_what_the_server_must_see_is_not_written_past_it(headers: dict[str, str]) -> None:
    protocol = Protocol()
    await protocol.give(Ready(b"no", headers=headers))

    assert not protocol.whole
    assert len(protocol.messages) == 2
