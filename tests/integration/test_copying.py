"""A batch is copied only when all of it is new; whatever is not, the statement decides, and nothing comes twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from flashsale.ids import START
from flashsale.projections import apply
from flashsale.projections.apply import Applied, LeaseLost, apply_rows
from flashsale.projections.batch import Row, read_entry
from flashsale.projections.copying import copy_rows
from flashsale.projections.database import connect, is_transient
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until
from tests.integration.desk_kit import Desk, confirmed, loaded, open_desk, reserved

ORDERS = 40


@pytest.fixture
def story(read_side: ReadSide) -> tuple[Desk, list[Row]]:
    """The desk of a sale with a log of every kind of event, and that log."""
    shard = read_side.open_sale(hold_ms=1)
    read_side.sell(shard, ORDERS)
    read_side.whole_story(shard)
    return open_desk(read_side), [read_entry(entry) for entry in read_side.entries(shard)]


def place(desk: Desk, rows: list[Row]) -> dict[str, Any]:
    before, after = desk.lease.checkpoint, rows[-1].position
    return {
        "sale_id": desk.lease.shard.sale, "shard": desk.lease.shard.shard, "fence": desk.lease.fence,
        "from_epoch": before.epoch, "from_seq": before.seq, "to_epoch": after.epoch, "to_seq": after.seq,
    }  # fmt: skip


def is_copied(desk: Desk, rows: list[Row]) -> bool:
    return copy_rows(desk.side.postgres, place(desk, rows), rows, lambda: None)


def test_a_log_of_every_event_is_copied(story: tuple[Desk, list[Row]]) -> None:
    desk, rows = story

    assert is_copied(desk, rows)

    desk.side.assert_projected(desk.lease.shard)


def test_orders_that_began_before_are_changed_in_place(story: tuple[Desk, list[Row]]) -> None:
    desk, rows = story
    for part in (rows[:ORDERS], rows[ORDERS : ORDERS + 5], rows[ORDERS + 5 :]):
        assert is_copied(desk, part)
        desk.lease.checkpoint = part[-1].position

    desk.side.assert_projected(desk.lease.shard)


PARK = "INSERT INTO parked (sale_id, shard, epoch, seq, kind, attempts, error_class, error, order_id, sku) "
#: What stands in the way of a copy of a reservation and of a payment for an older order.
OBSTACLES = {
    "the event is archived": "INSERT INTO event_log (sale_id, shard, epoch, seq, type, body) "
    "VALUES ('sale-1', 0, 1, 3, '', '')",
    "the new order is there": "INSERT INTO orders "
    "SELECT 1, 1, 1, 1, 1, 1, 0, 'sale-1', '0-order-00000002', 'ann', 'phone', 'held'",
    "the old order is gone": "DELETE FROM orders",
    "the old order is ahead": "UPDATE orders SET seq = 9",
    "its stock is gone": "DELETE FROM stock",
    "the old order waits": f"{PARK} VALUES ('sale-1', 0, 1, 1, 'poison', 1, '', '', '0-order-00000001', 'phone')",
    "its stock waits": f"{PARK} VALUES ('sale-1', 0, 1, 1, 'poison', 1, '', '', NULL, 'phone')",
    "another writer came": "UPDATE checkpoint SET fence = fence + 1",
    "the checkpoint moved": "UPDATE checkpoint SET seq = 1",
}


@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES.keys())
def test_what_is_not_new_is_not_copied(desk: Desk, obstacle: str) -> None:
    desk.apply(loaded(), reserved("00000001", 9, 1))
    desk.side.postgres.execute(obstacle.encode())
    rows = desk.rows(reserved("00000002", 8, 2), confirmed("00000001", 8, 1, 1))
    before = desk.everything()

    assert not is_copied(desk, rows)

    assert desk.everything() == before


@pytest.mark.parametrize(
    "damage", [{"quantity": 2**31}, {"buyer": "ann\0"}, {"quantity": 0}, {"hold_until_ms": 2**63}]
)
def test_what_no_column_takes_is_not_copied(desk: Desk, damage: dict[str, Any]) -> None:
    before = desk.everything()

    assert not is_copied(desk, desk.rows(loaded(), reserved("00000001", 9, 1, **damage)))

    assert desk.everything() == before


def test_an_archive_that_has_a_part_of_the_batch_gets_the_rest(story: tuple[Desk, list[Row]]) -> None:
    desk, rows = story
    apply_rows(desk.side.postgres, desk.lease, rows[:50])
    desk.side.postgres.execute("UPDATE checkpoint SET epoch = 0, seq = 0")  # of an older backup
    desk.lease.checkpoint = START

    assert apply_rows(desk.side.postgres, desk.lease, rows) == Applied(len(rows))

    desk.side.assert_projected(desk.lease.shard)


def test_a_batch_that_was_copied_comes_again(story: tuple[Desk, list[Row]]) -> None:
    desk, rows = story
    apply_rows(desk.side.postgres, desk.lease, rows)
    before = desk.everything()
    desk.lease.checkpoint = START

    with pytest.raises(LeaseLost):
        apply_rows(desk.side.postgres, desk.lease, rows)

    assert desk.everything() == before


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_the_session_ends_between_copy_and_commit(story: tuple[Desk, list[Row]], step: int) -> None:
    desk, rows = story
    before = desk.everything()
    steps = iter(range(1, 10))
    with closing(connect(desk.side.postgres_url)) as writer:
        pid = writer.info.backend_pid

        def die_at_a_step() -> None:
            if next(steps) == step:
                desk.side.postgres.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

        with pytest.raises(psycopg.OperationalError):
            apply_rows(writer, desk.lease, rows, meanwhile=die_at_a_step)

    assert desk.everything() == before
    assert desk.lease.checkpoint == START
    apply_rows(desk.side.postgres, desk.lease, rows)
    desk.side.assert_projected(desk.lease.shard)


def test_few_events_go_by_the_statement(story: tuple[Desk, list[Row]]) -> None:
    desk, rows = story
    calls: list[int] = []

    def count() -> None:
        calls.append(1)

    def steps_of(work: Callable[[], object]) -> int:
        calls.clear()
        work()
        return len(calls)

    few = apply.COPY_MIN - 1
    assert steps_of(lambda: apply_rows(desk.side.postgres, desk.lease, rows[:few], meanwhile=count)) == 1
    assert steps_of(lambda: apply_rows(desk.side.postgres, desk.lease, rows[few:], meanwhile=count)) == 4


def test_tables_are_locked_in_the_order_of_a_swap(story: tuple[Desk, list[Row]]) -> None:
    desk, rows = story
    refused: list[str] = []

    def lock_as_a_swap_does() -> None:
        with desk.side.postgres.transaction() as swap:
            for table in ("stock", "orders"):
                try:
                    with desk.side.postgres.transaction():
                        desk.side.postgres.execute(
                            f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT".encode()
                        )
                except psycopg.errors.LockNotAvailable:
                    refused.append(table)
                    break
            raise psycopg.Rollback(swap)

    with closing(connect(desk.side.postgres_url)) as writer:
        apply_rows(writer, desk.lease, rows, meanwhile=lock_as_a_swap_does)

    assert refused == ["stock", "stock"]


def test_a_transaction_in_which_the_process_slept_too_long_may_be_tried_again(
    story: tuple[Desk, list[Row]],
) -> None:
    """It was stopped, or its machine was: Postgres has ended the session meanwhile."""
    desk, rows = story
    with closing(connect(desk.side.postgres_url)) as writer:
        writer.execute("SET idle_in_transaction_session_timeout = '1ms'")
        sessions = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"

        def sleep() -> None:
            if writer.info.transaction_status is TransactionStatus.INTRANS:
                wait_until(lambda: not desk.side.rows(sessions, writer.info.backend_pid))

        with pytest.raises(psycopg.Error) as caught:
            apply_rows(writer, desk.lease, rows, meanwhile=sleep)
    assert is_transient(caught.value)
    assert desk.side.checkpoint(desk.lease.shard) == START
