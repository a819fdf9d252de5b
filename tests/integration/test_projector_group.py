"""Whatever happens to the consumer group is harmless: nothing is lost, and nothing is applied twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsale.keys import GROUP
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide


def steal(side: ReadSide, shard: ShardId, count: int = 100, *, acknowledge: bool = False) -> None:
    """Read news as a consumer that is no projector."""
    stolen = side.log.read([shard], "stranger", count=count, block_ms=1)[shard]
    if acknowledge:
        side.log.acknowledge(shard, [entry.position for entry in stolen])


def destroy(side: ReadSide, shard: ShardId) -> None:
    side.redis.xgroup_destroy(side.key(shard), GROUP)


def rewind(side: ReadSide, shard: ShardId) -> None:
    side.redis.xgroup_setid(side.key(shard), GROUP, "0")


def skip(side: ReadSide, shard: ShardId) -> None:
    side.redis.xgroup_setid(side.key(shard), GROUP, "$")


def skip_beyond(side: ReadSide, shard: ShardId) -> None:
    side.redis.xgroup_setid(side.key(shard), GROUP, "1-999")


def delete_consumer_with_pending(side: ReadSide, shard: ShardId) -> None:
    steal(side, shard)
    assert side.redis.xgroup_delconsumer(side.key(shard), GROUP, "stranger")


def leave_pending(side: ReadSide, shard: ShardId) -> None:
    steal(side, shard)


def leave_some_pending(side: ReadSide, shard: ShardId) -> None:
    steal(side, shard, count=3)


def acknowledge_unapplied(side: ReadSide, shard: ShardId) -> None:
    steal(side, shard, acknowledge=True)


MEDDLING: list[Callable[[ReadSide, ShardId], None]] = [
    destroy,
    rewind,
    skip,
    skip_beyond,
    delete_consumer_with_pending,
    leave_pending,
    leave_some_pending,
    acknowledge_unapplied,
]


@pytest.mark.parametrize(("stopped", "with_news_after"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("meddle", MEDDLING, ids=lambda meddle: meddle.__name__)
def test_meddling_with_the_group_loses_nothing_and_repeats_nothing(
    read_side: ReadSide, meddle: Callable[[ReadSide, ShardId], None], *, stopped: bool, with_news_after: bool
) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector(batch_max=4)
    read_side.sell(shard, 5)
    read_side.drain(projector)
    if stopped:
        projector.close()

    read_side.sell(shard, 10)
    meddle(read_side, shard)
    if with_news_after:
        read_side.sell(shard, 3)
    read_side.drain(projector, patient=True)

    read_side.assert_projected(shard)
    assert projector.totals.parked == 0


def test_what_was_applied_and_never_acknowledged_is_settled_by_the_successor(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 5)
    first = read_side.projector("p1")
    read_side.drain(first)
    first.close()
    read_side.redis.xgroup_setid(read_side.key(shard), GROUP, "0")
    steal(read_side, shard, count=6)
    assert read_side.pending(shard) == 6

    successor = read_side.projector("p2")
    read_side.sell(shard, 1)
    read_side.drain(successor)

    assert read_side.pending(shard) == 0
    assert successor.totals.events == 1
    read_side.assert_projected(shard)
