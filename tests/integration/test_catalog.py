"""Sales are defined once, whole or not at all, and read back as they were written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from flashsale.definition import SaleDefinition, SaleItem
from flashsale.errors import FlashsaleError, NotFound, RefusedByState
from flashsale.events import ShardState, Stock
from flashsale.ids import START, Position
from flashsale.projections import catalog
from flashsale.projections.database import SchemaMissing, connect
from flashsale.stream import ShardId

PHONE = SaleItem(sku="phone", title="A phone", quantity=1_000, unit_price_minor=49_900, limit=2)
CASE = SaleItem(sku="case", title="Eine Hülle", quantity=5, unit_price_minor=0)
SALE = SaleDefinition(
    sale="spring-24",
    title="Spring",
    currency="EUR",
    items=(PHONE, CASE),
    hold_ms=90_000,
    opens_ms=1_700_000_000_000,
    closes_ms=1_700_000_360_000,
)
OTHER = SaleDefinition(sale="spring-24", title="Other", currency="USD", items=(CASE,), hold_ms=1_000)
COUNTS = """SELECT (SELECT count(*) FROM sales), (SELECT count(*) FROM sale_items), (SELECT count(*) FROM checkpoint)"""


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """A session in a database with the schema."""
    with connect(database_url) as connection:
        yield connection


def named(sale: str) -> SaleDefinition:
    return SaleDefinition(sale=sale, title=sale, currency="EUR", items=(PHONE,), hold_ms=1_000)


def test_a_sale_is_read_back_as_it_was_defined(database: psycopg.Connection[TupleRow]) -> None:
    catalog.define(database, SALE)

    assert catalog.get(database, "spring-24") == SALE


def test_a_sale_that_is_not_defined_is_not_found(database: psycopg.Connection[TupleRow]) -> None:
    with pytest.raises(NotFound, match="sale nothing is not defined; `flashsale sale list`"):
        catalog.get(database, "nothing")


def test_a_second_definition_is_refused_and_changes_nothing(database: psycopg.Connection[TupleRow]) -> None:
    catalog.define(database, SALE)

    with pytest.raises(RefusedByState, match="spring-24 is defined already"):
        catalog.define(database, OTHER)

    assert catalog.get(database, "spring-24") == SALE
    assert database.execute(COUNTS).fetchone() == (1, 2, 1)


def test_of_two_definitions_at_once_one_wins(
    database: psycopg.Connection[TupleRow], database_url: str
) -> None:
    outcomes: list[str] = []

    def define(definition: SaleDefinition) -> None:
        with connect(database_url) as connection:
            try:
                catalog.define(connection, definition)
                outcomes.append(definition.title)
            except RefusedByState:
                outcomes.append("refused")

    threads = [threading.Thread(target=define, args=[definition]) for definition in (SALE, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winner = catalog.get(database, "spring-24")
    assert winner in (SALE, OTHER)
    assert sorted(outcomes) == sorted([winner.title, "refused"])


def test_a_definition_that_fails_half_way_leaves_nothing(database: psycopg.Connection[TupleRow]) -> None:
    database.execute('CREATE TABLE "event_log_spring-24" (in_the_way int)')

    with pytest.raises(FlashsaleError, match="already exists"):
        catalog.define(database, SALE)

    assert database.execute(COUNTS).fetchone() == (0, 0, 0)


def test_every_sale_has_a_partition_of_the_archive(database: psycopg.Connection[TupleRow]) -> None:
    catalog.define(database, SALE)
    longest = "x" * 48
    catalog.define(database, named(longest))

    partitions = database.execute(
        "SELECT inhrelid::regclass::text, pg_get_expr(relpartbound, inhrelid) FROM pg_inherits "
        "JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'event_log'::regclass ORDER BY 1"
    ).fetchall()
    assert partitions == [
        ('"event_log_spring-24"', "FOR VALUES IN ('spring-24')"),
        (f"event_log_{longest}", f"FOR VALUES IN ('{longest}')"),
    ]


def test_an_event_of_a_sale_that_is_not_defined_has_no_place(database: psycopg.Connection[TupleRow]) -> None:
    catalog.define(database, SALE)

    with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
        database.execute(
            "INSERT INTO event_log (sale_id, shard, epoch, seq, type, body) VALUES ('other', 0, 1, 1, '', '')"
        )


def test_a_sale_is_defined_while_the_archive_is_read(
    database: psycopg.Connection[TupleRow], database_url: str
) -> None:
    catalog.define(database, SALE)
    with connect(database_url) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM event_log")
        catalog.define(database, named("meanwhile"))

    assert len(catalog.every(database)) == 2


def test_sales_are_listed_in_the_order_of_their_definition(database: psycopg.Connection[TupleRow]) -> None:
    assert catalog.every(database) == []
    for sale in ("zebra", "ant", "mole"):
        catalog.define(database, named(sale))

    assert [definition.sale for definition in catalog.every(database)] == ["zebra", "ant", "mole"]


def test_sales_are_read_in_one_statement_however_many(
    database: psycopg.Connection[TupleRow], tmp_path: Path
) -> None:
    sales = [SALE, named("ant"), named("mole")]
    for definition in sales:
        catalog.define(database, definition)

    with (tmp_path / "trace").open("w+b") as trace:
        database.pgconn.trace(trace.fileno())
        found = catalog.every(database)
        database.pgconn.untrace()
        trace.seek(0)
        sent = [line for line in trace.read().split(b"\n") if b"\tQuery\t" in line or b"\tExecute\t" in line]

    assert found == sales
    assert len(sent) == 1, sent


def test_a_new_sale_stands_at_the_start(database: psycopg.Connection[TupleRow]) -> None:
    catalog.define(database, SALE)
    catalog.define(database, named("ant"))
    database.execute("UPDATE checkpoint SET epoch = 2, seq = 70000000000 WHERE sale_id = 'ant'")

    assert catalog.fences(database) == {
        ShardId("ant", 0): Position(2, 70_000_000_000),
        ShardId("spring-24", 0): START,
    }


def test_a_running_sale_keeps_what_is_not_reconfigured(database: psycopg.Connection[TupleRow]) -> None:
    catalog.define(database, SALE)

    sku = SALE.items[0].sku

    now = ShardState(opens_ms=SALE.opens_ms, closes_ms=0, hold_ms=5_000)
    now.stock = {sku: Stock(1, 0, 0, 0, 7, 1), "unknown": Stock(1, 0, 0, 0, 1, 1)}
    catalog.keep_in_step(database, "spring-24", lambda: now)

    found = catalog.get(database, "spring-24")
    assert [item.limit for item in found.items] == [7, *(item.limit for item in SALE.items[1:])]
    assert (found.opens_ms, found.closes_ms, found.hold_ms) == (SALE.opens_ms, 0, 5_000)


def test_without_the_schema_the_remedy_is_told(empty_database_url: str) -> None:
    with connect(empty_database_url) as empty:
        for refused in (lambda: catalog.define(empty, SALE), lambda: catalog.every(empty)):
            with pytest.raises(SchemaMissing, match="run `flashsale db migrate`"):
                refused()
