"""Events that are gone from both logs: what the records still say of them is kept, and the rest is told."""

from __future__ import annotations

import pytest

from flashsale.commands.sale import Pause, Resume
from flashsale.errors import Halted
from flashsale.ids import START, Position
from flashsale.keys import shard_keys
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide
from tests.integration.recover_kit import agrees, busy, mended, planned, sell_out


def cut_middle(side: ReadSide, shard: ShardId, lost: Position) -> None:
    side.redis.xdel(side.key(shard), str(lost))


def cut_all(side: ReadSide, shard: ShardId, lost: Position) -> None:
    side.redis.xtrim(side.key(shard), maxlen=0)


def cut_all_and_sell(side: ReadSide, shard: ShardId, lost: Position) -> None:
    cut_all(side, shard, lost)
    side.sell(shard, 1)


@pytest.mark.parametrize("cut", [cut_middle, cut_all, cut_all_and_sell])
def test_acknowledged_orders_whose_events_are_gone_are_kept(read_side: ReadSide, cut: object) -> None:
    shard = busy(read_side)
    first, second = read_side.sell(shard, 2)
    lost = read_side.client.order(shard.sale, first)
    assert lost is not None
    assert callable(cut)
    cut(read_side, shard, lost.reserved_at)

    told = planned(read_side, shard)
    assert not told.survey.is_whole
    assert told.left_out == []
    mended(read_side, shard)

    state = sell_out(read_side, shard)
    assert {first, second} <= set(state.orders)


def test_a_gap_of_which_no_record_says_anything_is_a_loss_all_the_same(read_side: ReadSide) -> None:
    shard = busy(read_side)
    at = read_side.checkpoint(shard)
    read_side.client.control(shard.sale, Pause())
    read_side.client.control(shard.sale, Resume())
    read_side.redis.xtrim(read_side.key(shard), maxlen=0)

    told = planned(read_side, shard)

    assert f"events between {at} and 1-{at.seq + 2} are in neither log" in told.survey.damage
    mended(read_side, shard)
    sell_out(read_side, shard)


def test_a_hole_in_the_archive_is_told_with_its_remedy(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.postgres.execute("DELETE FROM event_log WHERE seq = 5")

    with pytest.raises(
        Halted, match=r"the archive of sale-1:0 does not add up at 1-6.*flashsale reconcile sale-1"
    ):
        planned(read_side, shard)


@pytest.mark.parametrize("change", ["DEL", "ZADD"])
def test_holds_are_looked_at_too(read_side: ReadSide, change: str) -> None:
    shard = busy(read_side)
    more = () if change == "DEL" else (5, "0-nobody-0000")
    read_side.redis.execute_command(change, shard_keys(*shard).holds, *more)

    assert not planned(read_side, shard).survey.is_whole
    mended(read_side, shard)
    agrees(read_side, shard)


def test_groups_of_others_go_on_behind_the_new_beginning(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.redis.xgroup_create(read_side.key(shard), "audit", "0")
    read_side.redis.hdel(shard_keys(*shard).stock, "phone")

    assert planned(read_side, shard).survey.groups == ["audit"]
    mended(read_side, shard)

    assert [group.name for group in read_side.log.groups(shard)] == ["audit"]
    assert read_side.log.groups(shard)[0].acknowledged == START
