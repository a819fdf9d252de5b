"""The proxy does to a connection what it says, and counts it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.proxy import Mode, Proxy, address_of, url_at
from tests.helpers import wait_until


class EchoServer:
    """Answers each piece of bytes with the same bytes, and remembers all of them."""

    def __init__(self, listener: socket.socket) -> None:
        self.received = b""
        self._listener = listener
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def close(self) -> None:
        """Stop after the last connection has ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        connections = []
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            connections.append(threading.Thread(target=self._echo, args=[connection]))
            connections[-1].start()
        for thread in connections:
            thread.join()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1000):
                self.received += data
                connection.sendall(data)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EchoServer]:
    """An echo server on a Unix socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "echo"))
    listener.listen()
    server = EchoServer(listener)
    yield server
    server.close()


@pytest.fixture
def proxy(server: EchoServer, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy in front of the echo server."""
    with Proxy(f"unix://{tmp_path / 'echo'}") as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the proxy, known to work."""
    with open_client(proxy) as client:
        assert ask(client, b"hello") == b"hello"
        yield client


def open_client(proxy: Proxy) -> socket.socket:
    address = address_of(proxy.url)
    assert isinstance(address, tuple)
    return socket.create_connection(address, timeout=10)


def ask(client: socket.socket, request: bytes) -> bytes:
    client.sendall(request)
    return client.recv(1000)


def test_it_passes_requests_and_replies(proxy: Proxy, client: socket.socket) -> None:
    assert ask(client, b"again") == b"again"
    assert (proxy.counts.connections, proxy.counts.requests_passed, proxy.counts.replies_passed) == (1, 2, 2)


def test_a_cut_reply_ends_the_connection_after_the_server_has_done_the_work(
    proxy: Proxy, client: socket.socket, server: EchoServer
) -> None:
    proxy.behave(Mode.CUT_REPLY)

    assert ask(client, b"buy") == b""
    assert server.received == b"hellobuy"
    assert proxy.counts.replies_cut == 1


def test_only_a_request_with_the_words_meets_the_mode_and_only_so_many_times(proxy: Proxy) -> None:
    proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)

    with open_client(proxy) as client:
        assert ask(client, b"PING") == b"PING"
        assert ask(client, b"EVALSHA 1") == b""
    with open_client(proxy) as client:
        assert ask(client, b"EVALSHA 2") == b"EVALSHA 2"
    assert proxy.counts.replies_cut == 1


def test_a_reset_keeps_the_request_from_the_server(
    proxy: Proxy, client: socket.socket, server: EchoServer
) -> None:
    proxy.behave(Mode.RESET)

    with pytest.raises(ConnectionResetError):
        ask(client, b"buy")
    assert server.received == b"hello"
    assert proxy.counts.resets == 1


def test_a_black_hole_swallows_bytes_and_keeps_the_connection_open_until_healed(
    proxy: Proxy, client: socket.socket, server: EchoServer
) -> None:
    proxy.behave(Mode.BLACK_HOLE)
    client.settimeout(0.1)

    with pytest.raises(TimeoutError):
        ask(client, b"buy")
    assert server.received == b"hello"
    assert proxy.counts.swallowed == 1

    proxy.heal()
    client.settimeout(10)
    with pytest.raises(ConnectionResetError):
        client.recv(1000)
    with open_client(proxy) as other:
        assert ask(other, b"back") == b"back"


def test_a_black_hole_also_swallows_the_reply_to_an_earlier_request(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "slow"))
        listener.listen()
        with Proxy(f"unix://{tmp_path / 'slow'}") as proxy, open_client(proxy) as client:
            client.sendall(b"block")
            server, _ = listener.accept()
            with server:
                assert server.recv(1000) == b"block"
                proxy.behave(Mode.BLACK_HOLE)
                server.sendall(b"late")
                wait_until(lambda: proxy.counts.swallowed == 1, description="the reply is swallowed")


def test_a_delay_keeps_the_reply_back(proxy: Proxy, client: socket.socket) -> None:
    proxy.behave(Mode.DELAY, delay_s=0.2)
    began_s = time.monotonic()

    assert ask(client, b"slow") == b"slow"
    assert time.monotonic() - began_s >= 0.2
    assert proxy.counts.replies_delayed == 1


def test_a_server_that_is_down_ends_the_connection(tmp_path: Path) -> None:
    with Proxy(f"unix://{tmp_path / 'nothing'}") as proxy, open_client(proxy) as client:
        assert client.recv(1000) == b""


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("unix:///run/redis.sock?db=2", "/run/redis.sock"),
        ("redis://user:secret@cache:7000/1", ("cache", 7000)),
        ("redis://cache", ("cache", 6379)),
        ("postgresql:///shop?host=/run/pg&port=5544", "/run/pg/.s.PGSQL.5544"),
        ("postgresql://me@db/shop", ("db", 5432)),
    ],
)
def test_the_address_of_a_url(url: str, address: object) -> None:
    assert address_of(url) == address


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("unix:///run/redis.sock?db=2", "redis://h:9/?db=2"),
        ("redis://user:secret@cache:7000/1", "redis://user:secret@h:9/1"),
        ("postgresql:///shop?host=/run/pg&user=me", "postgresql://h:9/shop?user=me"),
        ("postgresql://me@db/shop", "postgresql://me@h:9/shop"),
    ],
)
def test_a_url_at_another_place_keeps_everything_else(url: str, moved: str) -> None:
    assert url_at(url, "h", 9) == moved
