"""Two releases at work at once: the older goes on while it can, and stops with a sentence and no damage when not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest

from flashsale.errors import RefusedByState, Unreachable
from flashsale.projections import migrate as migrating
from flashsale.projections import projector as projecting
from flashsale.projections.database import connect
from flashsale.projections.migrate import Migration, check_schema, migrate, migrations, schema_status
from flashsale.reconcile import compare
from flashsale.replay import Request
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until
from tests.integration.replay_kit import replay_of

#: More than one batch, copied and not: both ways to write are taken.
ORDERS = 50
TABLES = (
    "sales",
    "sale_items",
    "event_log",
    "orders",
    "stock",
    "checkpoint",
    "parked",
    "projection",
    "replay",
)
ADDS: LiteralString = " ".join(
    f"ALTER TABLE {name} ADD COLUMN later text, ADD COLUMN later_n integer NOT NULL DEFAULT 7;"
    for name in TABLES
)
#: What later releases bring: columns in every table, and a step that takes one away which this release writes.
NEXT = Migration("0099", "later", ADDS)
CONTRACT = Migration("0100", "no_buyer", "ALTER TABLE orders DROP COLUMN buyer")
AFTER = Migration("0101", "after", "ALTER TABLE orders ADD COLUMN after text")


@contextmanager
def release(*more: Migration) -> Iterator[None]:
    """What runs within is a later release, which brings these migrations, too."""
    with pytest.MonkeyPatch.context() as patch:
        known = [*migrations(), *more]
        patch.setattr(migrating, "migrations", lambda: known)
        yield


def test_a_projector_goes_on_while_and_after_a_later_release_adds(read_side: ReadSide) -> None:
    shard = read_side.open_sale(hold_ms=1)
    projector = read_side.projector("older")
    read_side.sell(shard, ORDERS)
    read_side.drain(projector)

    with release(NEXT):
        assert migrate(read_side.postgres_url) == ["0099"]
    read_side.whole_story(shard)
    read_side.sell(shard, ORDERS)
    read_side.drain(projector)  # the session that was open
    projector.close()
    other = read_side.open_sale("defined-since")
    read_side.sell(other, ORDERS)
    read_side.drain(read_side.projector("restarted"))

    for each in (shard, other):
        read_side.assert_projected(each)
        assert compare(read_side.client, read_side.log, read_side.postgres, each, timeout_s=5).drifts == []
        assert replay_of(read_side).run(Request(sale=each.sale)).differing == 0
        read_side.assert_projected(each)
        assert set(read_side.rows("SELECT later, later_n FROM orders WHERE sale_id = %s", each.sale)) == {
            (None, 7)
        }


def test_a_contract_step_waits_until_a_person_says_that_no_older_release_runs(read_side: ReadSide) -> None:
    with release(NEXT, CONTRACT):
        assert migrate(read_side.postgres_url) == ["0099"]
        status = schema_status(read_side.postgres)
        assert (status.missing, status.waiting) == ((), ("0100",))
        check_schema(read_side.postgres)  # it works without
    with release(NEXT, CONTRACT, AFTER):
        with pytest.raises(
            RefusedByState, match=r"0101 comes after the contract step 0100.*db migrate --contract"
        ):
            migrate(read_side.postgres_url)
        with pytest.raises(RefusedByState, match="lacks migration 0101"):
            check_schema(read_side.postgres)
        assert migrate(read_side.postgres_url, contract=True) == ["0100", "0101"]
        check_schema(read_side.postgres)
    with pytest.raises(RefusedByState, match="0100, 0101, made by a newer flashsale: upgrade this one"):
        check_schema(read_side.postgres)


def test_a_new_database_has_no_older_release_to_wait_for(empty_database_url: str) -> None:
    with release(NEXT, CONTRACT, AFTER):
        assert migrate(empty_database_url)[-3:] == ["0099", "0100", "0101"]


def test_a_projector_that_leads_stops_at_a_contract_step_and_writes_nothing_more(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector("older")
    read_side.sell(shard, 3)
    read_side.drain(projector)
    done = read_side.checkpoint(shard)

    with release(
        Migration("0100", "rows_mean_something_else", "COMMENT ON TABLE orders IS 'of another meaning'")
    ):
        migrate(read_side.postgres_url, contract=True)
    read_side.sell(shard, 3)
    step_until_refused(projector)
    projector.close()

    assert read_side.checkpoint(shard) == done
    assert read_side.value("SELECT count(*) FROM event_log") == done.seq
    assert read_side.value("SELECT count(*) FROM parked") == 0
    with release(Migration("0100", "", "")):
        read_side.drain(read_side.projector("newer"))
    read_side.assert_projected(shard)


def test_a_column_that_went_without_notice_parks_nothing(read_side: ReadSide) -> None:
    """Another tool applied the step, and took no leases: the statement itself fails."""
    shard = read_side.open_sale()
    projector = read_side.projector("older")
    read_side.sell(shard, 3)
    read_side.drain(projector)
    done = read_side.checkpoint(shard)

    read_side.postgres.execute(CONTRACT.up)
    read_side.postgres.execute("INSERT INTO schema_migrations VALUES ('0100')")
    read_side.sell(shard, 3)
    step_until_refused(projector)

    assert read_side.checkpoint(shard) == done
    assert read_side.value("SELECT count(*) FROM parked") == 0
    assert len(read_side.entries(shard)) == done.seq + 3


def step_until_refused(projector: projecting.Projector) -> None:
    """As the daemon does, until it would end."""

    def is_refused() -> bool:
        try:
            projector.step()
        except RefusedByState as error:
            return "0100, made by a newer flashsale: upgrade this one" in str(error)
        return False

    wait_until(is_refused, 20, "the schema is refused")


def test_a_migration_gives_way_to_who_holds_a_table_and_asks_again(read_side: ReadSide) -> None:
    waits = 0
    with psycopg.connect(read_side.postgres_url) as reader:
        reader.execute("SELECT * FROM orders")

        def wait(_seconds: float) -> None:
            nonlocal waits
            waits += 1
            assert read_side.value("SELECT count(*) FROM orders") == 0  # nobody waits behind it now
            if waits == 2:
                reader.rollback()

        with release(NEXT):
            assert migrate(read_side.postgres_url, wait=wait) == ["0099"]
    assert waits == 2


def test_a_migration_that_never_gets_its_locks_is_not_done(
    read_side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_ATTEMPTS_MAX", 2)
    with psycopg.connect(read_side.postgres_url) as reader:
        reader.execute("SELECT * FROM orders")
        with (
            release(NEXT),
            pytest.raises(Unreachable, match="0099 did not get its locks in 2 attempts; nothing of it"),
        ):
            migrate(read_side.postgres_url, wait=lambda _seconds: None)
    assert schema_status(read_side.postgres).unknown == ()
    with connect(read_side.postgres_url) as another:
        assert "later" not in [
            column.name for column in another.execute("SELECT * FROM orders").description or ()
        ]
