"""A log that cannot be right halts its shard alone, loudly, until it is mended; nothing is guessed."""

from __future__ import annotations

import re

import pytest

from flashsale.client import Client
from flashsale.errors import Unreachable
from flashsale.ids import START, Position
from flashsale.keys import GROUP
from flashsale.stream import Entry
from tests.fixtures.meeting import Meeting
from tests.fixtures.read_side import ReadSide


@pytest.mark.parametrize("lost", [[9], [12, 13], [13]], ids=["one", "the last two", "the last"])
def test_entries_that_are_gone_halt_their_shard_alone_until_it_is_mended(
    read_side: ReadSide, lost: list[int]
) -> None:
    damaged, healthy = read_side.open_sale("sale-1"), read_side.open_sale("sale-2")
    projector = read_side.projector()
    read_side.drain(projector)
    read_side.sell(damaged, 10)
    whole = read_side.entries(damaged)
    read_side.redis.xdel(read_side.key(damaged), *(f"1-{seq}" for seq in lost))

    reason = read_side.step_until(projector, halted=damaged)
    assert reason.startswith(f"sale-1:0: events between 1-{min(lost) - 1} and 1-")
    assert reason.endswith("are missing in Redis")
    assert read_side.checkpoint(damaged) == Position(1, min(lost) - 1)
    read_side.sell(healthy, 10)
    read_side.drain(projector, shards=[healthy], patient=True)
    assert projector.shards == [healthy]
    read_side.assert_projected(healthy)

    read_side.replace(damaged, whole)
    read_side.drain(projector, patient=True)
    assert projector.shards == [damaged, healthy]
    read_side.assert_projected(damaged)


def test_a_halt_is_told_once_and_stays_until_it_is_mended(
    read_side: ReadSide, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 10)
    read_side.redis.xdel(read_side.key(shard), "1-2", "1-9")
    projector = read_side.projector()
    reason = read_side.step_until(projector, halted=shard)
    before = read_side.value("SELECT heartbeat_at FROM checkpoint")

    while read_side.value("SELECT heartbeat_at FROM checkpoint") == before:
        projector.step()
        assert read_side.halted(shard) == reason
    assert capsys.readouterr().out.count("shard_halted") == 1
    assert read_side.holder(shard) == "p1"


def test_a_log_shorter_than_the_checkpoint_is_a_fork(read_side: ReadSide) -> None:
    shard, healthy = read_side.open_sale("sale-1"), read_side.open_sale("sale-2")
    projector = read_side.projector()
    read_side.sell(shard, 10)
    read_side.drain(projector)
    whole = read_side.entries(shard)

    read_side.replace(shard, whole[:8])
    read_side.sell(healthy, 5)
    reason = read_side.step_until(projector, halted=shard)
    assert (
        reason
        == "FORK of sale-1:0: Postgres has applied 1-13, the log in Redis ends at 1-8: it lost its tail"
    )
    read_side.drain(projector, shards=[healthy], patient=True)
    assert read_side.archive(shard) == [(entry.position, entry.body) for entry in whole]

    read_side.replace(shard, whole)
    read_side.drain(projector, patient=True)
    read_side.assert_projected(shard)


def test_a_halted_shard_follows_an_operator_who_moves_the_checkpoint(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.sell(shard, 10)
    read_side.drain(projector)
    read_side.replace(shard, read_side.entries(shard)[:8])
    read_side.step_until(projector, halted=shard)

    read_side.postgres.execute("TRUNCATE event_log, orders, stock")
    read_side.postgres.execute("UPDATE checkpoint SET epoch = 0, seq = 0")
    read_side.drain(projector)
    read_side.assert_projected(shard)


def test_other_content_under_the_same_seq_is_a_fork(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.sell(shard, 10)
    read_side.drain(projector)
    whole = read_side.entries(shard)
    read_side.replace(shard, [*whole[:12], Entry(whole[12].position, whole[11].body), *whole[:5]][:13])
    read_side.append(shard, whole[12].body or b"")

    reason = read_side.step_until(projector, halted=shard)
    assert reason == "FORK of sale-1:0 at 1-13: Postgres holds another event there than Redis"
    assert len(read_side.archive(shard)) == 13


def test_a_flushed_redis_is_a_fork_and_nothing_goes_on_by_itself(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.sell(shard, 10)
    read_side.drain(projector)
    read_side.redis.flushdb()

    reason = read_side.step_until(projector, halted=shard)
    assert "the log in Redis ends at 0-0: it lost its tail" in reason

    # Whoever forgets what was sold and warms the sale again is found out, however long the new log is.
    with Client(read_side.redis_url, by="tests") as forgetful:
        read_side.client = forgetful
        read_side.warm(shard)
        read_side.sell(shard, 50)
    before = read_side.archive(shard)
    read_side.postgres.execute("UPDATE checkpoint SET halted = 'looked at'")
    reason = read_side.step_until(projector, halted=shard, since="looked at")
    assert "at 1-13: Postgres holds another event there than Redis" in reason
    assert read_side.archive(shard) == before


def test_a_log_that_was_written_over_before_it_was_read_once_is_a_fork(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 5)
    first = read_side.projector("p1")
    read_side.drain(first)
    first.close()
    read_side.postgres.execute("UPDATE checkpoint SET epoch = 0, seq = 0")
    read_side.replace(shard, [Entry(Position(1, n), b'["sale.paused",1,%d,"x"]' % n) for n in range(1, 9)])

    reason = read_side.step_until(read_side.projector("p2"), halted=shard)
    assert "FORK of sale-1:0 at 1-1:" in reason
    assert read_side.checkpoint(shard) == START


def test_an_entry_that_comes_again_with_other_bytes_is_a_fork(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 5)
    projector = read_side.projector()
    read_side.drain(projector)
    entries = read_side.entries(shard)
    entries[4] = Entry(entries[4].position, b'["sale.paused",1,1,"x"]')
    read_side.replace(shard, entries)
    read_side.sell(shard, 1)
    read_side.drain(projector, patient=True)  # the end of the log is what Postgres has: nothing is found

    read_side.redis.execute_command("XGROUP", "SETID", read_side.key(shard), GROUP, "0")

    assert f"FORK of {shard} at 1-5" in read_side.step_until(projector, halted=shard)


def test_a_key_of_another_type_halts_its_shard_alone(read_side: ReadSide) -> None:
    damaged, healthy = read_side.open_sale("sale-1"), read_side.open_sale("sale-2")
    projector = read_side.projector()
    read_side.drain(projector)
    read_side.redis.set(read_side.key(damaged), "no stream")

    assert "another type" in read_side.step_until(projector, halted=damaged)
    read_side.sell(healthy, 5)
    read_side.drain(projector, shards=[healthy], patient=True)
    read_side.assert_projected(healthy)


def test_a_log_that_is_replaced_while_a_batch_is_applied_halts_its_shard_alone(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.drain(projector)
    read_side.sell(shard, 5)
    with Meeting(read_side.postgres_url) as meeting, meeting.stepping(projector) as step:
        read_side.redis.set(read_side.key(shard), "no stream")

    assert isinstance(step.exception(), Unreachable), "the next round looks what it is"
    assert "another type" in read_side.step_until(projector, halted=shard)


def test_an_entry_that_cannot_be_read_is_parked_and_the_log_goes_on(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 3)
    last = read_side.append(shard, "1", name="not-e")
    one = read_side.projector("p1")
    read_side.drain(one)
    assert one.totals.parked == 1
    assert read_side.archive(shard)[-1] == (last, b"")

    one.close()
    other = read_side.projector("p2")
    read_side.append(shard, '["sale.paused",1,5,"tests"]')
    read_side.drain(other)
    assert read_side.halted(shard) is None


@pytest.mark.parametrize("position", ["*", "1-4", "1-5"])
def test_an_entry_that_no_script_wrote_is_never_applied(read_side: ReadSide, position: str) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.drain(projector)
    forged = read_side.entries(shard)[-1].body or b""
    read_side.redis.execute_command("XADD", read_side.key(shard), position, "e", forged)

    assert re.search(
        r"the log holds \d+-\d, the scripts have counted to 1-3",
        read_side.step_until(projector, halted=shard),
    )
    assert read_side.checkpoint(shard) == Position(1, 3)
