"""Other consumers read from a stream what is parked; Postgres has the truth, and Redis may refuse the copy."""

from __future__ import annotations

import pytest
import structlog.testing

from flashsale.ids import Position
from flashsale.keys import dead_letters_key
from flashsale.projections.projector import Projector
from flashsale.projections.retry import Chosen, retry
from flashsale.stream import DeadLetter, ShardId
from tests.fixtures.read_side import ReadSide
from tests.integration.desk_kit import Desk, open_desk

NO_EVENT = b'["order.unheard_of",0,2,"x"]'


@pytest.fixture
def shard(read_side: ReadSide) -> ShardId:
    return read_side.open_sale()


@pytest.fixture
def projector(read_side: ReadSide) -> Projector:
    return read_side.projector()


def park(side: ReadSide, shard: ShardId, projector: Projector) -> Position:
    """Have an event parked that no script wrote."""
    position = side.append(shard, NO_EVENT)
    side.drain(projector)
    return position


def stream(side: ReadSide, shard: ShardId) -> list[tuple[Position, dict[str, str]]]:
    found = side.redis.execute_command("XRANGE", dead_letters_key(*shard), "-", "+")
    return [(Position.parse(entry_id), fields) for entry_id, fields in found]


def positions(side: ReadSide, shard: ShardId) -> list[Position]:
    return [position for position, _ in stream(side, shard)]


def test_a_parked_event_stands_there_at_its_position(
    read_side: ReadSide, shard: ShardId, projector: Projector
) -> None:
    position = park(read_side, shard, projector)

    ((found, fields),) = stream(read_side, shard)
    assert found == position
    assert fields == {
        "e": NO_EVENT.decode(),
        "class": "undecodable",
        "error": "Invalid value 'order.unheard_of' - at `$[0]`",
    }


def test_another_consumer_reads_it_with_a_group_of_its_own(
    read_side: ReadSide, shard: ShardId, projector: Projector
) -> None:
    key = dead_letters_key(*shard)
    read_side.redis.xgroup_create(key, "alarms", id="0", mkstream=True)
    position = park(read_side, shard, projector)

    ((_, entries),) = read_side.redis.execute_command(
        "XREADGROUP", "GROUP", "alarms", "me", "STREAMS", key, ">"
    )
    assert [Position.parse(entry_id) for entry_id, _ in entries] == [position]


def test_what_was_parked_and_never_told_is_made_up_at_the_next_start(
    read_side: ReadSide, shard: ShardId
) -> None:
    desk: Desk = open_desk(read_side)
    last = read_side.append(shard, NO_EVENT)
    desk.apply(*(entry.body for entry in read_side.entries(shard)))  # commits, and dies
    read_side.postgres.execute("UPDATE checkpoint SET holder = NULL")
    assert positions(read_side, shard) == []

    projector = read_side.projector("p2")
    projector.step()

    assert positions(read_side, shard) == [last]
    projector.close()
    read_side.projector("p3").step()
    assert positions(read_side, shard) == [last]


def test_a_refusal_stops_nothing_and_is_made_up_with_the_next_dead_letter(
    read_side: ReadSide, shard: ShardId, projector: Projector
) -> None:
    key = dead_letters_key(*shard)
    read_side.redis.set(key, "somebody else's")
    with structlog.testing.capture_logs() as logged:
        first = park(read_side, shard, projector)
    warning = next(entry for entry in logged if entry["action"] == "dead_letters_unpublished")
    assert (warning["log_level"], warning["shard"]) == ("warning", str(shard))
    assert "another type" in warning["why"]
    assert read_side.halted(shard) is None

    read_side.redis.delete(key)
    second = park(read_side, shard, projector)
    assert positions(read_side, shard) == [first, second]


def test_what_another_process_added_meanwhile_is_not_added_twice(
    read_side: ReadSide, shard: ShardId, projector: Projector
) -> None:
    first = park(read_side, shard, projector)
    later = Position(first.epoch, first.seq + 1)
    letters = [DeadLetter(place, b"x", "a class", "an error") for place in (first, later)]

    read_side.log.add_dead_letters(shard, letters)

    assert positions(read_side, shard) == [first, later]
    assert read_side.log.last_dead_letter(shard) == later


def test_a_stream_that_was_lost_holds_again_what_is_still_parked(
    read_side: ReadSide, shard: ShardId, projector: Projector
) -> None:
    first = park(read_side, shard, projector)
    read_side.redis.delete(dead_letters_key(*shard))
    second = park(read_side, shard, projector)
    assert positions(read_side, shard) == [first, second]


def test_many_are_told_page_by_page(
    read_side: ReadSide, shard: ShardId, projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flashsale.projections.dead_stream.PAGE_MAX", 3)
    expected = [read_side.append(shard, NO_EVENT) for _ in range(10)]
    read_side.drain(projector)
    assert positions(read_side, shard) == expected


def test_a_retry_adds_nothing(read_side: ReadSide, shard: ShardId, projector: Projector) -> None:
    position = park(read_side, shard, projector)
    list(retry(read_side.postgres, shard, Chosen(), actor="tests"))
    projector.close()
    read_side.projector("p2").step()
    assert positions(read_side, shard) == [position]
