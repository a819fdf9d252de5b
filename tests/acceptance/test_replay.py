"""`flashsale replay`: what it says, how it is refused, stopped and killed at each step, and goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flashsale.commands import Close, Confirm, Reserve
from flashsale.projections import reads
from flashsale.projections.database import connect
from flashsale.stream import ShardId
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.fixtures.processes import Background
from tests.helpers import wait_until

ORDERS = 500
WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE NOT granted AND datname = %s"
)
#: A replay that writes this waits for lock 1 of ours: everything before is done and not committed.
HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
CREATE TRIGGER hold AFTER UPDATE ON {} EXECUTE FUNCTION hold();
SELECT pg_advisory_lock(1)
"""
HOLD_ROW = HOLD.replace("ON {} EXECUTE", "ON replay FOR EACH ROW WHEN (NEW.state = '{}') EXECUTE")
STEPS = {
    "building a chunk": HOLD.format("replay_shard"),
    "comparing": "BEGIN; LOCK TABLE orders_drop IN ACCESS EXCLUSIVE MODE",
    "compared": HOLD_ROW.format("built"),
    "waiting for the locks of the swap": "BEGIN; LOCK TABLE ONLY orders IN ACCESS SHARE MODE",
    "swapped, not committed": HOLD_ROW.format("swapped"),
}


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """A sale with 503 events, all in Postgres."""
    shop.open(quantity=ORDERS)
    shop.execute(*(Reserve(f"0-{number:08}", f"buyer-{number}", SKU) for number in range(ORDERS)))
    shop.project()
    return shop


@contextmanager
def held(shop: Shop, step: str) -> Iterator[Background]:
    """A replay that waits for a lock of ours at a step."""
    with connect(shop.cli.env["FLASHSALE_POSTGRES_URL"]) as rival:
        rival.execute(STEPS[step].encode())
        running = shop.cli.start("replay", SALE)
        name = rival.info.dbname
        wait_until(lambda: shop.connection.execute(WAITING.encode(), [name]).fetchone() != (0,), 20, step)
        yield running


def assert_whole(shop: Shop) -> None:
    tables = reads.tables(shop.connection, ShardId(SALE, 0))
    assert len(tables.orders) == ORDERS
    assert tables.checkpoint.seq == shop.log_length()


def test_a_replay_tells_what_it_did_and_what_comes_next(sold: Shop) -> None:
    done = sold.finished("replay", SALE)

    assert "503 events" in done.stdout
    assert "0 orders, 0 stock" in done.stdout
    assert "Next: flashsale replay finish drop" in done.stderr
    assert_whole(sold)
    assert "stock_drop, orders_drop" in sold.finished("replay", "status").stdout
    sold.refused(4, "replay", SALE)
    assert "live again" in sold.finished("replay", "rollback", SALE).stderr
    sold.refused(4, "replay", "rollback", SALE)
    assert "no tables to drop" in sold.finished("replay", "finish", SALE).stderr


def test_verify_ends_with_6_and_changes_nothing(sold: Shop) -> None:
    assert sold.finished("replay", SALE, "--verify", "--json").json()["differences"] == {
        "stock": 0,
        "orders": 0,
    }
    sold.connection.execute("UPDATE orders SET status = 'confirmed' WHERE order_id = '0-00000007'")
    before = sold.everything()

    done = sold.cli.run("replay", "--all", "--verify")

    assert done.exit_code == 6
    assert "status=confirmed" in done.stdout
    assert "differ from the log in 1 row" in done.stderr
    assert sold.everything() == before


def test_until_keeps_tables_of_a_past_moment(sold: Shop) -> None:
    done = sold.finished("replay", SALE, "--until", "103", "--json").json()

    assert done["orders"] == {"held": [100, 100]}
    rows = sold.connection.execute(f'SELECT count(*) FROM "{done["tables"]["orders"]}"'.encode()).fetchone()
    assert rows == (100,)
    assert_whole(sold)
    assert "Dropped" in sold.finished("replay", "finish", SALE).stderr


def test_in_place(sold: Shop) -> None:
    assert "as they were" in sold.finished("replay", SALE, "--in-place").stderr
    assert_whole(sold)


def test_a_sale_without_events_ends_at_once(shop: Shop) -> None:
    shop.define()
    assert "has no events" in shop.finished("replay", SALE).stderr


def test_a_sale_that_is_called_like_a_verb(shop: Shop) -> None:
    shop.define("finish")
    assert "Sale finish has no events" in shop.finished("replay", "run", "finish").stderr


@pytest.mark.parametrize(
    ("exit_code", "args"),
    [
        (2, ("run",)),
        (2, (SALE, "--all")),
        (2, (SALE, "--verify", "--in-place")),
        (2, (SALE, "--until", "3", "--in-place")),
        (2, (SALE, "--until", "3", "--verify")),
        (2, (SALE, "--until", "1e3")),
        (2, (SALE, "--until", "9999")),
        (2, (SALE, "--until", "none")),
        (2, (SALE, "--until", "2027-13-01T00:00:00Z")),
        (2, (SALE, "--until", "2999-01-01T00:00:00Z")),
        (2, (SALE, "--projection", "sales")),
        (2, ("No Sale",)),
        (3, ("nope",)),
        (3, ("rollback", "nope")),
        (4, ("rollback", SALE)),
    ],
)
def test_what_is_refused(sold: Shop, exit_code: int, args: tuple[str, ...]) -> None:
    sold.refused(exit_code, "replay", *args)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_it_goes_on(sold: Shop, step: str) -> None:
    with held(sold, step) as running:
        assert running.kill().exit_code == -signal.SIGKILL
    before = sold.everything()

    done = sold.finished("replay", SALE)

    assert "Goes on with the replay of drop" in done.stderr
    assert "0 orders, 0 stock" in done.stdout
    assert sold.everything() == before
    assert_whole(sold)


def test_killed_after_the_swap_the_old_tables_are_still_kept(sold: Shop) -> None:
    done = sold.cli.start("replay", SALE)
    swapped = b"SELECT count(*) FROM replay WHERE state = 'swapped'"
    wait_until(lambda: sold.connection.execute(swapped).fetchone() == (1,), 30, "it has swapped")
    done.kill()

    assert "are kept" in sold.refused(4, "replay", SALE).stderr
    assert "Dropped stock_drop, orders_drop" in sold.finished("replay", "finish", SALE).stderr
    assert_whole(sold)


@pytest.mark.parametrize(
    "args", [("replay", SALE), ("replay", SALE, "--in-place"), ("replay", "finish", SALE)]
)
def test_two_at_once_are_refused(sold: Shop, args: tuple[str, ...]) -> None:
    with held(sold, "building a chunk") as running:
        assert "another replay of sale drop is running" in sold.refused(4, *args).stderr
    assert running.wait().exit_code == 0


def test_ctrl_c_stops_after_the_chunk_under_way(sold: Shop) -> None:
    with held(sold, "building a chunk") as running:
        running.send(signal.SIGINT)
        assert running.is_running
    done = running.wait()

    assert done.exit_code == 130
    assert "the same command goes on from there" in done.stderr
    assert "had reached 1-503" in sold.finished("replay", SALE).stderr


def test_ctrl_c_while_a_rollback_waits_for_a_long_reader(sold: Shop) -> None:
    sold.finished("replay", SALE)
    with connect(sold.cli.env["FLASHSALE_POSTGRES_URL"]) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM orders")
        running = sold.cli.start("replay", "rollback", SALE)
        name = reader.info.dbname
        wait_until(
            lambda: sold.connection.execute(WAITING.encode(), [name]).fetchone() != (0,), 20, "it waits"
        )
        running.send(signal.SIGINT)
        done = running.wait()

    assert done.exit_code == 130
    assert "are live still" in done.stderr
    assert "live again" in sold.finished("replay", "rollback", SALE).stderr


def test_a_version_of_the_code_that_is_not_the_tables_is_told(sold: Shop) -> None:
    sold.connection.execute("UPDATE projection SET version = 0 WHERE name = 'orders'")

    assert "orders_drop was built by version 0" in sold.finished("replay", "status").stderr
    assert "orders_drop" in sold.cli.run("doctor").stdout


def test_a_sale_whose_events_were_dropped_is_left_as_it_is(shop: Shop) -> None:
    shop.open()
    shop.execute(Reserve("0-aaaaaaaa", "ada", SKU))
    shop.execute(Confirm("0-aaaaaaaa"))
    shop.control(Close())
    shop.project()
    shop.finished("sale", "archive", SALE)
    shop.connection.execute(f'ALTER TABLE event_log DETACH PARTITION "event_log_{SALE}"'.encode())
    shop.connection.execute(f'DROP TABLE "event_log_{SALE}"'.encode())

    done = shop.finished("replay", "--all")

    assert "its events were dropped: its tables stay as they are" in done.stderr
    assert shop.connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    assert shop.connection.execute("SELECT count(*) FROM replay").fetchone() == (0,)
