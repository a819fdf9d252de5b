"""Connections of a gateway that do nothing, on a real server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flashsale.address import Address
from flashsale.gateway.server import Server, listen
from tests.helpers import wait_until

REST_S = 1


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    """Of a server that reads no body, and whose connections may rest for a second."""

    async def answer(request: Request) -> Response:
        return Response(b"no")

    with listen(Address("127.0.0.1", 0)) as listener:
        server = Server(Starlette(routes=[Route("/", answer, methods=["POST"])]), connections_max=20)
        server.config.timeout_keep_alive = REST_S
        serving = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        serving.start()
        try:
            wait_until(lambda: server.started, 10, "it serves")
            yield Address(*listener.getsockname()[:2])
        finally:
            server.should_exit = True
            serving.join(20)


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
