"""Connections of a gateway that do nothing, on a real server."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from flashsale.address import Address
from flashsale.gateway import protocol
from flashsale.gateway.outlet import UNREAD_BYTES_MAX, chunk
from flashsale.gateway.ready import Ready
from flashsale.gateway.server import Server, listen
from tests.helpers import wait_until

REST_S = 1
#: More than the kernel holds for a client.
LARGE = b"x" * 10_000_000


class Stream(Response):
    """A response without an end, to which so much is written at once."""

    #: how many have begun: one that is hung up on at once has come and gone between two looks at the server
    begun = 0

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._outlet, self._chunks = request.state.outlet, int(request.path_params["chunks"])

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"head ", "more_body": True})
        self._outlet.open()
        Stream.begun += 1
        for _ in range(self._chunks):
            self._outlet.write(chunk(b"x" * 1_000))
        while (await receive())["type"] != "http.disconnect":
            pass


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One that reads no body, and whose connections may rest for a second."""

    async def answer(request: Request) -> Response:
        return Ready(b"no")

    async def read(request: Request) -> Response:
        return Ready(await request.body())

    async def large(request: Request) -> Response:
        return Response(LARGE)

    async def stream(request: Request) -> Response:
        return Stream(request)

    async def last(request: Request) -> Response:
        return Ready(b"no", headers={"Connection": "close"})

    once = Ready(b"no", 409, {"Cache-Control": "no-store"})

    async def ready(request: Request) -> Response:
        return once

    routes = [
        Route("/", answer, methods=["POST"]),
        Route("/last", last),
        Route("/ready", ready),
        Route("/read", read, methods=["POST"]),
        Route("/large", large),
        Route("/stream/{chunks}", stream),
    ]
    with listen(Address("127.0.0.1", 0)) as listener, pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "UNREAD_S", REST_S)
        server = Server(Starlette(routes=routes), connections_max=20)
        server.config.timeout_keep_alive = REST_S
        serving = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        serving.start()
        try:
            wait_until(lambda: server.started, 10, "it serves")
            yield server
        finally:
            server.should_exit = True
            serving.join(20)


@pytest.fixture
def address(server: Server) -> Address:
    return Address(*server.servers[0].sockets[0].getsockname()[:2])


def test_no_answer_waits_for_the_client_to_acknowledge_its_beginning() -> None:
    with listen(Address("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def answered(connection: socket.socket) -> bool:
    found = b""
    while not found.endswith(b"\r\n\r\nno"):
        found += connection.recv(65_536)
    return found.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("length", "more"), [(0, b"\r\n"), (1_000_000, b"x")], ids=["lines", "a-body"])
def test_what_is_no_new_request_keeps_no_connection(address: Address, length: int, more: bytes) -> None:
    """Whoever has an answer, and sends a byte now and then, would keep a connection of others for ever."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % length)
        assert answered(connection)
        connection.settimeout(0.1)

        def is_hung_up_on() -> bool:
            try:
                connection.sendall(more)
                return connection.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_until(is_hung_up_on, 5 * REST_S, "it is hung up on")


def test_a_new_request_in_time_is_answered(address: Address) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        for length in (0, 2, 0):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % length)
            assert answered(connection)
            connection.sendall(b"{}"[:length])


# ------------------------------------------------------------------------------------------------------- in one piece

#: Where `tcpi_data_segs_in` stands in what Linux tells of a connection.
_SEGMENTS_AT = 152


def segments(connection: socket.socket) -> int:
    """Pieces that have arrived."""
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SEGMENTS_AT + 4)
    (found,) = struct.unpack_from("I", told, _SEGMENTS_AT)
    return int(found)


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n", b"\r\n\r\nno"),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n", b"\r\n\r\nno"),
        (b"POST /read HTTP/1.1\r\nContent-Length: 0\r\n", b"\r\n\r\n"),
        (b"HEAD /large HTTP/1.1\r\n", b"\r\n\r\n"),
    ],
    ids=["answer", "last-answer", "empty", "head"],
)
def test_an_answer_comes_in_one_piece(address: Address, asked: bytes, end: bytes) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(asked + b"Host: test\r\n\r\n")
        found = b""
        while not found.endswith(end):
            piece = connection.recv(65_536)
            assert piece, found
            found += piece
        assert found.startswith(b"HTTP/1.1 200 ")
        assert found.count(b"\r\n\r\n") == 1
        assert segments(connection) == 1


def test_an_answer_that_is_the_last_one_ends_the_connection(address: Address) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET /last HTTP/1.1\r\nHost: test\r\n\r\n")
        assert answered(connection)
        assert connection.recv(1) == b""


def test_requests_that_come_together_are_answered_one_after_the_other(address: Address) -> None:
    ask = b"POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n"
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(ask + b"1." + ask + b"2." + b"GET /last HTTP/1.1\r\nHost: test\r\n\r\n")
        found = b""
        while piece := connection.recv(65_536):
            found += piece
    assert [answer[-2:] for answer in found.split(b"HTTP/1.1 200 OK\r\n")[1:]] == [b"1.", b"2.", b"no"]


def test_an_answer_that_is_made_once_is_like_any_other(address: Address) -> None:
    asked = b"GET /ready HTTP/1.1\r\nHost: test\r\n"
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            asked.replace(b"GET", b"HEAD") + b"\r\n" + asked + b"\r\n" + asked + b"Connection: close\r\n\r\n"
        )
        found = b""
        while piece := connection.recv(65_536):
            found += piece
    _, of_head, first, last = found.split(b"HTTP/1.1 409 Conflict\r\n")
    for head, _, body in (first.partition(b"\r\n\r\n"), last.partition(b"\r\n\r\n")):
        assert body == b"no"
        assert b"\r\ncache-control: no-store\r\ncontent-length: 2" in head
        assert head.startswith(b"date: ")
    assert of_head.partition(b"\r\n\r\n")[2] == b""
    assert b"connection: close" in last
    assert b"connection: close" not in first


# ---------------------------------------------------------------------------------------------------- garbage collector


def count_of(kind: type) -> int:
    return sum(isinstance(one, kind) for one in gc.get_objects())


@pytest.mark.parametrize(
    "asked", [b"GET /ready HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 0\r\n"], ids=["ready", "made"]
)
def test_an_answer_leaves_nothing_to_the_garbage_collector(
    address: Address, nothing_collected: None, asked: bytes
) -> None:
    """It would look at everything again and again, and hold up everybody."""
    with socket.create_connection(address, timeout=10) as connection:
        for _ in range(20):
            connection.sendall(asked + b"Host: test\r\n\r\n")
            found = b""
            while not found.endswith(b"\r\n\r\nno"):
                found += connection.recv(65_536)
        # The last one is kept until the next request.
        assert count_of(RequestResponseCycle) <= 2


def test_a_connection_that_ends_leaves_nothing_to_the_garbage_collector(
    server: Server, address: Address, nothing_collected: None
) -> None:
    for _ in range(20):
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
            assert answered(connection)
    wait_until(lambda: not server.server_state.connections, 10, "all have ended")
    wait_until(lambda: count_of(protocol.LimitedProtocol) <= 1, 1, "they are gone")


def test_who_waits_to_be_asked_for_a_body_is_asked(address: Address) -> None:
    head = b"POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"no")
        assert answered(connection)


# ------------------------------------------------------------------------------------------- who asks, and never reads


@contextmanager
def deaf(address: Address) -> Iterator[socket.socket]:
    """A client that takes a few kilobytes and reads nothing."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(10)
        connection.connect(address)
        yield connection


def test_who_sends_requests_and_reads_no_answer_is_hung_up_on(server: Server, address: Address) -> None:
    """Neither by the head's limit nor by that of a rest: there is always a request under way."""
    with deaf(address) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n" * 100)
        wait_until(lambda: server.server_state.connections, 5, "it is there")
        wait_until(lambda: not server.server_state.connections, 5 * REST_S, "it is hung up on")


def test_who_reads_no_last_answer_is_hung_up_on(server: Server, address: Address) -> None:
    """A connection that is closed lives on for as long as something is to be sent."""
    with deaf(address) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        wait_until(lambda: server.server_state.connections, 5, "it is there")
        wait_until(lambda: not server.server_state.connections, 5 * REST_S, "it is hung up on")


def test_who_reads_slowly_gets_everything(address: Address) -> None:
    with deaf(address) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        found = bytearray()
        while piece := connection.recv(65_536):
            found += piece
    assert bytes(found).endswith(b"\r\n\r\n" + LARGE)


@pytest.mark.parametrize("chunks", [60, 10 * UNREAD_BYTES_MAX // 1_000], ids=["few", "many"])
def test_a_stream_that_nobody_reads_ends(server: Server, address: Address, chunks: int) -> None:
    """Few chunks: when their time has come. Many: at once."""
    Stream.begun = 0
    with deaf(address) as connection:
        connection.sendall(b"GET /stream/%d HTTP/1.1\r\nHost: test\r\n\r\n" % chunks)
        wait_until(lambda: Stream.begun, 5, "it has begun")
        wait_until(lambda: not server.server_state.connections, 5 * REST_S, "it is hung up on")


def test_a_stream_that_is_read_goes_on(server: Server, address: Address) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET /stream/20 HTTP/1.1\r\nHost: test\r\n\r\n")
        found = b""
        while found.count(b"x" * 1_000) < 20:
            found += connection.recv(65_536)
        head, _, body = found.partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        assert body == chunk(b"head ") + 20 * chunk(b"x" * 1_000)
