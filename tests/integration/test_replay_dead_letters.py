"""Dead letters are withheld from a rebuild as they were from the tables, also when they are settled meanwhile."""

from __future__ import annotations

import pytest

from flashsale.errors import RefusedByState
from flashsale.projections import rebuild
from flashsale.replay import Request
from tests.fixtures.read_side import ReadSide
from tests.integration.desk_kit import Desk, added, confirmed, loaded, open_desk, reserved
from tests.integration.replay_kit import Onlooker, projections, replay_of


@pytest.fixture
def desk(read_side: ReadSide) -> Desk:
    """A sale of two SKUs with an order, a stock event and an unreadable entry that are parked, and what followed."""
    read_side.define("sale-1")
    desk = open_desk(read_side)
    desk.apply(loaded(), loaded(5, "case"))
    desk.apply(reserved("00000001", 9, 1), reserved("00000002", 8, 2, quantity=0), reserved("00000003", 7, 3))
    desk.apply(confirmed("00000002", 7, 2, 1), b"nonsense", None)
    desk.apply(reserved("00000004", 4, 1, sku="case"), added(2, -1, 3), reserved("00000005", 5, 3))
    desk.apply(confirmed("00000001", 5, 2, 1), reserved("00000006", 3, 2, sku="case"))
    assert len(desk.dead_letters()) == 5
    return desk


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_they_are_withheld(desk: Desk, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(rebuild, "CHUNK_EVENTS", chunk)
    shard = desk.lease.shard
    before = projections(desk.side, shard)

    assert replay_of(desk.side).run(Request(sale=shard.sale, mode="verify")).differing == 0
    assert replay_of(desk.side).run(Request(sale=shard.sale)).differing == 0

    assert projections(desk.side, shard) == before
    assert ("phone", 7, 3, 0, 0, 10) in desk.side.stock(shard), "as of before the parked stock event"


def test_one_that_is_settled_behind_a_rebuild_makes_it_begin_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "CHUNK_EVENTS", 6)
    shard = desk.lease.shard

    def settle() -> None:
        desk.side.postgres.execute("DELETE FROM parked WHERE seq = 6")

    onlooker = Onlooker(then=settle)
    desk.side.postgres.execute("DELETE FROM parked WHERE seq = 4")
    desk.side.postgres.execute(
        "UPDATE event_log SET quantity = 1 WHERE seq = 4"
    )  # as if the schema were mended

    done = replay_of(desk.side, onlooker).run(Request(sale=shard.sale))

    assert "it begins again" in onlooker.said[0]
    assert done.differences["orders"] == 1
    assert ("0-order-00000002", "confirmed") in desk.side.rows("SELECT order_id, status FROM orders")


def test_rollback_is_refused_when_one_was_settled_since(desk: Desk) -> None:
    shard = desk.lease.shard
    replay_of(desk.side).run(Request(sale=shard.sale))
    desk.side.postgres.execute("DELETE FROM parked WHERE seq = 7")

    with pytest.raises(RefusedByState, match="settled since the swap"):
        replay_of(desk.side).roll_back(shard.sale)
