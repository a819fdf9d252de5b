"""Trimming: what Postgres has and every group acknowledged leaves the log, and everything works as before."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from flashsale import history
from flashsale.client import Client
from flashsale.commands import Code, Confirm
from flashsale.events import encode
from flashsale.events.types import EpochStarted
from flashsale.ids import START, Position
from flashsale.keys import GROUP
from flashsale.reconcile import compare
from flashsale.stream import Entry, Log, ShardId
from flashsale.trim import Trimmed, Trimmer, trim
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until


def cut(side: ReadSide, shard: ShardId, keep: int = 0, *, dry_run: bool = False) -> Trimmed:
    """Trim one log."""
    return trim(side.client, side.log, side.postgres, shard, keep=keep, dry_run=dry_run)


def told(done: Trimmed) -> list[str]:
    """Why events had to stay."""
    return [str(obstacle) for obstacle in done.obstacles]


def seqs(side: ReadSide, shard: ShardId) -> list[int]:
    """What the stream holds."""
    return [entry.position.seq for entry in side.entries(shard)]


@pytest.fixture
def sold(read_side: ReadSide) -> ShardId:
    """A sale of 23 events, all applied."""
    shard = read_side.open_sale()
    read_side.sell(shard, 20)
    read_side.drain(read_side.projector())
    return shard


@pytest.fixture
def whole(read_side: ReadSide, sold: ShardId) -> list[Entry]:
    """The log of that sale before it is trimmed."""
    return read_side.entries(sold)


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


def test_a_parked_event_is_archived_and_may_go(read_side: ReadSide, sold: ShardId) -> None:
    read_side.append(sold, "not JSON")
    read_side.drain(*read_side.projectors)

    assert cut(read_side, sold).trimmed == 24


# ------------------------------------------------------------------------------------------- everything works as before


@pytest.mark.parametrize("keep", [0, 1, 10])
def test_the_log_can_be_read_whole(read_side: ReadSide, sold: ShardId, whole: list[Entry], keep: int) -> None:
    cut(read_side, sold, keep)

    assert list(history.entries(read_side.log, read_side.postgres, sold)) == whole
    part = history.entries(read_side.log, read_side.postgres, sold, Position(1, 4), Position(1, 20))
    assert list(part) == whole[4:20]


@pytest.mark.parametrize("number", [1, 5, 12, 23, 100])
@pytest.mark.parametrize("keep", [0, 1, 10])
def test_the_newest_events_come_from_both(
    read_side: ReadSide, sold: ShardId, whole: list[Entry], keep: int, number: int
) -> None:
    cut(read_side, sold, keep)
    found = history.newest(read_side.log, read_side.postgres, sold, number)

    assert [(event.position, event.body) for event in found] == [
        (entry.position, entry.body) for entry in whole[-number:]
    ]


def test_a_log_that_is_trimmed_while_it_is_read_has_no_hole(
    read_side: ReadSide, sold: ShardId, whole: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Log(read_side.redis_url) as slow:
        read = slow.entries

        def read_a_little(
            shard: ShardId, after: Position, up_to: Position | None = None, **_: int
        ) -> list[Entry]:
            """A page of four; before the next one is read, three events behind it are gone."""
            page = read(shard, after, up_to, 4)
            cut(read_side, sold, keep=max(0, 20 - page[-1].position.seq if page else 0))
            return page

        monkeypatch.setattr(slow, "entries", read_a_little)
        found = list(history.whole(slow, read_side.postgres, sold))
    assert [(event.position, event.body) for event in found] == [(e.position, e.body) for e in whole]


def test_a_follower_that_is_too_slow_gets_the_rest_from_the_archive(
    read_side: ReadSide, sold: ShardId, whole: list[Entry]
) -> None:
    cut(read_side, sold, 5)
    assert history.follow(read_side.log, read_side.postgres, sold, Position(1, 3)) == whole[3:]


def test_log_redis_and_postgres_still_agree(read_side: ReadSide, sold: ShardId) -> None:
    cut(read_side, sold, 3)
    read_side.sell(sold, 5)
    read_side.drain(*read_side.projectors)
    cut(read_side, sold)

    found = compare(read_side.client, read_side.log, read_side.postgres, sold, timeout_s=5)
    assert (found.drifts, found.position) == ([], Position(1, 28))


@pytest.mark.parametrize("keep", [0, 4])
@pytest.mark.parametrize("meddle", ["restart", "rewind", "destroy", "forward", "kill"])
def test_a_projector_goes_on_behind_a_trimmed_log(
    read_side: ReadSide, sold: ShardId, keep: int, meddle: str
) -> None:
    (projector,) = read_side.projectors
    key = read_side.key(sold)
    cut(read_side, sold, keep)
    if meddle == "restart":
        projector.close()
    elif meddle == "kill":
        read_side.end_sessions(projector.name)
        projector = read_side.projector("p2")
    elif meddle == "destroy":
        read_side.redis.xgroup_destroy(key, GROUP)
    else:
        read_side.redis.xgroup_setid(key, GROUP, "0" if meddle == "rewind" else "1-99")
    orders = read_side.sell(sold, 6)
    read_side.run(sold, [Confirm(order) for order in orders])

    read_side.drain(projector, patient=True)

    assert read_side.halted(sold) is None
    assert read_side.checkpoint(sold) == Position(1, 35)
    assert read_side.value("SELECT count(*) FROM event_log") == 35
    assert compare(read_side.client, read_side.log, read_side.postgres, sold, timeout_s=5).drifts == []


# ---------------------------------------------------------------------------------------------- a projector that trims


@pytest.fixture
def trimmer(read_side: ReadSide) -> Iterator[Trimmer]:
    """What a projector with --trim has."""
    with Client(read_side.redis_url, by="p1") as client:
        yield Trimmer(client, keep=10)


def test_a_projector_trims_what_it_has_applied(
    read_side: ReadSide, trimmer: Trimmer, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 50)
    projector = read_side.projector(trim=trimmer)

    def is_short() -> bool:
        projector.step()
        return len(seqs(read_side, shard)) == 10

    wait_until(is_short)
    assert "log_trimmed" in capsys.readouterr().out
    assert len(read_side.archive(shard)) == 53


def test_what_stands_in_the_way_is_told_once_and_stops_nothing(
    read_side: ReadSide, sold: ShardId, trimmer: Trimmer, capsys: pytest.CaptureFixture[str]
) -> None:
    read_side.redis.xgroup_create(read_side.key(sold), "audit", "0")
    for _ in range(3):
        trimmer(read_side.postgres, read_side.log, sold)
    read_side.redis.delete(read_side.key(sold))
    trimmer(read_side.postgres, read_side.log, sold)

    told = [line for line in capsys.readouterr().out.splitlines() if "trim_refused" in line]
    assert len(told) == 2
    assert "group audit has not acknowledged 13 events" in told[0]
    assert "LOG_REGRESSED" in told[1]


def test_a_server_that_is_away_is_no_reason_to_stop(
    read_side: ReadSide, sold: ShardId, trimmer: Trimmer, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(read_side.postgres_url, autocommit=True) as connection:
        connection.close()
        trimmer(connection, read_side.log, sold)

    assert "trim_refused" in capsys.readouterr().out
    assert read_side.checkpoint(sold) > START
