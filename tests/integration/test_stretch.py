"""Stretches of a log that is partly in the archive alone: read within bounds, and going on leaves nothing out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsale.commands import Confirm
from flashsale.events import type_name
from flashsale.history import Shown
from flashsale.ids import START, Position
from flashsale.keys import shard_keys
from flashsale.operator.stretch import Bounds, Stretch, backwards, forwards
from flashsale.shop import Shop
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide

BOUNDS = Bounds(found_max=3, read_max=20)


@pytest.fixture
def shard(read_side: ReadSide) -> ShardId:
    """82 events, 12 of them payments, with a long stretch without one; the first 30 are in the archive alone."""
    shard = read_side.open_sale()
    paid = read_side.sell(shard, 10)
    read_side.run(shard, [Confirm(order) for order in paid[:7]])
    read_side.sell(shard, 52)
    late = read_side.sell(shard, 5)
    read_side.run(shard, [Confirm(order) for order in late])
    read_side.drain(read_side.projector())
    read_side.redis.xtrim(shard_keys(*shard).events, minid="1-31", approximate=False)
    return shard


def is_confirmed(shown: Shown) -> bool:
    return shown.event is not None and type_name(shown.event) == "order.confirmed"


def through(read: Callable[[Stretch | None], Stretch]) -> list[Stretch]:
    """All stretches, each from where the one before ended, until there is nothing more to read."""
    found = [read(None)]
    while found[-1].read:
        found.append(read(found[-1]))
    return found[:-1]


@pytest.mark.parametrize("way", ["backwards", "forwards"])
def test_going_on_finds_all_of_a_type_and_reads_every_event_once(
    read_side: ReadSide, shard: ShardId, way: str
) -> None:
    shop = Shop(read_side.client, read_side.log, read_side.postgres)
    head = read_side.log.head(shard)
    assert head is not None

    def read(done: Stretch | None) -> Stretch:
        if way == "backwards":
            return backwards(shop, shard, done and done.first, is_confirmed, BOUNDS)
        return forwards(shop, shard, (done and done.last) or START, is_confirmed, BOUNDS)

    stretches = through(read)

    for stretch in stretches:
        assert stretch.first is not None
        assert stretch.last is not None
        assert stretch.read == stretch.last.seq - stretch.first.seq + 1 <= BOUNDS.read_max
        assert len(stretch.found) <= BOUNDS.found_max
        assert [shown.position for shown in stretch.found] == sorted(
            shown.position for shown in stretch.found
        )
    assert sum(stretch.read for stretch in stretches) == head.seq
    assert any(not stretch.found for stretch in stretches), "one was read in vain, and said so"
    positions = sorted(shown.position for stretch in stretches for shown in stretch.found)
    wanted = [entry.position for entry in whole_log(shop, shard) if is_confirmed(entry)]
    assert positions == wanted
    assert len(wanted) == 12


def whole_log(shop: Shop, shard: ShardId) -> list[Shown]:
    """The whole log."""
    return forwards(shop, shard, START, lambda _: True, Bounds(1_000, 1_000)).found


def test_a_log_that_has_nothing(read_side: ReadSide) -> None:
    shop = Shop(read_side.client, read_side.log, read_side.postgres)
    empty = Stretch([], None, None, 0)
    assert backwards(shop, read_side.define(), None, is_confirmed, BOUNDS) == empty
    assert forwards(shop, ShardId("sale-1", 0), START, is_confirmed, BOUNDS) == empty
    assert backwards(shop, ShardId("sale-1", 0), Position(1, 1), is_confirmed, BOUNDS) == empty
