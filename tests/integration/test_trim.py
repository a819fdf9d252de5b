"""Trimming: what Postgres has and every group acknowledged leaves the log, and everything works as before."""

from __future__ import annotations

import pytest

from flashsale.client import Client
from flashsale.commands import Code
from flashsale.errors import Halted
from flashsale.events import encode
from flashsale.events.types import EpochStarted
from flashsale.ids import Position
from flashsale.keys import GROUP
from flashsale.stream import Entry, ShardId
from flashsale.trim import trim
from tests.fixtures.read_side import ReadSide
from tests.integration.trim_kit import cut, seqs, sold, told, whole

__all__ = ["sold", "whole"]


# ------------------------------------------------------------------------------------------------------------ trimming


@pytest.mark.parametrize("keep", [0, 1, 10, 22])
def test_all_but_the_newest_go(read_side: ReadSide, sold: ShardId, keep: int) -> None:
    done = cut(read_side, sold, keep)

    assert (done.trimmed, done.remaining, done.obstacles, done.refused) == (23 - keep, keep, [], None)
    assert seqs(read_side, sold) == list(range(24 - keep, 24))
    assert cut(read_side, sold, keep).trimmed == 0


@pytest.mark.parametrize("keep", [23, 24, 1_000_000])
def test_a_log_no_longer_than_that_stays(read_side: ReadSide, sold: ShardId, keep: int) -> None:
    done = cut(read_side, sold, keep)
    assert (done.trimmed, done.remaining, done.obstacles) == (0, 23, [])


def test_a_dry_run_says_the_same_and_changes_nothing(read_side: ReadSide, sold: ShardId) -> None:
    would = cut(read_side, sold, 5, dry_run=True)

    assert len(seqs(read_side, sold)) == 23
    assert cut(read_side, sold, 5) == would


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_log_of_several_pages(read_side: ReadSide, *, dry_run: bool) -> None:
    shard = read_side.open_sale(quantity=5_000)
    read_side.sell(shard, 2_500)
    read_side.drain(read_side.projector())

    done = cut(read_side, shard, 100, dry_run=dry_run)

    assert (done.trimmed, done.remaining) == (2_403, 100)
    assert len(seqs(read_side, shard)) == (2_503 if dry_run else 100)


def test_a_turn_is_bounded(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=5_000)
    read_side.sell(shard, 2_500)
    read_side.drain(read_side.projector())

    done = trim(read_side.client, read_side.log, read_side.postgres, shard, keep=0, pages_max=2)

    assert (done.trimmed, done.remaining) == (2_000, 503)


def test_events_of_an_earlier_epoch_go_as_well(read_side: ReadSide, sold: ShardId) -> None:
    keys = read_side.key(sold).replace(":events", ":sale")
    read_side.redis.hset(keys, mapping={"epoch": 2, "seq": 1})
    founded = encode(EpochStarted(1, 1_000, "recover", 1, 23))
    read_side.redis.xadd(read_side.key(sold), {"e": founded.decode()}, id="2-1")
    read_side.sell(sold, 4)
    read_side.drain(*read_side.projectors)

    assert cut(read_side, sold, 10).trimmed == 18
    assert seqs(read_side, sold) == [19, 20, 21, 22, 23, 1, 2, 3, 4, 5]
    assert cut(read_side, sold, 2).trimmed == 8


# ------------------------------------------------------------------------------------------------------------ refusing


def test_what_is_not_in_postgres_stays(read_side: ReadSide, sold: ShardId) -> None:
    read_side.sell(sold, 7)

    done = cut(read_side, sold, 2)

    assert (done.trimmed, done.remaining) == (23, 7)
    assert told(done) == ["5 events are not in Postgres yet"]


def test_a_usual_lag_is_no_reason(read_side: ReadSide, sold: ShardId) -> None:
    read_side.sell(sold, 7)
    assert cut(read_side, sold, 7).obstacles == []


def test_a_group_that_lags_keeps_its_events(read_side: ReadSide, sold: ShardId) -> None:
    read_side.redis.xgroup_create(read_side.key(sold), "audit", "1-9")

    done = cut(read_side, sold, 3)

    assert (done.trimmed, done.remaining) == (9, 14)
    assert told(done) == ["group audit has not acknowledged 11 events"]


def test_a_dead_consumer_keeps_what_it_had_in_hand(read_side: ReadSide, sold: ShardId) -> None:
    key = read_side.key(sold)
    read_side.redis.xgroup_create(key, "audit", "1-9")
    read_side.redis.xreadgroup("audit", "dead", {key: ">"}, count=2)
    read_side.redis.xreadgroup("audit", "alive", {key: ">"})
    read_side.redis.xack(key, "audit", *(f"1-{seq}" for seq in range(12, 24)))

    assert told(cut(read_side, sold)) == ["group audit has not acknowledged 14 events"]
    read_side.redis.xack(key, "audit", "1-10")
    done = cut(read_side, sold)
    assert (done.trimmed, told(done)) == (1, ["group audit has not acknowledged 13 events"])


def test_a_group_made_later_at_the_beginning_keeps_all(read_side: ReadSide, sold: ShardId) -> None:
    cut(read_side, sold, 10)
    read_side.redis.xgroup_create(read_side.key(sold), "late", "0")

    done = cut(read_side, sold, 4)
    assert (done.trimmed, told(done)) == (0, ["group late has not acknowledged 6 events"])


def test_without_any_group_all_stays(read_side: ReadSide, sold: ShardId) -> None:
    read_side.redis.xgroup_destroy(read_side.key(sold), GROUP)

    done = cut(read_side, sold, 3)
    assert (done.trimmed, told(done)) == (0, ["no consumer group has acknowledged 20 events: none exists"])


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM event_log WHERE seq = 7", "UPDATE event_log SET body = body || '\\x20' WHERE seq = 7"],
)
def test_what_the_archive_does_not_prove_stays(
    read_side: ReadSide, sold: ShardId, damage: str, *, dry_run: bool
) -> None:
    read_side.postgres.execute(damage.encode())

    done = cut(read_side, sold, 3, dry_run=dry_run)

    assert (done.trimmed, done.remaining) == (6, 17)
    assert told(done) == ["Postgres does not hold event 1-7 as Redis does: 14 events from it on"]


def test_an_archive_without_the_oldest_event_proves_nothing(read_side: ReadSide, sold: ShardId) -> None:
    read_side.postgres.execute("DELETE FROM event_log WHERE seq = 1")

    done = cut(read_side, sold)
    assert (done.trimmed, told(done)) == (
        0, ["Postgres does not hold event 1-1 as Redis does: 23 events from it on"]
    )  # fmt: skip


def test_a_log_that_postgres_is_ahead_of_is_not_touched(
    read_side: ReadSide, sold: ShardId, whole: list[Entry]
) -> None:
    read_side.replace(sold, whole[:15])
    read_side.redis.hset(read_side.key(sold).replace(":events", ":sale"), "seq", 15)
    read_side.log.ensure_group(sold, Position(1, 15))

    with Client(read_side.redis_url, by="a caller that has seen nothing".replace(" ", "-")) as client:
        done = trim(client, read_side.log, read_side.postgres, sold, keep=0)

    assert done.refused is not None
    assert done.refused.code is Code.LOG_REGRESSED
    assert len(seqs(read_side, sold)) == 15


def test_a_sale_without_a_log(read_side: ReadSide) -> None:
    done = cut(read_side, read_side.define())
    assert done.refused is not None
    assert done.refused.code is Code.NOT_LOADED


def test_a_key_of_another_type_is_damage(read_side: ReadSide, sold: ShardId) -> None:
    read_side.redis.set(read_side.key(sold), "no stream")

    with pytest.raises(Halted):
        cut(read_side, sold, 0)


def test_a_parked_event_is_archived_and_may_go(read_side: ReadSide, sold: ShardId) -> None:
    read_side.append(sold, "not JSON")
    read_side.drain(*read_side.projectors)

    assert cut(read_side, sold).trimmed == 24
