"""A replay beside a live sale: writers, a projector, swaps at the same time; nothing is lost, nothing comes twice."""

from __future__ import annotations

import pytest

from flashsale.replay import Request
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until
from tests.integration.replay_kit import live, projections, replay_of, sell_many

EVENTS = 50_000


@pytest.mark.timeout(300)
def test_fifty_thousand_events_replayed_rolled_back_and_replayed_while_it_sells(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=900_000)
    sell_many(read_side, shard, EVENTS)
    replay = replay_of(read_side)
    with live(read_side, shard):
        before = read_side.checkpoint(shard)
        wait_until(lambda: read_side.checkpoint(shard) > before, 20, "it is applied while it sells")
        assert replay.run(Request(sale=shard.sale, mode="verify")).differing == 0
        done = replay.run(Request(sale=shard.sale))
        assert (done.outcome, done.differing) == ("swapped", 0)
        swapped = read_side.checkpoint(shard)
        wait_until(lambda: read_side.checkpoint(shard) > swapped, 20, "it is applied to the new tables")
        replay.roll_back(shard.sale)
        back = read_side.checkpoint(shard)
        wait_until(lambda: read_side.checkpoint(shard) > back, 20, "it is applied to the old tables")
        assert replay.run(Request(sale=shard.sale, mode="in-place")).outcome == "rebuilt"
        assert replay.run(Request(sale=shard.sale)).differing == 0

    read_side.assert_projected(shard)
    assert all(projections(read_side, shard))
