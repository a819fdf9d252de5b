"""A rebuild from the archive ends in the rows that the projector wrote, whatever the log holds."""

from __future__ import annotations

import pytest

from flashsale.commands import Confirm
from flashsale.errors import BadInput, Halted, RefusedByState
from flashsale.ids import Position
from flashsale.projections import rebuild, replays
from flashsale.projections.replays import live_tables
from flashsale.reconcile import compare
from flashsale.replay import Request
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide
from tests.integration.recover_kit import busy, mended
from tests.integration.replay_kit import Onlooker, content, partitions_of, projections, replay_of


@pytest.fixture
def story(read_side: ReadSide) -> ShardId:
    """A sale with every kind of event, of two SKUs, applied to its end."""
    shard = read_side.open_sale(hold_ms=1, skus=("phone", "case"))
    read_side.whole_story(shard)
    read_side.whole_story(shard, "case")
    read_side.drain(read_side.projector())
    return shard


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many chunks for few events."""
    monkeypatch.setattr(rebuild, "CHUNK_EVENTS", 7)


@pytest.mark.parametrize("names", [("stock", "orders"), ("stock",), ("orders",)])
def test_the_rebuilt_tables_are_the_projectors_and_take_their_place(
    read_side: ReadSide, story: ShardId, small_chunks: None, names: tuple[str, ...]
) -> None:
    before, onlooker = projections(read_side, story), Onlooker()

    done = replay_of(read_side, onlooker).run(Request(sale=story.sale, names=names))

    assert (done.outcome, done.differing) == ("swapped", 0)
    assert done.events == sum(onlooker.chunks) == read_side.checkpoint(story).seq
    assert max(onlooker.chunks) == 7
    assert projections(read_side, story) == before
    read_side.assert_projected(story)
    assert partitions_of(read_side) == {
        f"{name}_sale-1" + ("_r1" if name in names else "") for name in ("stock", "orders")
    }


def test_its_hash_is_that_of_reconcile(read_side: ReadSide, story: ShardId) -> None:
    found = compare(read_side.client, read_side.log, read_side.postgres, story, timeout_s=5)
    assert replay_of(read_side).run(Request(sale=story.sale)).state_hash == found.log_hash


def test_after_the_swap_the_projector_writes_the_new_tables(read_side: ReadSide, story: ShardId) -> None:
    replay_of(read_side).run(Request(sale=story.sale))
    read_side.sell(story, 5, "case")
    old = content(read_side, "orders_sale-1")
    read_side.drain(read_side.projector("p2"))

    read_side.assert_projected(story)
    assert content(read_side, "orders_sale-1") == old


def test_rows_that_somebody_changed_are_found_and_mended(read_side: ReadSide, story: ShardId) -> None:
    right = projections(read_side, story)
    read_side.postgres.execute("UPDATE stock SET sold = sold + 1, capacity = capacity + 1 WHERE sku = 'case'")
    read_side.postgres.execute("DELETE FROM orders WHERE order_id = '0-order-00000001'")
    read_side.postgres.execute("UPDATE orders SET status = 'held' WHERE order_id = '0-order-00000002'")
    wrong = projections(read_side, story)

    verified = replay_of(read_side).run(Request(sale=story.sale, mode="verify"))

    assert verified.differences == {"stock": 1, "orders": 2}
    assert [(row.projection, row.key) for row in verified.shown] == [
        ("stock", "case"), ("orders", "0-order-00000001"), ("orders", "0-order-00000002"),
    ]  # fmt: skip
    assert verified.shown[1].live is None
    assert verified.state_hash != verified.live_hash
    assert projections(read_side, story) == wrong
    assert replays.runs(read_side.postgres) == []
    assert partitions_of(read_side) == {"stock_sale-1", "orders_sale-1"}

    assert replay_of(read_side).run(Request(sale=story.sale)).differing == 3
    assert projections(read_side, story) == right


def test_rollback_brings_the_old_tables_back_with_what_came_since(
    read_side: ReadSide, story: ShardId, small_chunks: None
) -> None:
    read_side.postgres.execute("UPDATE orders SET buyer = 'old' WHERE order_id = '0-order-00000001'")
    replay_of(read_side).run(Request(sale=story.sale))
    held = read_side.sell(story, 30, "case")
    read_side.run(story, [Confirm(held[0])])
    read_side.drain(read_side.projector("p2"))
    new = projections(read_side, story)

    replay_of(read_side).roll_back(story.sale)

    old = [row for table in projections(read_side, story) for row in table]
    assert [row for row in old if row not in new[0] + new[1]] == [row for row in old if ",old," in row[0]]
    assert len(old) == len(new[0] + new[1])
    assert partitions_of(read_side) == {"stock_sale-1", "orders_sale-1"}
    assert read_side.value("SELECT to_regclass('\"orders_sale-1_r1\"')") is None
    with pytest.raises(RefusedByState, match="no tables to roll back to"):
        replay_of(read_side).roll_back(story.sale)


def test_finish_drops_what_is_not_live(read_side: ReadSide, story: ShardId) -> None:
    replay = replay_of(read_side)
    replay.run(Request(sale=story.sale))
    with pytest.raises(RefusedByState, match="were swapped and the old ones are kept"):
        replay.run(Request(sale=story.sale))

    assert sorted(replay.finish(story.sale)) == ["orders_sale-1", "stock_sale-1"]
    assert replay.finish(story.sale) == []
    assert replay.run(Request(sale=story.sale)).outcome == "swapped"
    read_side.assert_projected(story)


def test_a_past_moment_is_built_for_queries(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 4)
    read_side.drain(read_side.projector())
    past, moment = projections(read_side, shard), read_side.checkpoint(shard)
    read_side.sell(shard, 3)
    read_side.drain(read_side.projectors[0])
    live = projections(read_side, shard)

    done = replay_of(read_side).run(Request(sale=shard.sale, mode="until", until=moment, until_text="7"))

    assert (done.outcome, done.position) == ("kept", "1-7")
    assert [content(read_side, done.tables[name]) for name in ("stock", "orders")] == past
    assert done.orders == {"held": (4, 4)}
    assert done.stock["phone"]["held"] == 4
    assert projections(read_side, shard) == live
    with pytest.raises(BadInput, match="Postgres has sale sale-1 up to 1-10"):
        replay_of(read_side).run(
            Request(sale=shard.sale, mode="until", until=Position(1, 11), until_text="11")
        )


def test_a_time_ends_before_the_first_later_event(read_side: ReadSide, story: ShardId) -> None:
    at_ms = read_side.value("SELECT at_ms FROM event_log WHERE seq = 20")
    last = read_side.value("SELECT min(seq) - 1 FROM event_log WHERE at_ms > %s", at_ms)

    done = replay_of(read_side).run(Request(sale=story.sale, mode="until", until=at_ms, until_text="then"))

    assert done.position == f"1-{last}"


def test_in_place_writes_the_same_rows_again(read_side: ReadSide, story: ShardId, small_chunks: None) -> None:
    right = projections(read_side, story)
    read_side.postgres.execute("UPDATE orders SET status = 'held'")

    done = replay_of(read_side).run(Request(sale=story.sale, mode="in-place"))

    assert done.outcome == "rebuilt"
    assert done.live_hash != done.state_hash
    assert projections(read_side, story) == right
    assert partitions_of(read_side) == {"stock_sale-1", "orders_sale-1"}


def test_what_nobody_archives_is_archived_first(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 20)

    done = replay_of(read_side).run(Request(sale=shard.sale))

    assert done.position == "1-23"
    read_side.assert_projected(shard)
    assert read_side.holder(shard) is None


def test_a_halted_shard_is_rebuilt_as_far_as_it_is_archived(read_side: ReadSide, story: ShardId) -> None:
    read_side.projectors[0].close()
    head = read_side.append(story, b'["sale.paused",1,0,"x"]')
    read_side.append(story, b'["sale.resumed",1,0,"x"]')
    read_side.redis.xdel(read_side.key(story), str(head))
    onlooker = Onlooker()

    done = replay_of(read_side, onlooker).run(Request(sale=story.sale))

    assert done.outcome == "swapped"
    assert "are missing in Redis" in onlooker.said[0]


def test_an_archive_with_a_hole_is_refused(read_side: ReadSide, story: ShardId) -> None:
    before = projections(read_side, story)
    read_side.postgres.execute("DELETE FROM event_log WHERE seq = 9")

    with pytest.raises(Halted, match="restore event_log from its dump"):
        replay_of(read_side).run(Request(sale=story.sale))

    assert projections(read_side, story) == before


@pytest.mark.parametrize("mode", ["swap", "in-place"])
def test_an_archive_that_lost_the_end_of_an_epoch_is_refused(read_side: ReadSide, mode: str) -> None:
    shard = busy(read_side)
    last = read_side.checkpoint(shard)
    read_side.redis.flushdb()
    mended(read_side, shard)
    read_side.sell(shard, 3)
    read_side.drain(read_side.projectors[0], patient=True)
    before = projections(read_side, shard)
    read_side.rows("DELETE FROM event_log WHERE epoch = %s AND seq = %s RETURNING 1", *last)

    with pytest.raises(Halted, match="behind 1-14 the archive holds 2-1, which does not follow: restore"):
        replay_of(read_side).run(Request(sale=shard.sale, mode=mode))

    assert projections(read_side, shard) == before


def test_a_place_of_an_earlier_epoch_that_the_log_never_had_is_no_hole(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.redis.flushdb()
    mended(read_side, shard)
    read_side.drain(read_side.projectors[0], patient=True)

    with pytest.raises(BadInput, match="the archive of sale sale-1 has no event there"):
        replay_of(read_side).run(
            Request(sale=shard.sale, mode="until", until=Position(1, 99), until_text="1-99")
        )


def test_an_empty_sale_ends_at_once(read_side: ReadSide) -> None:
    shard = read_side.define()
    assert replay_of(read_side).run(Request(sale=shard.sale)).outcome == "empty"
    assert replays.runs(read_side.postgres) == []


def test_the_version_of_the_code_goes_with_the_tables(read_side: ReadSide, story: ShardId) -> None:
    read_side.postgres.execute("UPDATE projection SET version = 0 WHERE name = 'orders'")

    def versions() -> dict[str, int]:
        return {live.name: live.version for live in live_tables(read_side.postgres, story.sale)}

    replay_of(read_side).run(Request(sale=story.sale))
    assert versions() == {"orders": 1, "stock": 1}
    replay_of(read_side).roll_back(story.sale)
    assert versions() == {"orders": 0, "stock": 1}
