"""Shops on Redis: a counter and a stream from the application, one script call a request, and flashsale's clients."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from redis.asyncio import BlockingConnectionPool, Redis

from flashsale.bench.orders import pairs
from flashsale.bench.place import SKU, TIMEOUT_MS, Place
from flashsale.bench.trial import Clock, Latencies, Prepare, Trial
from flashsale.client import AsyncClient
from flashsale.client.wire import connection_options
from flashsale.commands import Code, Reserve, order_call, parse_reply
from flashsale.ids import START
from flashsale.scripts import script

#: Connections of the shops without batches, one a worker.
WORKERS = 50
#: Requests handed to the sync client at once.
BULK = 4_096

Buyers = Sequence[tuple[str, str]]
#: Serves one buyer; returns the word of the answer.
Serve = Callable[[str, str], Awaitable[str]]


class Case(NamedTuple):
    """What the sale is like when the buyers come, and what each of them must be told."""

    #: units when the sale opens, for so many buyers
    units: Callable[[int], int]
    #: orders before the clock starts
    before: Callable[[int], int]
    limit: int
    answer: Code
    #: whether the buyers are those who bought before
    again: bool = False

    def buyers(self, count: int) -> list[tuple[str, str]]:
        first = 0 if self.again else self.before(count)
        return [(f"0-1{order_id[3:]}", buyer) for order_id, buyer in pairs(count, first)]

    def sold(self, count: int) -> int:
        return self.before(count) + (count if self.answer is Code.RESERVED else 0)


ACCEPTED = Case(units=lambda n: n, before=lambda _: 0, limit=2, answer=Code.RESERVED)
SOLD_OUT = Case(units=lambda _: 1, before=lambda _: 1, limit=2, answer=Code.SOLD_OUT)
OVER_LIMIT = Case(units=lambda n: 2 * n, before=lambda n: n, limit=1, answer=Code.LIMIT, again=True)


def flashsale_async(case: Case, callers: int) -> Prepare:
    """The asyncio client, each caller waiting for an answer before it sends the next request."""

    def run(place: Place, sale: str, buyers: Buyers, told: Counter[str]) -> Latencies:
        async def sell() -> Latencies:
            async with AsyncClient(place.urls.redis_url, by="bench", timeout_ms=TIMEOUT_MS) as shop:

                async def serve(order_id: str, buyer: str) -> str:
                    return (await shop.reserve(sale, order_id, buyer, SKU)).code

                return await _crowd([serve] * callers, buyers, told)

        return asyncio.run(sell())

    return _in_sale(case, run)


def flashsale_bulk(case: Case) -> Prepare:
    """The sync client, given thousands of requests at once."""

    def run(place: Place, sale: str, buyers: Buyers, told: Counter[str]) -> Latencies:
        rest = iter(buyers)
        with place.client() as client:
            while part := list(islice(rest, BULK)):
                requests = [Reserve(order_id, buyer, SKU) for order_id, buyer in part]
                told.update(answer.code for answer in client.execute(sale, requests))
        return None

    return _in_sale(case, run)


def flashsale_single(case: Case) -> Prepare:
    """The sync client, one request after the other: what a round trip and an fsync cost."""

    def run(place: Place, sale: str, buyers: Buyers, told: Counter[str]) -> Latencies:
        clock = Clock(len(buyers))
        with place.client() as client:
            for order_id, buyer in buyers:
                began = time.perf_counter()
                told[client.reserve(sale, order_id, buyer, SKU).code] += 1
                clock.took(time.perf_counter() - began)
        return clock.latencies

    return _in_sale(case, run)


def script_per_request(case: Case) -> Prepare:
    """The very script, called by redis-py once a request."""

    def run(place: Place, sale: str, buyers: Buyers, told: Counter[str]) -> Latencies:
        async def sell() -> Latencies:
            async with _pool(place) as redis:
                await redis.script_load(script("reserve").source)

                async def serve(order_id: str, buyer: str) -> str:
                    call = order_call(sale, 0, START, "bench", [Reserve(order_id, buyer, SKU)])
                    reply: Any = await redis.execute_command(*call.command())
                    return parse_reply(reply).answers[0].code

                return await _crowd([serve] * WORKERS, buyers, told)

        return asyncio.run(sell())

    return _in_sale(case, run)


def counter_and_stream(*, sells: bool) -> Prepare:
    """DECR, then XADD from the application: fast, and a process that dies in between loses a unit. No buyer's limit."""

    @contextmanager
    def prepare(place: Place, count: int) -> Iterator[Trial]:
        counter, stream = place.new_key(), place.new_key()
        place.redis.set(counter, count if sells else 0)
        told: Counter[str] = Counter()

        async def sell() -> Latencies:
            async with _pool(place) as redis:

                async def serve(order_id: str, buyer: str) -> str:
                    if await redis.decr(counter) < 0:
                        await redis.incr(counter)
                        return Code.SOLD_OUT
                    await redis.xadd(stream, {"order": order_id, "buyer": buyer, "sku": SKU, "quantity": "1"})
                    return Code.RESERVED

                return await _crowd([serve] * WORKERS, pairs(count), told)

        def found() -> dict[str, int]:
            return {
                "events": int(place.redis.xlen(stream)),
                "left": int(place.redis.get(counter) or -1),
                **told,
            }

        sold = count if sells else 0
        word = Code.RESERVED if sells else Code.SOLD_OUT
        yield Trial(lambda: asyncio.run(sell()), found, {"events": sold, "left": 0, word: count})
        place.forget(counter, stream)

    return prepare


def _in_sale(case: Case, run: Callable[[Place, str, Buyers, Counter[str]], Latencies]) -> Prepare:
    @contextmanager
    def prepare(place: Place, count: int) -> Iterator[Trial]:
        with place.open_sale(case.units(count), case.limit) as sale, place.client() as client:
            client.execute(sale, [Reserve(*pair, SKU) for pair in pairs(case.before(count))])
            buyers, told = case.buyers(count), Counter[str]()

            def found() -> dict[str, int]:
                snapshot = client.snapshot(sale)
                stock = snapshot.state.stock[SKU]
                return {"held": stock.held, "left": stock.available, "orders": snapshot.order_count, **told}

            sold = case.sold(count)
            wanted = {"held": sold, "left": case.units(count) - sold, "orders": sold, case.answer: count}
            yield Trial(lambda: run(place, sale, buyers, told), found, wanted)

    return prepare


async def _crowd(workers: Sequence[Serve], buyers: Buyers, told: Counter[str]) -> Latencies:
    """Each worker serves one buyer after the other, until all are served."""
    queue, clock = iter(buyers), Clock(len(buyers))

    async def work(serve: Serve) -> None:
        for order_id, buyer in queue:
            began = time.perf_counter()
            told[await serve(order_id, buyer)] += 1
            clock.took(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for serve in workers:
            group.create_task(work(serve))
    return clock.latencies


def _pool(place: Place) -> Redis:
    options = connection_options(TIMEOUT_MS)
    pool = BlockingConnectionPool.from_url(
        place.urls.redis_url, max_connections=WORKERS, timeout=TIMEOUT_MS / 1000, **options
    )
    return Redis.from_pool(pool)
