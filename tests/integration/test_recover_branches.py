"""A log that went on without what Postgres had: branches, and entries that nobody's script wrote."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsale.client import Client, Fences
from flashsale.commands import Code
from flashsale.errors import Halted, RefusedByState
from flashsale.ids import Position
from flashsale.keys import shard_keys
from flashsale.recover.survey import EPOCH_MAX
from flashsale.stream import ShardId
from tests.fixtures.read_side import SKU, ReadSide
from tests.integration.recover_kit import busy, known, mended, planned, sell_out


def rewind(side: ReadSide, shard: ShardId, meanwhile: Callable[[], object]) -> None:
    """Set Redis back to where it was before `meanwhile`, as a failover to a replica that was behind does."""
    with side.redis.client() as raw:
        raw.connection.encoder.decode_responses = False  # DUMP is no text
        before = {name: raw.dump(name) for name in shard_keys(*shard) if raw.exists(name)}
        meanwhile()
        raw.flushdb()
        for name, value in before.items():
            assert isinstance(value, bytes)
            raw.restore(name, 0, value)


def test_events_that_redis_lost_and_postgres_has_are_kept(read_side: ReadSide) -> None:
    shard = busy(read_side)
    lost: list[str] = []

    def sell_and_project() -> None:
        lost.extend(read_side.sell(shard, 5))
        read_side.drain(read_side.projector("p2"))

    read_side.projectors[0].close()
    rewind(read_side, shard, sell_and_project)
    with Client(read_side.redis_url, fences=known(read_side)) as client:
        answer = client.reserve(shard.sale, read_side.new_order(), "bob", SKU)
        assert answer.code is Code.LOG_REGRESSED
    with Client(read_side.redis_url) as ignorant:
        answer = ignorant.reserve(shard.sale, read_side.new_order(), "bob", SKU)
        assert answer.code is Code.LOG_REGRESSED, "the sale has halted for all"

    done = mended(read_side, shard)

    assert done.survey.orders_lost == lost
    state = sell_out(read_side, shard)
    assert {state.orders[order].status for order in lost} == {"held"}


def forked(side: ReadSide, *, sold_there: int) -> tuple[ShardId, list[str], list[str]]:
    """Postgres has 5 orders that Redis lost; Redis, written on by who knew nothing, has others in their place."""
    shard = busy(side)
    ours: list[str] = []
    theirs: list[str] = []

    def sell_and_project() -> None:
        ours.extend(side.sell(shard, 5))
        side.drain(side.projector("p2"))

    side.projectors[0].close()
    rewind(side, shard, sell_and_project)
    with Client(side.redis_url) as ignorant:
        for _ in range(sold_there):
            theirs.append(side.new_order())
            assert ignorant.reserve(shard.sale, theirs[-1], f"buyer-{theirs[-1]}", SKU).code is Code.RESERVED
        assert ignorant.confirm(shard.sale, theirs[0]).code is Code.CONFIRMED
    for projector in side.projectors:
        projector.close()
    side.projectors.clear()
    return shard, ours, theirs


def test_another_branch_is_carried_over_behind_what_postgres_has(read_side: ReadSide) -> None:
    shard, ours, theirs = forked(read_side, sold_there=6)
    assert "FORK" in read_side.step_until(read_side.projector("p3"), halted=shard)

    done = mended(read_side, shard)

    assert (done.carried, done.left_out) == (7, [])
    state = sell_out(read_side, shard)
    assert {state.orders[order].status for order in (*ours, *theirs[1:])} == {"held"}
    assert state.orders[theirs[0]].status == "confirmed"


def test_what_would_oversell_is_named_newest_first_and_left_to_the_operator(read_side: ReadSide) -> None:
    shard, ours, theirs = forked(read_side, sold_there=18)
    before = read_side.entries(shard)

    with pytest.raises(RefusedByState, match="3 acknowledged request"):
        mended(read_side, shard)
    assert read_side.entries(shard) == before
    told = planned(read_side, shard)
    assert [left.order_id for left in told.left_out] == theirs[:-4:-1]
    assert all("oversold" in left.reason for left in told.left_out)

    done = mended(read_side, shard, leave_out=True)

    assert [left.order_id for left in done.left_out] == theirs[:-4:-1]
    state = sell_out(read_side, shard)
    assert set(theirs[-3:]).isdisjoint(state.orders)
    assert {*ours, *theirs[:-3]} <= set(state.orders)


def test_an_entry_that_no_script_wrote_is_dropped(read_side: ReadSide) -> None:
    shard = busy(read_side)
    forged = read_side.forge(shard, read_side.entries(shard)[-1].body or b"")
    with pytest.raises(Halted, match="did not write"):
        read_side.client.reserve(shard.sale, read_side.new_order(), "bob", SKU)

    done = mended(read_side, shard)

    assert done.survey.foreign == [forged]
    sell_out(read_side, shard)


@pytest.mark.parametrize(
    "place", [f"{2**64 - 1}-{2**64 - 1}", f"{2**64 - 2}-1", f"{2**31}-1", f"{EPOCH_MAX}-5", "7-1"]
)
def test_an_entry_far_ahead_that_no_script_wrote_does_not_carry_the_epoch_away(
    read_side: ReadSide, place: str
) -> None:
    """Behind the last position that there can be, Redis takes no entry any more: the log goes on in another stream."""
    shard = busy(read_side)
    read_side.redis.execute_command("XADD", read_side.key(shard), place, "e", "forged")
    assert read_side.step_until(read_side.projectors[0], halted=shard)

    done = mended(read_side, shard)

    assert ([str(position) for position in done.survey.foreign], done.position.epoch) == ([place], 2)
    sell_out(read_side, shard)


def test_who_claims_to_have_seen_an_epoch_that_no_sale_reaches_is_not_believed(read_side: ReadSide) -> None:
    shard = busy(read_side)
    fences = Fences()
    fences.saw(*shard, Position(2**63, 1))
    with Client(read_side.redis_url, fences=fences) as stranger:
        assert stranger.reserve(shard.sale, read_side.new_order(), "bob", SKU).code is Code.LOG_REGRESSED

    assert mended(read_side, shard).position.epoch == 2
    sell_out(read_side, shard)
