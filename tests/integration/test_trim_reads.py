"""A log that was trimmed, read by everybody who reads logs; and a projector that trims."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from flashsale import history
from flashsale.client import Client
from flashsale.commands import Confirm
from flashsale.ids import START, Position
from flashsale.keys import GROUP
from flashsale.reconcile import compare
from flashsale.stream import Entry, Log, ShardId
from flashsale.trim import Trimmer
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until
from tests.integration.trim_kit import cut, seqs, sold, whole

__all__ = ["sold", "whole"]


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
