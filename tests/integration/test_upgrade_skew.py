"""Two releases at work at once: the older goes on while it can, and stops with a sentence and no damage when not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest

from flashsale.errors import RefusedByState, Unreachable
from flashsale.events import codec
from flashsale.events.types import OrderRefunded
from flashsale.keys import GROUP
from flashsale.projections import migrate as migrating
from flashsale.projections import projector as projecting
from flashsale.projections.database import connect
from flashsale.projections.migrate import Migration, check_schema, migrate, migrations, schema_status
from flashsale.reconcile import Servers, compare, examine
from flashsale.replay import Request
from flashsale.stream import ShardId
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

#: Keeps every change of a halt.
SEEN = """
CREATE TABLE seen (halted text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO seen VALUES (NEW.halted); RETURN NULL; END $$;
CREATE TRIGGER see AFTER UPDATE OF halted ON checkpoint FOR EACH ROW EXECUTE FUNCTION see();
"""


@contextmanager
def release(*more: Migration) -> Iterator[None]:
    """What runs within is a later release, which brings these migrations, too."""
    with pytest.MonkeyPatch.context() as patch:
        known = [*migrations(), *more]
        patch.setattr(migrating, "migrations", lambda: known)
        yield


@contextmanager
def earlier_release() -> Iterator[None]:
    """What runs within was written before a refund said where its units go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OrderRefunded, "VERSION", 1)
        known = dict(codec._CURRENT)  # noqa: SLF001 - what a release knows is no setting
        patch.setattr(codec, "_CURRENT", known | {OrderRefunded: 1})
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


def refunds(side: ReadSide) -> ShardId:
    """A log in which an older release can read all but the last four events before the end."""
    shard = side.open_sale(hold_ms=1)
    side.whole_story(shard)
    return shard


def test_an_older_reconcile_mends_nothing_in_a_log_that_it_cannot_read(read_side: ReadSide) -> None:
    shard = refunds(read_side)
    read_side.drain(read_side.projector("newer"))
    first = next(
        entry.position for entry in read_side.entries(shard) if b"order.refunded" in (entry.body or b"")
    )
    servers = Servers(read_side.client, read_side.log, read_side.postgres)
    with earlier_release():
        report = examine(servers, shard, timeout_s=5).report

    (finding,) = report.findings
    assert (finding.kind, finding.key) == ("fork", str(first))
    assert "reconcile with the newer flashsale" in finding.refusal


def deliveries(side: ReadSide, shard: ShardId) -> list[int]:
    """How often each pending entry was delivered."""
    pending = side.redis.xpending_range(side.key(shard), GROUP, "-", "+", 1_000)
    return [int(entry["times_delivered"]) for entry in pending]


def test_events_of_a_newer_release_halt_their_shard_until_a_newer_projector_takes_it(
    read_side: ReadSide,
) -> None:
    shard, other = refunds(read_side), read_side.open_sale("other")
    first = next(
        entry.position for entry in read_side.entries(shard) if b"order.refunded" in (entry.body or b"")
    )
    older = read_side.projector("older")
    with earlier_release():
        told = read_side.step_until(older, shard)
        read_side.sell(other, 3)
        read_side.drain(older, shards=[other])  # it goes on with what it can read

        assert f"{shard} at {first}: order.refunded: version 2 is unknown" in told
        assert "upgrade the projectors" in told
        assert read_side.checkpoint(shard).precedes(first)
        assert read_side.holder(shard) is None
        assert read_side.value("SELECT count(*) FROM parked") == 0
        assert (
            read_side.value("SELECT count(*) FROM event_log WHERE sale_id = %s", shard.sale) == first.seq - 1
        )

    read_side.drain(read_side.projector("newer"), shards=[shard])  # the older one still runs
    read_side.assert_projected(shard)
    assert read_side.holder(shard) == "newer"
    assert read_side.holder(other) == "older"


def test_an_older_projector_that_looks_again_changes_nothing(
    read_side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "LEFT_TO_NEWER_MS", 0)
    monkeypatch.setattr(projecting, "ACQUIRE_EVERY_MS", 0)
    shard = read_side.open_sale(hold_ms=1)
    with earlier_release():
        older = read_side.projector("older")
        read_side.drain(older)
        read_side.whole_story(shard)  # delivered by the group, so it is pending when the shard halts
        read_side.step_until(older, shard)
        read_side.postgres.execute(SEEN)
        before = [read_side.checkpoint(shard), read_side.halted(shard), deliveries(read_side, shard)]
        fence = read_side.value("SELECT fence FROM checkpoint")
        while read_side.value("SELECT fence FROM checkpoint") < fence + 8:
            older.step()
        assert [read_side.checkpoint(shard), read_side.halted(shard), deliveries(read_side, shard)] == before
        assert before[2], "some were delivered and not applied"
        assert read_side.rows("SELECT halted FROM seen") == [], (
            "not for a moment did it look as if it were not"
        )
        older.close()
    read_side.drain(read_side.projector("newer"))
    assert read_side.rows("SELECT halted FROM seen") == [(None,)]
    read_side.assert_projected(shard)


def test_an_older_replay_leaves_tables_of_a_newer_release_alone(read_side: ReadSide) -> None:
    shard = refunds(read_side)
    read_side.drain(read_side.projector("newer"))
    for mode in ("swap", "verify", "in-place"):
        with (
            earlier_release(),
            pytest.raises(RefusedByState, match=r"order\.refunded of version 2, applied by a newer"),
        ):
            replay_of(read_side).run(Request(sale=shard.sale, mode=mode))
    read_side.assert_projected(shard)
    assert replay_of(read_side).run(Request(sale=shard.sale)).differing == 0
