"""What the read side asks of a log: ranges, and the consumer group."""

from __future__ import annotations

import threading

import pytest
import redis

from flashsale.ids import START, Position
from flashsale.stream import Entry, Log, NoGroup, Pending, ShardId
from flashsale.stream.link import key_of
from tests.fixtures.proxy import Proxy
from tests.helpers import wait_until
from tests.integration.stream_kit import KEY, OTHER, SHARD, entry, write


def test_a_log_that_does_not_exist_has_no_head(log: Log) -> None:
    assert log.head(SHARD) is None
    assert log.entries(SHARD, START) == log.newest(SHARD, 5) == log.wait(SHARD, START, block_ms=1) == []


def test_the_head_is_the_newest_entry_ever_written(log: Log, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1, 2, 3)
    assert log.head(SHARD) == Position(1, 3)

    clean_redis.execute_command("XDEL", KEY, "1-3")
    assert log.head(SHARD) == Position(1, 3)


def test_of_thousands_it_is_told_which_are_there_in_a_few_round_trips(
    log: Log, redis_proxy: Proxy, clean_redis: redis.Redis
) -> None:
    write(clean_redis, 1)
    clean_redis.set(key_of(OTHER), "no stream")
    shards = [SHARD, OTHER, *(ShardId(f"gone-{number}", 0) for number in range(2_500))]

    with Log(redis_proxy.url) as far:
        assert far.existing([]) == set()
        assert far.existing(shards) == {SHARD, OTHER}

    # The proxy counts pieces, of which a batch of 30 KB may be several.
    assert redis_proxy.counts.requests_passed < 100


def test_a_range_begins_behind_a_position_and_ends_with_one(log: Log, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1, 2, 9, 10)
    write(clean_redis, 1, epoch=2)

    assert log.entries(SHARD, START, count=2) == [entry(1), entry(2)]
    assert log.entries(SHARD, Position(1, 2)) == [entry(9), entry(10), entry(1, epoch=2)]
    assert log.entries(SHARD, Position(1, 2), up_to=Position(1, 10)) == [entry(9), entry(10)]
    assert log.newest(SHARD, 2) == [entry(10), entry(1, epoch=2)]


@pytest.mark.parametrize("fields", [("x", "1"), ("e", "1", "x", "2")])
def test_an_entry_of_another_shape_has_no_body(
    log: Log, clean_redis: redis.Redis, fields: tuple[str, ...]
) -> None:
    clean_redis.execute_command("XADD", KEY, "1-1", *fields)

    assert log.entries(SHARD, START) == [Entry(Position(1, 1), None)]


def test_waiting_ends_with_the_first_entry(log: Log, clean_redis: redis.Redis) -> None:
    found: list[Entry] = []
    watcher = threading.Thread(target=lambda: found.extend(log.wait(SHARD, START, block_ms=10_000)))
    watcher.start()
    wait_until(lambda: clean_redis.info("clients")["blocked_clients"] == 1)
    write(clean_redis, 1)
    watcher.join(timeout=5)

    assert found == [entry(1)]


def test_a_group_is_made_once_behind_the_position_and_never_at_the_end(
    log: Log, clean_redis: redis.Redis
) -> None:
    write(clean_redis, 1, 2, 3)

    assert log.ensure_group(SHARD, Position(1, 1))
    assert not log.ensure_group(SHARD, Position(1, 3))

    assert log.delivered(SHARD) == Position(1, 1)
    assert log.read([SHARD], "p1", count=10, block_ms=1) == {SHARD: [entry(2), entry(3)]}
    assert log.delivered(SHARD) == Position(1, 3)


def test_a_group_is_not_made_without_its_stream(log: Log, clean_redis: redis.Redis) -> None:
    with pytest.raises(NoGroup, match="the stream of sale-1:0 does not exist"):
        log.ensure_group(SHARD, START)

    assert clean_redis.dbsize() == 0


def test_several_shards_are_read_in_one_call(log: Log, clean_redis: redis.Redis) -> None:
    quiet = ShardId("sale-3", 0)
    for shard in (SHARD, OTHER, quiet):
        write(clean_redis, 1, 2, 3, shard=shard)
        log.ensure_group(shard, Position(1, 3) if shard == quiet else START)

    news = log.read([SHARD, OTHER, quiet], "p1", count=2, block_ms=1)
    assert news == {SHARD: [entry(1), entry(2)], OTHER: [entry(1), entry(2)]}
    assert log.read([quiet], "p1", count=2, block_ms=1) == {}
    assert log.read([quiet], "p1", count=2, block_ms=None) == {}


def test_pending_entries_are_counted_claimed_and_forgiven(log: Log, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1, 2, 3)
    log.ensure_group(SHARD, START)
    log.read([SHARD], "dead", count=2, block_ms=1)
    log.read([SHARD], "p1", count=1, block_ms=1)

    def deliveries() -> list[tuple[int, str, int]]:
        return [(p.position.seq, p.consumer, p.deliveries) for p in log.pending(SHARD)]

    assert deliveries() == [(1, "dead", 1), (2, "dead", 1), (3, "p1", 1)]
    log.claim(SHARD, "p1", [Position(1, 1), Position(1, 2)])
    log.claim(SHARD, "p1", [Position(1, 2)])
    assert deliveries() == [(1, "p1", 2), (2, "p1", 3), (3, "p1", 1)]
    log.forgive(SHARD, "p2", [Position(1, 2)])
    assert deliveries() == [(1, "p1", 2), (2, "p2", 1), (3, "p1", 1)]
    assert [p.position.seq for p in log.pending(SHARD, after=Position(1, 1), count=1)] == [2]
    assert isinstance(log.pending(SHARD)[0], Pending)


def test_acknowledging_tells_how_many_were_pending(log: Log, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1, 2, 3)
    log.ensure_group(SHARD, START)
    log.read([SHARD], "p1", count=2, block_ms=1)

    assert log.acknowledge(SHARD, [Position(1, seq) for seq in (1, 2, 3)]) == 2
    assert log.acknowledge(SHARD, [Position(1, 1)]) == 0
    assert log.pending(SHARD) == []


def test_the_consumers_of_a_group(log: Log, clean_redis: redis.Redis) -> None:
    write(clean_redis, 1, 2)
    log.ensure_group(SHARD, START)
    log.read([SHARD], "p1", count=2, block_ms=1)

    ((name, pending, _idle_ms),) = log.consumers(SHARD)
    assert (name, pending) == ("p1", 2)


def test_settings_and_facts_of_the_server(log: Log) -> None:
    assert int(log.server()["tcp_port"]) >= 0
    assert log.setting("appendonly") in ("yes", "no")
    assert log.setting("no-such-setting") is None
