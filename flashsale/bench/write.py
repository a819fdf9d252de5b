"""Who runs in the races of the write side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flashsale.bench import limits, shops, tables
from flashsale.bench.place import Place
from flashsale.bench.trial import Contender, Prepare, Role, Trial

BASELINE, FLASHSALE, LIMIT = Role.BASELINE, Role.FLASHSALE, Role.LIMIT


def accepted(place: Place) -> list[Contender]:
    """One hot SKU, a unit for everybody; each order is stored when its buyer hears yes."""
    case = shops.ACCEPTED
    fast = shops.flashsale_async(case, 10_000)
    found = [
        Contender("row_lock", "Postgres: row lock", BASELINE, tables.accepted(tables.by_row_lock), 1_000),
        Contender(
            "row_lock_one_statement",
            "Postgres: row lock, one statement",
            BASELINE,
            tables.accepted(tables.by_one_statement),
            1_000,
        ),
        Contender(
            "skip_locked",
            "Postgres: SKIP LOCKED, a row a unit",
            BASELINE,
            tables.accepted(tables.by_skip_locked),
            1_000,
        ),
        Contender(
            "counter_and_stream", "DECR, then XADD", BASELINE, shops.counter_and_stream(sells=True), 4_000
        ),
        Contender(
            "script_per_request", "one Lua call a request", BASELINE, shops.script_per_request(case), 3_000
        ),
        Contender("sync_single", "flashsale sync, one by one", FLASHSALE, shops.flashsale_single(case), 500),
        Contender("sync_bulk", "flashsale sync, in bulk", FLASHSALE, shops.flashsale_bulk(case), 24_576),
        Contender(
            "async_1000",
            "flashsale asyncio, 1,000 callers",
            FLASHSALE,
            shops.flashsale_async(case, 1_000),
            20_000,
        ),
        Contender("async_10000", "flashsale asyncio, 10,000 callers", FLASHSALE, fast, 40_000),
    ]
    if place.may_configure and place.durability == "always":
        title = "flashsale asyncio, 10,000 callers, everysec"
        found.append(Contender("async_10000_everysec", title, FLASHSALE, _everysec(fast), 40_000))
    by_redis_py, at_best = limits.xadd(limits.redis_py), limits.xadd(limits.packed)
    return [
        *found,
        Contender("xadd_redis_py", "limit: XADD, redis-py's pipeline", LIMIT, by_redis_py, 20_000),
        Contender("xadd", "limit: XADD, packed before", LIMIT, at_best, 100_000),
    ]


def sold_out(_place: Place) -> list[Contender]:
    """Nothing is left: what 999 of 1,000 buyers meet."""
    case = shops.SOLD_OUT
    return [
        Contender("row_lock", "Postgres: row lock", BASELINE, tables.sold_out(tables.by_row_lock), 2_000),
        Contender(
            "skip_locked",
            "Postgres: SKIP LOCKED, a row a unit",
            BASELINE,
            tables.sold_out(tables.by_skip_locked),
            2_000,
        ),
        Contender("counter_and_stream", "DECR", BASELINE, shops.counter_and_stream(sells=False), 4_000),
        *_refusing(case),
        *_answering(),
    ]


def over_limit(_place: Place) -> list[Contender]:
    """Enough is left, but every buyer has had a unit, and may have one."""
    return [
        Contender("row_lock", "Postgres: row lock", BASELINE, tables.over_limit(tables.within_limit), 2_000),
        *_refusing(shops.OVER_LIMIT),
        *_answering(),
    ]


def _refusing(case: shops.Case) -> list[Contender]:
    return [
        Contender(
            "script_per_request", "one Lua call a request", BASELINE, shops.script_per_request(case), 3_000
        ),
        Contender(
            "sync_single", "flashsale sync, one by one", FLASHSALE, shops.flashsale_single(case), 2_000
        ),
        Contender("sync_bulk", "flashsale sync, in bulk", FLASHSALE, shops.flashsale_bulk(case), 40_960),
        Contender(
            "async_1000",
            "flashsale asyncio, 1,000 callers",
            FLASHSALE,
            shops.flashsale_async(case, 1_000),
            40_000,
        ),
        Contender(
            "async_10000",
            "flashsale asyncio, 10,000 callers",
            FLASHSALE,
            shops.flashsale_async(case, 10_000),
            60_000,
        ),
    ]


def _answering() -> list[Contender]:
    by_redis_py, at_best = limits.get(limits.redis_py), limits.get(limits.packed)
    return [
        Contender("get_redis_py", "limit: GET, redis-py's pipeline", LIMIT, by_redis_py, 40_000),
        Contender("get", "limit: GET, packed before", LIMIT, at_best, 200_000),
    ]


def _everysec(prepare: Prepare) -> Prepare:
    @contextmanager
    def at_everysec(place: Place, count: int) -> Iterator[Trial]:
        with prepare(place, count) as trial, place.appendfsync("everysec"):
            yield trial

    return at_everysec
