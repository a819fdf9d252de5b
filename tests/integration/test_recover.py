"""A sale that Redis lost, wholly or in part, goes on from what is left: nothing kept is lost, nothing is oversold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsale import history
from flashsale.client import Client
from flashsale.commands import Code, Confirm, Expire, Refund, Reserve
from flashsale.commands.sale import Pause
from flashsale.events import fold
from flashsale.ids import Position
from flashsale.keys import shard_keys, staged_keys
from flashsale.projections import catalog, reads
from flashsale.projections.database import connect
from flashsale.projections.lease import acquire, seize
from flashsale.projections.projector import Projector
from flashsale.projections.retry import Chosen, retry
from flashsale.stream import ShardId
from flashsale.trim import trim
from tests.fixtures.read_side import SKU, ReadSide
from tests.helpers import wait_until
from tests.integration.recover_kit import UNITS, agrees, busy, known, mended, planned, sell_out

# ------------------------------------------------------------------------------------------------------ ways to lose it


def flush(side: ReadSide, shard: ShardId) -> None:
    side.redis.flushdb()


def lose_record(side: ReadSide, shard: ShardId) -> None:
    side.redis.delete(shard_keys(*shard).sale)


def lose_stock(side: ReadSide, shard: ShardId) -> None:
    side.redis.delete(shard_keys(*shard).stock)


def lose_orders(side: ReadSide, shard: ShardId) -> None:
    side.redis.delete(shard_keys(*shard).orders)


def lose_log(side: ReadSide, shard: ShardId) -> None:
    side.redis.delete(side.key(shard))


def another_type(side: ReadSide, shard: ShardId) -> None:
    side.redis.set(side.key(shard), "no stream")


LOSSES = (flush, lose_record, lose_stock, lose_orders, lose_log, another_type)
Loss = Callable[[ReadSide, ShardId], None]


@pytest.mark.parametrize("lose", LOSSES)
def test_what_postgres_has_is_all_there_again(read_side: ReadSide, lose: Loss) -> None:
    shard = busy(read_side)
    before = read_side.client.snapshot(shard.sale, everything=True).state
    lose(read_side, shard)

    told = planned(read_side, shard)
    assert not told.survey.is_whole
    assert told.left_out == []
    done = mended(read_side, shard)

    assert done.done
    assert done.position == Position(2, 1)
    after = read_side.client.snapshot(shard.sale, everything=True).state
    assert (after.orders, after.stock, after.units, after.requests, after.status) == (
        before.orders,
        before.stock,
        before.units,
        before.requests,
        before.status,
    )
    assert planned(read_side, shard).survey.is_whole
    sell_out(read_side, shard)


@pytest.mark.parametrize("lose", [lose_record, lose_stock, lose_orders])
def test_what_only_redis_has_is_projected_as_it_is(read_side: ReadSide, lose: Loss) -> None:
    shard = busy(read_side)
    new = read_side.sell(shard, 4)
    read_side.run(shard, [Confirm(new[0])])
    lose(read_side, shard)

    done = mended(read_side, shard)

    assert len(done.survey.tail) == 5
    state = sell_out(read_side, shard)
    assert [state.orders[order].status for order in new] == ["confirmed", "held", "held", "held"]
    assert state.orders[new[0]].reserved_at.epoch == 1


def test_a_tail_that_was_not_projected_is_gone_with_redis_and_the_rest_is_not(read_side: ReadSide) -> None:
    shard = busy(read_side)
    kept = read_side.checkpoint(shard)
    read_side.sell(shard, 4)
    read_side.redis.flushdb()

    done = mended(read_side, shard)

    assert (done.survey.head, done.survey.checkpoint) == (Position(0, 0), kept)
    sell_out(read_side, shard)


def test_a_sale_lost_before_anybody_stored_an_event_begins_again_in_another_epoch(
    read_side: ReadSide,
) -> None:
    shard = read_side.open_sale(quantity=UNITS)
    catalog.found(read_side.postgres, shard, 1, before=0)
    read_side.sell(shard, 3)
    read_side.redis.flushdb()

    done = mended(read_side, shard)

    assert done.position == Position(2, 2)
    assert read_side.client.snapshot(shard.sale).state.status == "warm"
    assert agrees(read_side, shard).stock[SKU].available == UNITS


def test_a_sale_that_is_well_is_left_alone_while_it_sells(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.sell(shard, 2)

    done = mended(read_side, shard)

    assert (done.done, done.survey.is_whole) == (False, True)
    assert read_side.client.control(shard.sale, Pause()).code is Code.PAUSED
    assert not read_side.redis.exists(*staged_keys(*shard))
    agrees(read_side, shard)


def test_a_projector_goes_on_into_the_new_epoch_by_itself(read_side: ReadSide) -> None:
    shard = busy(read_side)
    projector: Projector = read_side.projectors[0]
    read_side.redis.flushdb()
    read_side.step_until(projector, halted=shard)

    mended(read_side, shard)
    read_side.drain(projector, patient=True)

    assert read_side.checkpoint(shard) == Position(2, 1)
    assert read_side.halted(shard) is None


def test_it_is_lost_again_and_recovered_again(read_side: ReadSide) -> None:
    shard = busy(read_side)
    for epoch in (2, 3, 4):
        read_side.redis.flushdb()
        assert mended(read_side, shard).position == Position(epoch, 1)
        agrees(read_side, shard)
    sell_out(read_side, shard)


def test_lost_again_before_the_new_epoch_was_projected_its_epoch_is_not_used_twice(
    read_side: ReadSide,
) -> None:
    shard = busy(read_side)
    read_side.redis.flushdb()
    mended(read_side, shard)
    read_side.redis.flushdb()

    assert mended(read_side, shard).position == Position(3, 1)

    sell_out(read_side, shard)


def test_a_recovery_that_takes_long_keeps_its_lease_while_it_lives(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.projectors[0].close()
    with connect(read_side.postgres_url) as session:
        seize(session, "recover", shard)
        read_side.postgres.execute("UPDATE checkpoint SET heartbeat_at = heartbeat_at - interval '5 minutes'")
        assert acquire(read_side.postgres, "p2", 1) == []
        assert reads.checkpoints(read_side.postgres, shard.sale)[0].heartbeat_age_ms == 0

    def is_free() -> bool:
        return bool(acquire(read_side.postgres, "p2", 1))

    wait_until(is_free, 10, "the session that recovered is dead")


def test_holds_that_ended_meanwhile_end_after_it(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=UNITS, hold_ms=1)
    catalog.found(read_side.postgres, shard, 1, before=0)
    overdue = read_side.sell(shard, 3)
    read_side.drain(read_side.projector())
    read_side.redis.flushdb()

    mended(read_side, shard)

    with Client(read_side.redis_url, fences=known(read_side)) as client:
        assert client.expire(shard.sale, Expire()).order_ids == overdue
    assert agrees(read_side, shard).stock[SKU].available == UNITS


def test_a_dead_letter_of_the_lost_epoch_can_be_retried_after_it(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.postgres.execute("ALTER TABLE orders ADD CONSTRAINT no_zoe CHECK (buyer <> 'zoe')")
    read_side.run(shard, [Reserve("0-order-zoe-zoe", "zoe", SKU)])
    read_side.drain(read_side.projectors[0])
    read_side.run(shard, [Confirm("0-order-zoe-zoe")])
    read_side.redis.delete(shard_keys(*shard).stock)

    mended(read_side, shard)
    read_side.postgres.execute("ALTER TABLE orders DROP CONSTRAINT no_zoe")

    read_side.run(shard, [Refund("0-order-zoe-zoe")])
    read_side.drain(read_side.projectors[0], patient=True)
    places = read_side.rows("SELECT epoch, seq FROM parked ORDER BY 1, 2")
    assert [epoch for epoch, _ in places] == [1, 1, 2]
    (line,) = retry(read_side.postgres, shard, Chosen(), actor="tests")
    assert len(line.applied) == 3
    assert agrees(read_side, shard).orders["0-order-zoe-zoe"].status == "refunded"


def test_a_log_that_spans_epochs_is_trimmed_and_read_as_one(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.redis.flushdb()
    mended(read_side, shard)
    read_side.sell(shard, 3)
    read_side.drain(read_side.projectors[0], patient=True)
    read_side.sell(shard, 2)
    trimmed = trim(read_side.client, read_side.log, read_side.postgres, shard, keep=0)

    events = list(history.whole(read_side.log, read_side.postgres, shard))

    assert (trimmed.trimmed, trimmed.remaining) == (4, 2)
    assert [event.position.epoch for event in events] == [1] * 15 + [2] * 6
    assert [event.position for event in history.newest(read_side.log, read_side.postgres, shard, 8)] == [
        event.position for event in events[-8:]
    ]
    assert fold((event.position, event.event) for event in events if event.event) == (
        read_side.client.snapshot(shard.sale, everything=True).state
    )
    assert planned(read_side, shard).survey.is_whole
    read_side.redis.flushdb()
    assert mended(read_side, shard).position == Position(3, 1)
    sell_out(read_side, shard)
