"""Redis is busy with somebody else's script, has no connection left, or gets a part of a command: no harm is done."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from flashsale.client import Client
from flashsale.commands import Code, Reserve
from flashsale.commands.call import order_call
from flashsale.errors import Unreachable
from flashsale.ids import START
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.redis_client import redis_client
from tests.helpers import wait_until
from tests.integration.client_kit import SALE, SKU, Shop, order, request, shop_on


@pytest.fixture
def shop(clean_redis: redis.Redis, tmp_path: Path) -> Iterator[Shop]:
    """An open sale on a server of the test's own."""
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        server.start()
        with shop_on(server) as shop:
            shop.load_scripts().open_sale(units=1_000)
            yield shop


def is_busy(shop: Shop) -> bool:
    try:
        return not shop.redis.ping()
    except redis.ResponseError as error:
        return "BUSY" in f"{type(error).__name__} {error}".upper()


def test_a_script_that_does_not_end(shop: Shop) -> None:
    shop.redis.config_set("busy-reply-threshold", 10)
    log = shop.log()
    with ThreadPoolExecutor(1) as other, redis_client(shop.url) as theirs:
        endless = other.submit(theirs.eval, "while true do end", 0)
        wait_until(lambda: is_busy(shop), description="Redis says that it is busy")
        with pytest.raises(Unreachable, match=r"^Redis refuses to work: BUSY "):
            shop.client.execute(SALE, [request(1)])
        shop.redis.script_kill()
        assert isinstance(endless.exception(), redis.ResponseError)

    assert shop.log() == log
    assert [answer.code for answer in shop.client.execute(SALE, [request(1)])] == [Code.RESERVED]


def test_no_connection_is_left(shop: Shop) -> None:
    """Who has a connection goes on; who comes is told, and is served once others have left."""
    shop.redis.config_set("maxclients", 10)
    path = shop.url.removeprefix("unix://")
    crowd = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    try:
        for one in crowd:
            one.connect(path)
        assert [answer.code for answer in shop.client.execute(SALE, [request(1)])] == [Code.RESERVED]
        with Client(shop.url) as late, pytest.raises(Unreachable):
            late.execute(SALE, [request(2)])
    finally:
        for one in crowd:
            one.close()
    with Client(shop.url) as late:

        def is_served() -> bool:
            try:
                return late.reserve(SALE, order(2), "ann", SKU).code is Code.RESERVED
            except Unreachable:
                return False

        wait_until(is_served, description="the crowd has left")


def test_a_command_that_is_cut_at_any_byte(shop: Shop) -> None:
    """A client dies while it sends: nothing is done, and at the last byte all of it, once."""
    whole = encoded(order_call(SALE, 0, START, "test", [Reserve(order(1), "ann", SKU)]).command())
    log = shop.log()
    path = shop.url.removeprefix("unix://")
    for length in range(len(whole)):
        with socket.socket(socket.AF_UNIX) as dying:
            dying.connect(path)
            dying.sendall(whole[:length])
    with socket.socket(socket.AF_UNIX) as last:
        last.connect(path)
        last.sendall(b"*1\r\n$4\r\nPING\r\n")
        assert last.recv(100) == b"+PONG\r\n", "everything sent before has been read"
        assert shop.log() == log
        for _ in range(2):
            last.sendall(whole)
            assert last.recv(10_000).startswith(b"*")
    assert len(shop.places(order(1))) == 1
    shop.state()


def encoded(command: tuple[str | int, ...]) -> bytes:
    """A command as it travels."""
    words = [str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
