"""HTTP/1.1 from the side of a crowd: connections that are kept, one request at a time on each.

Requests are bytes, made before the clock starts. Of an answer no more is read than where it ends: a crowd must cost
less than whoever serves it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from flashsale.address import Address

#: Longer than a gateway waits for Redis: who gives up earlier learns less.
TIMEOUT_S = 15.0
#: A head that is longer is no answer of ours.
_HEAD_BYTES_MAX = 64 * 1024
#: Answers without a body.
_BODILESS = (204, 304)


class Garbled(Exception):
    """What came is no answer that can be read here."""


class Reply(NamedTuple):
    """One answer."""

    status: int
    #: status line and headers, each with its end
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """A header's value, by its name in lower case; empty when it is not there."""
        at = self.head.lower().find(b"\r\n" + name + b":")
        return b"" if at < 0 else self.head[at + len(name) + 3 :].partition(b"\r\n")[0].strip()


def take(data: bytes) -> tuple[Reply, bytes] | None:
    """The first answer in what arrived, and what is behind it; None while it is not whole. Raises `Garbled`."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > _HEAD_BYTES_MAX:
            raise Garbled(f"a head of more than {_HEAD_BYTES_MAX} bytes")
        return None
    head = data[: end + 2]
    try:
        status = int(head[9:12])
        length = 0 if status in _BODILESS else int(Reply(status, head, b"").header(b"content-length"))
    except ValueError:
        raise Garbled(f"an answer without status or Content-Length: {head[:80]!r}") from None
    start = end + 4
    if len(data) < start + length:
        return None
    return Reply(status, head, data[start : start + length]), data[start + length :]


#: Hears of the answer; None when the connection ended before.
Heard = Callable[[Reply | None], None]


class Connection(asyncio.Protocol):
    """One connection. It may be asked again when it has answered."""

    def __init__(self) -> None:
        self._data = b""
        self._heard: Heard | None = None
        self._transport: asyncio.Transport | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.is_open = transport, True

    def ask(self, request: bytes, heard: Heard) -> None:
        assert self._transport is not None
        assert self._heard is None
        self._heard = heard
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        try:
            found = take(self._data)
        except Garbled:
            self.close()
            return
        if found is None:
            return
        reply, self._data = found
        heard, self._heard = self._heard, None
        if heard is None or reply.header(b"connection") == b"close":
            self.close()
        if heard is not None:
            heard(reply)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        self.is_open = False
        heard, self._heard = self._heard, None
        if heard is not None:
            heard(None)

    def close(self) -> None:
        """Hang up, whatever is under way."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()


async def connect(address: Address, tls: ssl.SSLContext | None = None) -> Connection:
    """A new connection. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(TIMEOUT_S):
        _, connection = await loop.create_connection(Connection, address.host, address.port, ssl=tls)
    return connection


class Pool:
    """Connections for everybody: idle ones are used again, others opened while there are fewer than `most`.

    Who finds none stands in line; that is waiting, too, and counts.
    """

    def __init__(self, address: Address, most: int, tls: ssl.SSLContext | None = None) -> None:
        self._address, self._most, self._tls = address, most, tls
        self._idle: list[Connection] = []
        self._line: deque[tuple[bytes, asyncio.Future[Reply | None]]] = deque()
        self._busy: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def submit(self, request: bytes) -> asyncio.Future[Reply | None]:
        """Send a request when a connection is free. None: there was no answer, so nobody knows what was done."""
        future: asyncio.Future[Reply | None] = self._loop.create_future()
        self._line.append((request, future))
        self._serve()
        return future

    async def fill(self) -> None:
        """Open all connections. Those that cannot be opened now are tried again when they are needed."""
        while len(self._opening) + len(self._idle) < self._most:
            self._opening.add(self._loop.create_task(self._open()))
        await asyncio.gather(*self._opening)

    async def close(self) -> None:
        """Hang up everywhere. Who waits hears that there was no answer."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in (*self._idle, *self._busy):
            connection.close()
        while self._line:
            _tell(self._line.popleft()[1], None)
        await asyncio.sleep(0)

    def _serve(self) -> None:
        while self._line and (connection := self._free()):
            request, future = self._line.popleft()
            self._busy.add(connection)
            alarm = self._loop.call_later(TIMEOUT_S, connection.close)
            connection.ask(request, partial(self._answered, connection, future, alarm))
        missing = min(len(self._line) - len(self._opening), self._most - len(self._busy) - len(self._opening))
        for _ in range(missing):
            task = self._loop.create_task(self._open())
            self._opening.add(task)

    def _free(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _open(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            connection = await connect(self._address, self._tls)
        except OSError:  # a TimeoutError is one
            connection = None
        finally:
            self._opening.discard(task)
        if connection is not None:
            self._idle.append(connection)
        elif self._line:
            _tell(self._line.popleft()[1], None)
        self._serve()

    def _answered(
        self,
        connection: Connection,
        future: asyncio.Future[Reply | None],
        alarm: asyncio.TimerHandle,
        reply: Reply | None,
    ) -> None:
        alarm.cancel()
        self._busy.discard(connection)
        if connection.is_open:
            self._idle.append(connection)
        _tell(future, reply)
        self._serve()


def _tell(future: asyncio.Future[Reply | None], reply: Reply | None) -> None:
    if not future.done():  # who asked may have gone
        future.set_result(reply)


def packed(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """A request as it stands on the wire; a body is JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {headers[name]}" for name in headers)]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def tls_of(scheme: str) -> ssl.SSLContext | None:
    """What a URL of this scheme needs."""
    return ssl.create_default_context() if scheme == "https" else None
