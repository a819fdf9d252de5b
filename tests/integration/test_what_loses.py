"""Demos that fail on purpose: settings that flashsale does not ship lose orders and oversell; those it ships do not.

A fault that never bites proves nothing. Each test has the fault bite a system without the protection first.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flashsale.client import Client
from flashsale.commands import Code
from flashsale.errors import UnknownOutcome, Unreachable
from tests.fixtures.disk import fsync_fails, fsync_hangs, needs_strace
from tests.fixtures.pair import Pair
from tests.fixtures.private_redis import PrivateRedis
from tests.helpers import wait_until
from tests.integration.client_kit import SALE, SKU, Shop, order, request, shop_on

UNITS = 1_000


@contextmanager
def selling(private_redis: PrivateRedis, policy: str) -> Iterator[Shop]:
    """An open sale in which order 0 holds a unit."""
    with shop_on(private_redis) as shop:
        shop.redis.config_set("appendfsync", policy)
        shop.load_scripts().open_sale(UNITS)
        shop.client.execute(SALE, [request(0)])
        yield shop


def pid_of(shop: Shop) -> int:
    pid: int = shop.redis.info("server")["process_id"]
    return pid


def orders_left(private_redis: PrivateRedis) -> set[str]:
    """What the server holds after it was killed and started again."""
    private_redis.kill()  # it is gone already, but for a process that waits for its tracer
    private_redis.start()
    with shop_on(private_redis) as shop:
        return set(shop.reserved())


# ---------------------------------------------------------------------------------------- a disk that does not answer


@needs_strace
def test_everysec_loses_acknowledged_orders_when_the_disk_hangs(
    private_redis: PrivateRedis, tmp_path: Path
) -> None:
    told: set[str] = {order(0)}
    numbers = iter(range(1, UNITS))
    with selling(private_redis, "everysec") as shop, fsync_hangs(pid := pid_of(shop), tmp_path):

        def is_ahead_of_the_disk() -> bool:
            """Somebody was told yes while Redis, waiting for its fsync, keeps what it should write in memory."""
            number = next(numbers)
            (answer,) = shop.client.execute(SALE, [request(number)])
            assert answer.code is Code.RESERVED
            told.add(order(number))
            return int(shop.redis.info("persistence")["aof_buffer_length"]) > 0

        wait_until(is_ahead_of_the_disk, 20, "orders are acknowledged and not written")
        os.kill(pid, signal.SIGKILL)
    left = orders_left(private_redis)

    assert told - left, "the demo shows no loss: it proves nothing"


@needs_strace
def test_always_acknowledges_nothing_while_the_disk_hangs(
    private_redis: PrivateRedis, tmp_path: Path
) -> None:
    with selling(private_redis, "always") as shop, fsync_hangs(pid := pid_of(shop), tmp_path):
        with Client(private_redis.url, timeout_ms=1_000) as client, pytest.raises(UnknownOutcome):
            client.execute(SALE, [request(1)])
        os.kill(pid, signal.SIGKILL)

    assert order(0) in orders_left(private_redis)
    with shop_on(private_redis) as shop:
        (answer,) = shop.client.execute(SALE, [request(1)])
    assert answer.code is Code.RESERVED, "a retry with the same id finds out, or does it"


@needs_strace
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_always_ends_the_server_when_the_disk_fails(
    private_redis: PrivateRedis, tmp_path: Path, error: str
) -> None:
    with selling(private_redis, "always") as shop, fsync_fails(pid_of(shop), tmp_path, error):
        with pytest.raises(UnknownOutcome):
            shop.client.execute(SALE, [request(1)])
        wait_until(lambda: private_redis.exit_code is not None, 20, "Redis ends rather than acknowledge")
        assert private_redis.exit_code == 1
    private_redis.start()

    with shop_on(private_redis) as shop:
        assert order(0) in shop.reserved()
        (answer,) = shop.client.execute(SALE, [request(1)])
        assert answer.code is Code.RESERVED
        shop.state()


@needs_strace
def test_everysec_refuses_to_work_when_the_disk_fails(private_redis: PrivateRedis, tmp_path: Path) -> None:
    with selling(private_redis, "everysec") as shop, fsync_fails(pid_of(shop), tmp_path):
        numbers = iter(range(1, UNITS))
        refusals: list[str] = []

        def is_refused() -> bool:
            try:
                shop.client.execute(SALE, [request(next(numbers))])
            except Unreachable as error:
                refusals.append(str(error))
            return bool(refusals)

        wait_until(is_refused, 20, "Redis notices")
        head = shop.log()
        with pytest.raises(Unreachable, match=r"^Redis refuses to work: MISCONF "):
            shop.client.execute(SALE, [request(UNITS + 1)])
        assert shop.log() == head, "what is refused leaves nothing behind"
    assert refusals[0].startswith("Redis refuses to work: MISCONF ")


def test_a_file_with_a_damaged_frame_is_not_loaded(private_redis: PrivateRedis, tmp_path: Path) -> None:
    with selling(private_redis, "always"):
        private_redis.kill()
    (file,) = tmp_path.glob("appendonlydir/*.incr.aof")
    content = bytearray(file.read_bytes())
    place = content.index(b"$", len(content) // 2)
    content[place] ^= 0x01
    file.write_bytes(content)

    with pytest.raises(AssertionError, match="Bad file format reading the append only file"):
        private_redis.start()


# ------------------------------------------------------------------------------------------ a replica that was behind


@pytest.mark.parametrize("fence", ["no fence", "fence"])
def test_a_failover_oversells_without_the_fence_and_not_with_it(pair: Pair, fence: str) -> None:
    units = 10
    shard = pair.master.open_sale(quantity=units)
    with Client(pair.master.redis_url) as seen:
        yes = accepted(seen, shard.sale, range(4))
        pair.replicated()
        pair.cut()
        yes += accepted(seen, shard.sale, range(4, units + 2))
        assert yes == units, "the master has sold out"
        with (
            pair.promoted() as side,
            Client(side.redis_url, fences=seen.fences if fence == "fence" else None) as shop,
        ):
            yes += accepted(shop, shard.sale, range(100, 100 + units))

    oversold = yes - units
    assert oversold == {"no fence": 6, "fence": 0}[fence]


def accepted(client: Client, sale: str, numbers: range) -> int:
    """How many of these buyers are told yes."""
    answers = client.execute(sale, [request(number, sku=SKU) for number in numbers])
    return sum(answer.code is Code.RESERVED for answer in answers)
