"""A log or a server that is not as it should be: a plain word for each way, and no repetition behind the back."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import redis

from flashsale.errors import Halted, Unreachable
from flashsale.ids import START, Position
from flashsale.stream import Log, NoGroup
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until
from tests.integration.stream_kit import KEY, OTHER, SHARD, entry, write

GROUP_CALLS: dict[str, Callable[[Log], object]] = {
    "read": lambda log: log.read([SHARD], "p1", count=1, block_ms=1),
    "delivered": lambda log: log.delivered(SHARD),
    "pending": lambda log: log.pending(SHARD),
    "claim": lambda log: log.claim(SHARD, "p1", [Position(1, 1)]),
    "forgive": lambda log: log.forgive(SHARD, "p1", [Position(1, 1)]),
}
each_group_call = pytest.mark.parametrize("call", GROUP_CALLS.values(), ids=GROUP_CALLS)


@each_group_call
@pytest.mark.parametrize("stream_exists", [False, True])
def test_whatever_needs_a_group_says_that_there_is_none(
    log: Log, clean_redis: redis.Redis, call: Callable[[Log], object], *, stream_exists: bool
) -> None:
    if stream_exists:
        write(clean_redis, 1)

    with pytest.raises(NoGroup):
        call(log)
    assert log.consumers(SHARD) == []


def test_a_group_that_is_gone_spoils_the_read_of_all(log: Log, clean_redis: redis.Redis) -> None:
    for shard in (SHARD, OTHER):
        write(clean_redis, 1, shard=shard)
    log.ensure_group(SHARD, START)

    with pytest.raises(NoGroup):
        log.read([SHARD, OTHER], "p1", count=2, block_ms=1)


def test_a_stream_that_goes_while_somebody_waits_ends_the_wait(log: Log, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1)
    log.ensure_group(SHARD, Position(1, 1))
    caught: list[Exception] = []

    def read() -> None:
        try:
            log.read([SHARD], "p1", count=1, block_ms=10_000)
        except NoGroup as error:
            caught.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: clean_redis.info("clients")["blocked_clients"] == 1)
    clean_redis.delete(KEY)
    reader.join(timeout=5)

    assert len(caught) == 1


@each_group_call
def test_a_server_that_is_away_is_unreachable(call: Callable[[Log], object]) -> None:
    with Log("unix:///nonexistent/redis.sock") as log, pytest.raises(Unreachable, match="Redis cannot"):
        call(log)


def test_a_lost_reply_is_not_asked_for_again(redis_proxy: Proxy, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1, 2)
    with Log(redis_proxy.url) as log:
        log.ensure_group(SHARD, START)
        redis_proxy.behave(Mode.CUT_REPLY, when=b"XREADGROUP", times=1)
        with pytest.raises(Unreachable):
            log.read([SHARD], "p1", count=1, block_ms=1)

        # It was delivered, and nothing else was.
        assert [p.position.seq for p in log.pending(SHARD)] == [1]
        assert log.read([SHARD], "p1", count=1, block_ms=1) == {SHARD: [entry(2)]}


def test_a_late_reply_does_not_answer_the_next_question(redis_proxy: Proxy, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1, 2)
    with Log(redis_proxy.url, timeout_ms=200) as log:
        redis_proxy.behave(Mode.BLACK_HOLE, when=b"XINFO", times=1)
        with pytest.raises(Unreachable):
            log.head(SHARD)

        redis_proxy.heal()
        assert log.entries(SHARD, START) == [entry(1), entry(2)]


def test_a_refusal_to_work_passes_like_an_outage(log: Log, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1)
    log.ensure_group(SHARD, START)
    clean_redis.config_set("min-replicas-to-write", "1")
    try:
        with pytest.raises(Unreachable, match="NOREPLICAS"):
            log.read([SHARD], "p1", count=1, block_ms=1)
    finally:
        clean_redis.config_set("min-replicas-to-write", "0")
    clean_redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unreachable, match="OOM"):
            log.ensure_group(SHARD, START)
    finally:
        clean_redis.config_set("maxmemory", "0")

    assert log.read([SHARD], "p1", count=1, block_ms=1) == {SHARD: [entry(1)]}


def test_a_key_of_another_type_is_damage(log: Log, clean_redis: redis.Redis) -> None:
    clean_redis.set(KEY, "no stream")

    with pytest.raises(Halted, match=r"sale-1:0.*another type"):
        log.head(SHARD)
    with pytest.raises(NoGroup):  # which of the shards it is, a look at each of them tells
        log.read([SHARD], "p1", count=1, block_ms=1)


READS: dict[str, Callable[[Log], object]] = {
    "entries": lambda log: log.entries(SHARD, START),
    "newest": lambda log: log.newest(SHARD, 5),
    "wait": lambda log: log.wait(SHARD, START, block_ms=1),
}


@pytest.mark.parametrize("read", READS)
def test_who_reads_a_key_of_another_type_is_told_so(log: Log, clean_redis: redis.Redis, read: str) -> None:
    clean_redis.set(KEY, "no stream")

    with pytest.raises(Halted, match=r"sale-1:0.*another type"):
        READS[read](log)
