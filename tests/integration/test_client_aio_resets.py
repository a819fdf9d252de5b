"""The asyncio client and reads over connections that end again and again."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import pytest
import redis

from flashsale.client import AsyncClient, Client, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.commands import Item, Load, Open, Reserve
from flashsale.errors import Unreachable
from tests.fixtures.proxy import Mode, Proxy

SALE, ORDER = "drop", "0-AAAAAAAA"
#: Enough for a connection to end at each of its moments.
ROUNDS = 150


@pytest.fixture
def sale(redis_url: str, clean_redis: redis.Redis) -> None:
    with Client(redis_url) as client:
        client.control(SALE, Load((Item("phone", 10, 0),), hold_ms=60_000, opens_ms=0, closes_ms=0))
        client.control(SALE, Open(at_once=True))
        client.reserve(SALE, ORDER, "ada", "phone")  # or a read may be answered before it


def unasked() -> list[BaseException]:
    """The exceptions of futures that nobody has asked for: asyncio reports each when it is collected."""
    futures = [thing for thing in gc.get_objects() if isinstance(thing, asyncio.Future)]
    told = [future._log_traceback for future in futures]  # noqa: SLF001 - no other way to ask without asking for it
    return [
        future.exception() or AssertionError()
        for future, is_told in zip(futures, told, strict=True)
        if is_told
    ]


async def ask(proxy: Proxy) -> Counter[str]:
    """Ask over connections that are reset again and again; returns what came of it, by name."""
    client = AsyncClient(proxy.url)
    reads = AsyncReads(proxy.url, Fences())
    told: Counter[str] = Counter()
    for i in range(ROUNDS):
        proxy.behave(Mode.RESET if i % 3 else Mode.PASS)
        answers = await asyncio.gather(
            client.submit(SALE, Reserve(ORDER, "ada", "phone")),
            reads.order(SALE, ORDER),
            reads.snapshots([(SALE, 0)]),
            return_exceptions=True,
        )
        told.update(
            "unreachable" if isinstance(answer, Unreachable) else type(answer).__name__ for answer in answers
        )
    proxy.heal()
    await client.close()
    await reads.close()
    return told


async def test_a_connection_that_ends_is_a_server_that_is_away(redis_proxy: Proxy, sale: None) -> None:
    told = await ask(redis_proxy)

    assert set(told) == {"unreachable", "Answer", "Order", "list"}
    assert told["unreachable"] > ROUNDS


async def test_a_connection_that_ends_leaves_no_exception_that_nobody_asks_for(
    redis_proxy: Proxy, sale: None, nothing_collected: None
) -> None:
    await ask(redis_proxy)

    assert unasked() == []
