"""A database comes to the schema of this code, once, whoever else is at it; another schema is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files

import psycopg
import pytest
from psycopg.rows import TupleRow

from flashsale.errors import FlashsaleError, RefusedByState, Unreachable
from flashsale.projections.database import connect
from flashsale.projections.migrate import check_schema, migrate, migrations, schema_status
from flashsale.projections.queries import query
from tests.helpers import wait_until

TABLES = {
    *("sales", "sale_items", "event_log", "orders", "stock", "checkpoint", "parked", "schema_migrations"),
    *("dead_letter_audit", "comparison"),
    *("projection", "replay", "replay_table", "replay_shard"),
}
MIGRATE = "import sys; from flashsale.projections.migrate import migrate; print(migrate(sys.argv[1]))"
VERSIONS = [migration.version for migration in migrations()]


@pytest.fixture
def database(empty_database_url: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """A session in a database without tables."""
    with connect(empty_database_url) as connection:
        yield connection


def tables(database: psycopg.Connection[TupleRow]) -> set[str]:
    return {row[0] for row in database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_an_empty_database_gets_every_migration(
    database: psycopg.Connection[TupleRow], empty_database_url: str
) -> None:
    assert schema_status(database).missing == tuple(VERSIONS)

    assert migrate(empty_database_url) == VERSIONS

    assert tables(database) == TABLES
    assert schema_status(database).missing == schema_status(database).unknown == ()
    check_schema(database)


def test_a_second_time_there_is_nothing_to_do(
    database: psycopg.Connection[TupleRow], empty_database_url: str
) -> None:
    migrate(empty_database_url)
    database.execute("INSERT INTO sales VALUES ('sale-1', 'A sale', 'EUR', 0, 0, 1000)")

    assert migrate(empty_database_url) == []

    assert database.execute("SELECT sale_id FROM sales").fetchall() == [("sale-1",)]


def test_of_two_at_once_one_does_it_and_the_other_finds_it_done(
    database: psycopg.Connection[TupleRow], empty_database_url: str
) -> None:
    database.execute(query("migrate", "lock"))  # so that both have begun before either can go on
    command = [sys.executable, "-W", "error", "-c", MIGRATE, empty_database_url]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other,
    ):
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: database.execute(waiting).fetchone() == (2,), 20, "both wait for the lock")
        database.execute("SELECT pg_advisory_unlock_all()")
        printed = sorted([one.communicate()[0].strip(), other.communicate()[0].strip()])

    assert printed == [str(VERSIONS), "[]"]
    assert (one.returncode, other.returncode) == (0, 0)
    check_schema(database)


def test_a_migration_that_fails_leaves_nothing_behind(
    database: psycopg.Connection[TupleRow], empty_database_url: str
) -> None:
    database.execute("CREATE TABLE parked (unlike_ours int)")

    with pytest.raises(FlashsaleError, match='"parked" already exists'):
        migrate(empty_database_url)
    assert tables(database) == {"parked", "schema_migrations"}
    assert schema_status(database).applied == ()

    database.execute("DROP TABLE parked")
    assert migrate(empty_database_url) == VERSIONS


def test_a_newer_schema_is_refused_and_not_touched(
    database: psycopg.Connection[TupleRow], empty_database_url: str
) -> None:
    migrate(empty_database_url)
    database.execute("INSERT INTO schema_migrations VALUES ('9999')")

    for refused in (lambda: check_schema(database), lambda: migrate(empty_database_url)):
        with pytest.raises(RefusedByState, match=r"9999.*newer flashsale: upgrade"):
            refused()
    assert tables(database) == TABLES


def test_an_older_schema_is_refused_with_the_remedy(
    database: psycopg.Connection[TupleRow], empty_database_url: str
) -> None:
    migrate(empty_database_url)
    database.execute("DELETE FROM schema_migrations WHERE version = %s", [VERSIONS[-1]])

    with pytest.raises(FlashsaleError, match="flashsale db migrate") as caught:
        check_schema(database)
    assert caught.value.exit_code == 4


def test_a_database_without_our_tables_is_told_apart_from_an_older_one(
    database: psycopg.Connection[TupleRow],
) -> None:
    with pytest.raises(FlashsaleError, match="not in this database: run `flashsale db migrate`"):
        check_schema(database)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="Postgres cannot be reached"):
        migrate("host=/nonexistent dbname=x")


def test_every_migration_is_in_the_format_of_dbmate() -> None:
    folder = files("flashsale.projections") / "sql" / "migrations"
    numbers = []
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        assert text.startswith("-- migrate:up\n")
        assert text.count("-- migrate:up") == text.count("-- migrate:down") == 1
        numbers.append(int(file.name.partition("_")[0]))
    assert sorted(numbers) == list(range(1, len(VERSIONS) + 1))


def test_the_way_down_leads_back_to_an_empty_database(
    database: psycopg.Connection[TupleRow], empty_database_url: str
) -> None:
    migrate(empty_database_url)
    folder = files("flashsale.projections") / "sql" / "migrations"
    for file in sorted(folder.iterdir(), key=lambda file: file.name, reverse=True):
        down = file.read_text(encoding="utf-8").partition("-- migrate:down")[2]
        database.execute(down.encode())

    assert tables(database) == {"schema_migrations"}
