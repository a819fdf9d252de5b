"""A migration only adds, and holds nobody up; what takes away is a contract step, what locks for long says why."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import psycopg
import pytest
from psycopg.rows import TupleRow

from flashsale.projections.database import connect
from flashsale.projections.migrate import is_contract, migrations
from tests.integration.migration_rules import Effects, effects

#: The last migration of the first release: before it, nobody was at work meanwhile.
FIRST_RELEASE = "0005"
#: `-- locks: why nobody waits for long`, a line of the file.
REASON = "\n-- locks: "

SALE = """
INSERT INTO sales VALUES ('s', 'A sale', 'EUR', 0, 0, 1);
INSERT INTO checkpoint (sale_id, shard) VALUES ('s', 0);
"""


@pytest.fixture(scope="module")
def database(postgres_url: str, template_database: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """A database with the whole schema; nothing that is tried in it stays."""
    name = f"{template_database}_rules"
    with connect(postgres_url) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"'.encode())
        try:
            with connect(psycopg.conninfo.make_conninfo(postgres_url, dbname=name)) as connection:
                yield connection
        finally:
            server.execute(f'DROP DATABASE "{name}"'.encode())


@pytest.mark.parametrize(
    "up",
    [
        "ALTER TABLE orders ADD COLUMN channel text",
        "ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'web'",
        "CREATE TABLE later (id bigint PRIMARY KEY, sale_id text NOT NULL REFERENCES sales, CHECK (id > 0))",
        "CREATE TABLE later (id bigint); CREATE UNIQUE INDEX ON later (id)",
        "CREATE VIEW open_sales AS SELECT sale_id FROM sales WHERE archived_at IS NULL",
        "ALTER TABLE parked DROP CONSTRAINT kind_is_known",
        "ALTER TABLE parked DROP CONSTRAINT kind_is_known, ADD CONSTRAINT kind_is_known CHECK (kind <> '') NOT VALID",
        "ALTER TABLE parked ALTER COLUMN order_id SET DEFAULT '-'",
        "ALTER TABLE event_log ALTER COLUMN version DROP NOT NULL",
    ],
)
def test_what_only_adds_is_welcome(database: psycopg.Connection[TupleRow], up: str) -> None:
    assert effects(database, up) == Effects(set(), set())


@pytest.mark.parametrize(
    ("up", "found"),
    [
        ("DROP TABLE dead_letter_audit", "takes away dead_letter_audit"),
        ("ALTER TABLE dead_letter_audit RENAME TO audit", "takes away dead_letter_audit"),
        ("ALTER TABLE parked DROP COLUMN error", "takes away parked.error"),
        ("ALTER TABLE parked RENAME COLUMN error TO why", "takes away parked.error"),
        ("ALTER TABLE stock ALTER COLUMN sold TYPE bigint", "changes the type of stock.sold"),
        ("ALTER TABLE event_log ALTER COLUMN actor SET NOT NULL", "narrows event_log.actor"),
        ("ALTER TABLE sales ADD COLUMN place text NOT NULL", "narrows sales: place must be given"),
        ("ALTER TABLE parked ADD CONSTRAINT few CHECK (attempts < 9) NOT VALID", "narrows parked: few"),
        ("CREATE UNIQUE INDEX ON parked (seq)", "narrows parked: a unique index"),
        ("DROP TABLE stock; CREATE TABLE stock (seq bigint)", "takes away stock.sold"),
    ],
)
def test_what_takes_away_or_narrows_is_found(
    database: psycopg.Connection[TupleRow], up: str, found: str
) -> None:
    assert found in effects(database, up).contracts


@pytest.mark.parametrize(
    ("up", "found"),
    [
        ("ALTER TABLE sales ADD COLUMN made timestamptz DEFAULT clock_timestamp()", "rewrites sales"),
        ("ALTER TABLE parked ALTER COLUMN attempts TYPE bigint", "rewrites parked"),
        ("CREATE INDEX ON orders (buyer)", "builds an index of orders"),
        ("ALTER TABLE parked ADD CONSTRAINT few CHECK (attempts < 9)", "reads all of parked"),
        ("ALTER TABLE event_log ALTER COLUMN actor SET NOT NULL", "reads all of event_log"),
        (
            "INSERT INTO sales VALUES ('s', 'A sale', 'EUR', 0, 0, 1); UPDATE sales SET title = 'B'",
            "changes rows of sales",
        ),
    ],
)
def test_what_locks_for_as_long_as_a_table_is_large_is_found(
    database: psycopg.Connection[TupleRow], up: str, found: str
) -> None:
    assert found in effects(database, up).locks


def test_every_migration_since_the_first_release_keeps_the_rules(
    postgres_url: str, template_database: str, empty_database_url: str
) -> None:
    found: dict[str, Effects] = {}
    with connect(empty_database_url) as database:
        for migration in migrations():
            found[migration.version] = effects(database, migration.up)
            database.execute(migration.up)
            if migration.version == "0001":
                database.execute(SALE)
    for version, (contracts, locks) in found.items():
        if version > FIRST_RELEASE:
            assert is_contract(version) or not contracts, (
                f"{version} is a contract step: its number ends in 00"
            )
            assert REASON in text_of(version) or not locks, f"{version} locks for long: say `-- locks: why`"
    # Of the first five it can be seen that they are looked at.
    assert found["0002"].locks == {"changes rows of checkpoint"}
    assert found["0004"].locks >= {"rewrites orders", "rewrites stock"}
    assert found["0003"].locks == {"builds an index of parked", "reads all of parked"}
    assert found["0005"] == Effects(set(), set())


def text_of(version: str) -> str:
    """The file of a migration."""
    folder = files("flashsale.projections") / "sql" / "migrations"
    (entry,) = (entry for entry in folder.iterdir() if entry.name.startswith(f"{version}_"))
    return entry.read_text(encoding="utf-8")


def test_numbers_count_contract_steps_in_their_hundreds_and_leave_no_gap() -> None:
    reached = 0
    for version in (int(migration.version) for migration in migrations()):
        assert version in {reached + 1, (reached // 100 + 1) * 100}
        reached = version
