"""An answer in one piece: the server writes its head, then its body, and each write is a call of the kernel."""

from __future__ import annotations

import asyncio

#: Of the interim answer that asks for a body. It has no body, and is none.
_INTERIM = b"HTTP/1.1 100 "


class OneWrite:
    """What one request's answer is written to: its head waits for what comes next, and both leave together.

    Whoever begins an answer has its body at hand. A head without a body, of `HEAD`, must be written past it.
    """

    __slots__ = ("_has_begun", "_head", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing
        self._has_begun, self._head = False, b""

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif not self._has_begun and not data.startswith(_INTERIM):
            self._has_begun, self._head = True, data
            return
        self._transport.write(data)

    def close(self) -> None:
        if self._head:
            self.write(b"")
        self._transport.close()
