"""A response that does not end: what is told to many is written to each connection as it is."""

from __future__ import annotations

import asyncio
import socket

#: So much may wait for a client that does not read. Whoever has more to read is hung up on.
UNREAD_BYTES_MAX = 64 * 1024
#: What the kernel holds for it besides; by itself it would take megabytes.
KERNEL_BYTES = 16 * 1024

_END = b"0\r\n\r\n"


def chunk(message: bytes) -> bytes:
    """A message as it stands on the wire, within a response of `Transfer-Encoding: chunked`."""
    return b"%x\r\n%b\r\n" % (len(message), message)


class Outlet:
    """Of one connection. It is open from the head of such a response on, and ends with the connection."""

    __slots__ = ("_is_leaving", "_transport", "is_open")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._is_leaving = False
        self.is_open = False

    def open(self) -> None:
        """The head was sent, and chunks may follow."""
        self.is_open = True
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        if self._is_leaving:
            self.end()

    def write(self, piece: bytes) -> None:
        """Write a chunk, or hang up on a client that has not read what came before."""
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._transport.abort()
            return
        self._transport.write(piece)

    def end(self) -> None:
        """The response is complete, and the connection with it."""
        if self._transport.is_closing():
            return
        if self.is_open:
            self._transport.write(_END)
        self._transport.close()

    def leave(self) -> None:
        """The server leaves: end now, or as soon as it is opened."""
        self._is_leaving = True
        if self.is_open:
            self.end()
