"""What each role of Postgres must be refused; and that the shipped file may be run at any time, and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from flashsale.definition import SaleDefinition, SaleItem
from flashsale.ids import Position
from flashsale.projections import catalog, comparisons, lease, reads
from flashsale.projections.database import Connection, connect
from flashsale.projections.migrate import migrate
from flashsale.stream import ShardId
from tests.fixtures.cast import in_role
from tests.fixtures.roles import apply_roles, as_operator, own_postgres
from tests.fixtures.servers import private_binaries

SALE = ShardId("drop", 0)
ITEM = SaleItem(sku="phone", title="Phone", quantity=10, unit_price_minor=1)
DEFINITION = SaleDefinition(sale=SALE.sale, title="Drop", currency="EUR", items=(ITEM,), hold_ms=600_000)
READERS = ("auditor", "gateway", "sweeper")
ROLES = ("projector", "archiver", *READERS)

#: Nothing that a daemon, a shop or an auditor does.
FOR_NOBODY = (
    *(
        "UPDATE event_log SET body = ''",
        "DELETE FROM event_log",
        "TRUNCATE event_log",
        "UPDATE event_log_drop SET seq = 1",
    ),
    *(
        "INSERT INTO event_log_drop SELECT * FROM event_log_drop",
        "DELETE FROM event_log_drop",
        "DROP TABLE event_log_drop",
    ),
    *("DELETE FROM orders", "DELETE FROM orders_drop", "UPDATE stock_drop SET sold = 0", "DELETE FROM stock"),
    *("TRUNCATE orders, stock", "ALTER TABLE orders DETACH PARTITION orders_drop", "DELETE FROM checkpoint"),
    *(
        "ALTER TABLE stock DROP CONSTRAINT never_oversold",
        "UPDATE checkpoint SET founded_epoch = 9",
        "DELETE FROM parked",
        "DELETE FROM comparison",
    ),
    *(
        "INSERT INTO checkpoint (sale_id, shard) VALUES ('drop', 1)",
        "UPDATE sales SET closes_ms = 0",
        "DELETE FROM sales",
    ),
    *("INSERT INTO dead_letter_audit DEFAULT VALUES", "DELETE FROM schema_migrations"),
    *(
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
    ),
    *(
        "SET ROLE flashsale_owner",
        "SET ROLE flashsale_operator",
        "SET ROLE flashsale",
        "CREATE DATABASE mine",
    ),
    *(
        "DROP TABLE orders",
        "ALTER SYSTEM SET fsync = off",
        "COPY orders TO '/tmp/x'",
        "SELECT pg_read_file('x')",
    ),
)
_WRITES = (
    *(
        "INSERT INTO event_log SELECT * FROM event_log",
        "INSERT INTO orders SELECT * FROM orders",
        "UPDATE stock SET sold = 0",
    ),
    *(
        "UPDATE orders SET status = 'held'",
        "UPDATE checkpoint SET seq = 9",
        "SELECT 1 FROM checkpoint FOR UPDATE",
    ),
)
_NOTE = "UPDATE sales SET archived_at = now()"
_COMPARED = ("INSERT INTO comparison SELECT * FROM comparison", "UPDATE comparison SET differences = 0")
_OTHERS = (
    "SELECT * FROM event_log",
    "SELECT * FROM stock",
    "SELECT * FROM parked",
    "SELECT * FROM orders_drop",
)
FOR_OTHERS = {
    "projector": (
        _NOTE,
        *_COMPARED,
        "INSERT INTO sales SELECT * FROM sales",
        "UPDATE parked SET attempts = 0",
    ),
    "archiver": (*_WRITES, *_COMPARED),
    "auditor": (*_WRITES, _NOTE),
    "gateway": (*_WRITES, *_OTHERS, *_COMPARED, _NOTE, "UPDATE sale_items SET quantity = 9"),
    "sweeper": (*_WRITES, *_OTHERS, *_COMPARED, _NOTE, "SELECT * FROM sale_items", "SELECT * FROM orders"),
}
REFUSED = [(role, statement) for role in ROLES for statement in (*FOR_NOBODY, *FOR_OTHERS[role])]
#: Refused to the operator, too: it has this database, and nothing else of the cluster.
FOR_NO_OPERATOR = (
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER SYSTEM SET fsync = off",
    "COPY orders TO '/tmp/x'",
    "SET ROLE flashsale",
)


@pytest.fixture(scope="module")
def superuser_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A database set up as docs/install.md says, with a sale that was defined afterwards."""
    with own_postgres(private_binaries(pytestconfig)[1]) as url:
        apply_roles(url)
        migrate(as_operator(url))
        apply_roles(url)
        with connect(as_operator(url)) as operator:
            catalog.define(operator, DEFINITION)
        yield url


def role_connection(superuser_url: str, role: str) -> Connection:
    return connect(in_role(as_operator(superuser_url), role))


@pytest.mark.parametrize(("role", "statement"), REFUSED)
def test_is_refused(superuser_url: str, role: str, statement: str) -> None:
    with role_connection(superuser_url, role) as connection:
        connection.execute("SET default_transaction_read_only = off")  # anybody may: it is no protection
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.parametrize("statement", FOR_NO_OPERATOR)
def test_an_operator_has_this_database_and_no_more(superuser_url: str, statement: str) -> None:
    with (
        role_connection(superuser_url, "operator") as operator,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        operator.execute(statement.encode())


@pytest.mark.parametrize("role", [*ROLES, "operator"])
def test_nobody_ends_the_session_of_another_role(superuser_url: str, role: str) -> None:
    victim = "sweeper" if role == "operator" else "operator"
    with (
        role_connection(superuser_url, victim) as other,
        role_connection(superuser_url, role) as connection,
    ):
        for end in ("pg_terminate_backend", "pg_cancel_backend"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT {end}(%s)".encode(), (other.info.backend_pid,))


@pytest.mark.parametrize("role", READERS)
def test_a_reader_that_writes_by_mistake_is_told_at_once(superuser_url: str, role: str) -> None:
    with role_connection(superuser_url, role) as connection:
        (value,) = connection.execute("SHOW default_transaction_read_only").fetchall()
    assert value == ("on",)


def test_an_auditor_notes_what_a_comparison_found_and_whoever_asks_reads_it(superuser_url: str) -> None:
    with role_connection(superuser_url, "auditor") as auditor:
        comparisons.note_compared(
            auditor, SALE, "cli:flashsale", position=Position(1, 7), differences=0, told=[]
        )
        comparisons.note_missed(auditor, SALE, "cli:flashsale", "no projector")
    with role_connection(superuser_url, "projector") as reader:
        found = comparisons.every(reader)[SALE]
    assert found.compared is not None
    assert (found.compared.position, found.compared.differences) == (Position(1, 7), 0)
    assert found.missed is not None
    assert found.missed.why == "no projector"


def test_the_file_does_nothing_to_tables_that_are_older_than_it(superuser_url: str) -> None:
    with connect(superuser_url) as superuser:
        before = privileges(superuser)
        superuser.execute("ALTER TABLE comparison RENAME TO later")
        try:
            with pytest.raises(psycopg.errors.RaiseException, match="run `flashsale db migrate`"):
                apply_roles(superuser_url)
        finally:
            superuser.execute("ALTER TABLE later RENAME TO comparison")
        assert privileges(superuser) == before


def test_every_table_belongs_to_the_owner(superuser_url: str) -> None:
    """Those of the sale as well, which the operator defined."""
    with connect(superuser_url) as superuser:
        owners = superuser.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        assert superuser.execute("SELECT to_regclass('event_log_drop')").fetchone() != (None,)
    assert owners == [("flashsale_owner",)]


def test_a_projector_leaves_a_shard_to_the_recovery_that_leads_it(superuser_url: str) -> None:
    """Postgres hides the sessions of other roles unless it is told not to: the recovery would look dead."""
    with ExitStack() as open_:
        operator, projector, auditor = (
            open_.enter_context(role_connection(superuser_url, role))
            for role in ("operator", "projector", "auditor")
        )
        lease.seize(operator, "recover", SALE)
        assert lease.acquire(projector, "p1", 10) == []
        assert reads.checkpoint_row(auditor, SALE).holder == "recover"

        lease.release(operator, "recover")
        (led,) = lease.acquire(projector, "p1", 10)
        assert led.shard == SALE
        assert reads.checkpoint_row(auditor, SALE).holder == "p1"
        lease.release(projector, "p1")


def privileges(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT oid::regclass::text, relowner::regrole::text, relacl::text FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    ).fetchall()


def test_a_repeat_changes_nothing_and_takes_back_what_was_granted_by_hand(superuser_url: str) -> None:
    with connect(superuser_url) as superuser:
        before = privileges(superuser)
        apply_roles(superuser_url)
        assert privileges(superuser) == before

        superuser.execute("GRANT ALL ON event_log, event_log_drop TO flashsale_projector, PUBLIC")
        superuser.execute("ALTER ROLE flashsale_auditor CREATEROLE")
        apply_roles(superuser_url)
        assert privileges(superuser) == before
        assert (
            superuser.execute(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE 'flashsale\\_%' AND (rolsuper OR rolcreaterole)"
            ).fetchall()
            == []
        )


def test_a_database_that_has_been_used_without_roles_is_taken_over(pytestconfig: pytest.Config) -> None:
    with own_postgres(private_binaries(pytestconfig)[1]) as url:
        migrate(url)
        with connect(url) as superuser:
            catalog.define(superuser, DEFINITION)
        apply_roles(url)
        with role_connection(url, "projector") as projector, role_connection(url, "operator") as operator:
            assert [led.shard for led in lease.acquire(projector, "p1", 10)] == [SALE]
            operator.execute("ALTER TABLE orders DETACH PARTITION orders_drop")
