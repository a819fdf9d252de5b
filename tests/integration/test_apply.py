"""One batch is one transaction: archive, orders, stock and checkpoint, or nothing; and its effect comes once."""

from __future__ import annotations

import random

import msgspec
import pytest

from flashsale.events import Event
from flashsale.ids import START, Position
from flashsale.projections.apply import Applied, Fork, LeaseLost, apply_rows
from flashsale.projections.batch import Row, read_entry
from flashsale.projections.lease import acquire
from flashsale.stream import Entry
from tests.fixtures.read_side import ReadSide
from tests.integration.desk_kit import Desk, added, confirmed, loaded, open_desk, reserved

#: the transactions that wrote the rows which stand in the tables now
WRITERS = """
SELECT xmin::text FROM event_log UNION SELECT xmin::text FROM orders UNION
SELECT xmin::text FROM stock UNION SELECT xmin::text FROM checkpoint
"""


@pytest.fixture
def story(read_side: ReadSide) -> tuple[Desk, list[Row]]:
    """The desk of a sale with a log of every kind of event, and that log."""
    shard = read_side.open_sale(hold_ms=1)
    for _ in range(3):
        read_side.sell(shard, 7)
    read_side.whole_story(shard)
    return open_desk(read_side), [read_entry(entry) for entry in read_side.entries(shard)]


def test_a_batch_is_one_transaction(story: tuple[Desk, list[Row]]) -> None:
    desk, rows = story
    assert apply_rows(desk.side.postgres, desk.lease, rows) == Applied(len(rows), 0)

    assert len(desk.side.rows(WRITERS)) == 1
    assert desk.lease.checkpoint == rows[-1].position
    desk.side.assert_projected(desk.lease.shard)


def test_the_same_batch_twice_has_one_effect(story: tuple[Desk, list[Row]]) -> None:
    desk, rows = story
    apply_rows(desk.side.postgres, desk.lease, rows)
    before = desk.everything()

    desk.lease.checkpoint = START
    with pytest.raises(LeaseLost, match="sale-1:0: another projector moved the checkpoint from 0-0"):
        apply_rows(desk.side.postgres, desk.lease, rows)

    assert desk.everything() == before
    assert desk.lease.checkpoint == START


def test_a_batch_that_the_archive_has_already_moves_the_checkpoint_only(
    story: tuple[Desk, list[Row]],
) -> None:
    desk, rows = story
    apply_rows(desk.side.postgres, desk.lease, rows)
    desk.side.postgres.execute("UPDATE checkpoint SET epoch = 0, seq = 0")
    desk.side.postgres.execute("UPDATE orders SET buyer = 'untouched'")
    desk.lease.checkpoint = START

    assert apply_rows(desk.side.postgres, desk.lease, rows) == Applied(len(rows), 0)

    assert desk.side.rows("SELECT DISTINCT buyer FROM orders") == [("untouched",)]
    assert desk.side.checkpoint(desk.lease.shard) == rows[-1].position


@pytest.mark.parametrize("seed", range(5))
def test_parts_in_any_order_again_and_again_end_in_the_same_tables(
    story: tuple[Desk, list[Row]], seed: int
) -> None:
    desk, rows = story
    chance = random.Random(seed)
    applied = 0
    while applied < len(rows):
        first, last = sorted(chance.sample(range(len(rows) + 1), 2))
        first = chance.choice([first, min(applied, last - 1)])
        rival = msgspec.structs.replace(desk.lease, checkpoint=rows[first - 1].position if first else START)
        before = desk.everything()
        try:
            apply_rows(desk.side.postgres, rival, rows[first:last])
        except LeaseLost:
            assert first != applied
            assert desk.everything() == before
        else:
            assert first == applied
            applied = last

    desk.side.assert_projected(desk.lease.shard)


def test_a_writer_that_was_replaced_writes_nothing(desk: Desk) -> None:
    late = msgspec.structs.replace(desk.lease)
    desk.side.postgres.execute("UPDATE checkpoint SET holder = NULL")
    (desk.lease,) = acquire(desk.side.postgres, "p2", 1)
    before = desk.everything()

    with pytest.raises(LeaseLost):
        apply_rows(desk.side.postgres, late, desk.rows(loaded()))

    assert desk.everything() == before
    assert desk.apply(loaded()) == Applied(1, 0)


def test_no_rows_are_no_work(desk: Desk) -> None:
    assert desk.apply() == Applied()
    assert desk.lease.checkpoint == START


@pytest.mark.parametrize("other", [loaded(units=11), b"", b"not even JSON"])
def test_other_bytes_at_the_same_place_are_a_fork(desk: Desk, other: Event | bytes) -> None:
    desk.apply(loaded(), reserved("00000001", 9, 1))
    desk.side.postgres.execute("UPDATE checkpoint SET epoch = 0, seq = 0")
    desk.lease.checkpoint = START
    before = desk.everything()

    with pytest.raises(Fork, match="FORK of sale-1:0 at 1-1: Postgres holds another event there than Redis"):
        desk.apply(other, reserved("00000001", 9, 1), reserved("00000002", 8, 2))

    assert desk.everything() == before
    assert desk.lease.checkpoint == START


def test_an_order_keeps_its_times_over_several_batches(desk: Desk) -> None:
    desk.apply(loaded(), reserved("00000001", 9, 1))
    desk.apply(confirmed("00000001", 9, 0, 1))

    assert desk.side.rows("SELECT status, reserved_ms, hold_until_ms, changed_ms, seq FROM orders") == [
        ("confirmed", 2_000, 9_000, 3_000, 3)
    ]


def test_an_older_event_that_comes_again_changes_no_newer_row(desk: Desk) -> None:
    desk.apply(loaded(), reserved("00000001", 9, 1))
    desk.apply(confirmed("00000001", 9, 0, 1))
    shard, side = desk.lease.shard, desk.side
    before = (side.orders(shard), side.stock(shard))
    side.postgres.execute("DELETE FROM event_log")  # an archive that was restored from an older backup
    side.postgres.execute("UPDATE checkpoint SET epoch = 0, seq = 0")
    desk.lease.checkpoint = START

    assert desk.apply(loaded(), reserved("00000001", 9, 1)) == Applied(2, 0)
    assert (side.orders(shard), side.stock(shard)) == before


def test_a_new_epoch_begins_at_one(desk: Desk) -> None:
    desk.apply(loaded(), reserved("00000001", 9, 1))
    founded = b'["epoch.started",1,2500,"tests",1,2]'
    rows = [read_entry(Entry(Position(2, 1), founded))]

    assert apply_rows(desk.side.postgres, desk.lease, rows) == Applied(1, 0)
    assert desk.side.checkpoint(desk.lease.shard) == Position(2, 1)
    desk.apply(confirmed("00000001", 9, 0, 1))
    assert desk.side.rows("SELECT status, epoch, seq FROM orders") == [("confirmed", 2, 2)]


def test_skus_of_one_batch_are_kept_apart(desk: Desk) -> None:
    desk.apply(
        loaded(),
        loaded(5, "case"),
        reserved("00000001", 9, 1),
        reserved("00000002", 3, 2, 2, sku="case"),
        added(5, 14, 1),
    )

    assert desk.side.stock(desk.lease.shard) == [("case", 3, 2, 0, 0, 5), ("phone", 14, 1, 0, 0, 15)]
