"""What was delivered ahead of a batch that then fails, halts or is another's: nothing is lost, nothing comes twice."""

from __future__ import annotations

import pytest

from flashsale.ids import Position
from flashsale.projections.projector import Projector
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until

#: Well above what COPY is for, and a small part of the log.
BATCH = 40
ORDERS = 400


@pytest.fixture
def shard(read_side: ReadSide) -> ShardId:
    """A sale with a backlog."""
    shard = read_side.open_sale()
    read_side.sell(shard, ORDERS)
    return shard


def projector_in_the_middle(side: ReadSide, shard: ShardId) -> Projector:
    """A projector that has applied a part, and more is delivered to it."""
    projector = side.projector(batch_max=BATCH)

    def is_ahead() -> bool:
        projector.step()
        return projector.totals.batches > 1

    wait_until(is_ahead, 10, "two batches are applied")
    delivered = side.log.delivered(shard)
    assert side.checkpoint(shard) < delivered < (side.log.head(shard) or delivered)
    return projector


def assert_all_applied_once(side: ReadSide, shard: ShardId, *projectors: Projector) -> None:
    side.assert_projected(shard)
    assert side.pending(shard) == 0
    assert sum(projector.totals.ack_missing for projector in projectors) == 0
    assert sum(projector.totals.events for projector in projectors) == side.checkpoint(shard).seq


def test_a_backlog_is_delivered_ahead(read_side: ReadSide, shard: ShardId) -> None:
    projector = projector_in_the_middle(read_side, shard)
    assert read_side.pending(shard) == BATCH

    read_side.drain(projector)

    assert_all_applied_once(read_side, shard, projector)


def test_without_a_backlog_nothing_is_delivered_ahead(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector(batch_max=BATCH)
    read_side.drain(projector)
    read_side.sell(shard, BATCH - 1)

    read_side.drain(projector)

    assert_all_applied_once(read_side, shard, projector)


def test_pages_fill_a_larger_batch(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=5_000)
    projector = read_side.projector(batch_max=3_000)
    read_side.drain(projector)
    for _ in range(5):
        read_side.sell(shard, 1_000)
    before = projector.totals.batches

    read_side.drain(projector)

    assert_all_applied_once(read_side, shard, projector)
    assert projector.totals.batches - before == 2


def test_the_session_ends(read_side: ReadSide, shard: ShardId) -> None:
    projector = projector_in_the_middle(read_side, shard)
    read_side.end_sessions(projector.name)

    read_side.drain(projector, patient=True)

    assert_all_applied_once(read_side, shard, projector)


def test_another_takes_the_shard(read_side: ReadSide, shard: ShardId) -> None:
    first = projector_in_the_middle(read_side, shard)
    second = read_side.projector("p2", batch_max=BATCH)
    read_side.postgres.execute("UPDATE checkpoint SET holder = NULL")
    wait_until(lambda: second.step() > 0, 10, "the second one leads")

    read_side.drain(first, second)

    assert_all_applied_once(read_side, shard, first, second)
    assert first.shards == []


def test_the_batch_that_was_ahead_is_a_fork(read_side: ReadSide, shard: ShardId) -> None:
    projector = projector_in_the_middle(read_side, shard)
    epoch, seq = read_side.checkpoint(shard)
    read_side.postgres.execute(
        "INSERT INTO event_log (sale_id, shard, epoch, seq, type, body) VALUES (%s, 0, %s, %s, '', 'other')",
        (shard.sale, epoch, seq + 3),
    )

    reason = read_side.step_until(projector, halted=shard)

    assert f"at {Position(epoch, seq + 3)}" in reason
    assert read_side.checkpoint(shard) == Position(epoch, seq)
    read_side.postgres.execute("DELETE FROM event_log WHERE body = 'other'")
    read_side.drain(projector)
    assert_all_applied_once(read_side, shard, projector)


def test_an_event_that_was_ahead_is_poison(read_side: ReadSide, shard: ShardId) -> None:
    projector = projector_in_the_middle(read_side, shard)
    seq = read_side.checkpoint(shard).seq + 3
    read_side.postgres.execute(
        f"ALTER TABLE orders ADD CONSTRAINT not_this_one CHECK (seq <> {seq})".encode()
    )

    read_side.drain(projector)

    assert read_side.rows("SELECT seq, kind FROM parked") == [(seq, "poison")]
    assert projector.totals.parked == 1
    assert read_side.pending(shard) == 0
    assert read_side.value("SELECT count(*) FROM event_log") == read_side.checkpoint(shard).seq
    assert read_side.value("SELECT count(*) FROM orders") == ORDERS - 1


def test_redis_goes_away_while_postgres_works(read_side: ReadSide, shard: ShardId) -> None:
    projector = projector_in_the_middle(read_side, shard)
    for client in read_side.redis.client_list():
        if client["cmd"].startswith("xreadgroup"):
            read_side.redis.client_kill(client["addr"])

    read_side.drain(projector, patient=True)

    read_side.assert_projected(shard)
    assert read_side.pending(shard) == 0


def test_one_shard_halts_and_the_other_goes_on(read_side: ReadSide, shard: ShardId) -> None:
    other = read_side.open_sale("sale-2")
    read_side.sell(other, ORDERS)
    projector = read_side.projector(batch_max=BATCH)

    def both_in_the_middle() -> bool:
        projector.step()
        return min(read_side.checkpoint(shard).seq, read_side.checkpoint(other).seq) > BATCH

    wait_until(both_in_the_middle, 10, "both are under way")
    epoch, seq = read_side.checkpoint(shard)
    read_side.postgres.execute(
        "INSERT INTO event_log (sale_id, shard, epoch, seq, type, body) VALUES (%s, 0, %s, %s, '', 'other')",
        (shard.sale, epoch, seq + 3),
    )

    read_side.step_until(projector, halted=shard)
    read_side.drain(projector, shards=[other])

    read_side.assert_projected(other)
    read_side.postgres.execute("DELETE FROM event_log WHERE body = 'other'")
    read_side.drain(projector)
    read_side.assert_projected(shard)
    assert read_side.pending(shard) + read_side.pending(other) == projector.totals.ack_missing == 0
