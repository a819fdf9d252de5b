"""The migration to one partition a sale keeps the rows that are there, up and down."""

from __future__ import annotations

from importlib.resources import files

from flashsale.projections.database import connect
from flashsale.projections.migrate import migrate, migrations
from flashsale.projections.replays import live_tables

PARTITIONED = "0004"
SALE = "INSERT INTO sales VALUES (%s, 'A sale', 'EUR', 0, 0, 1000)"
ORDER = """
INSERT INTO orders (reserved_ms, hold_until_ms, changed_ms, seq, epoch, quantity, shard, sale_id, order_id, buyer, sku,
status) VALUES (1, 2, 3, 4, 1, 1, 0, %s, '0-aaaaaaaa', 'ann', 'phone', 'held')
"""
STOCK = """
INSERT INTO stock (seq, epoch, available, held, sold, returned, capacity, shard, sale_id, sku)
VALUES (4, 1, 9, 1, 0, 0, 10, 0, %s, 'phone')
"""


def test_rows_keep_their_place(empty_database_url: str) -> None:
    sales = ("one", "x" * 48)
    with connect(empty_database_url) as database:
        database.execute("CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)")
        for migration in migrations():
            if migration.version < PARTITIONED:
                database.execute(migration.up)
                database.execute("INSERT INTO schema_migrations VALUES (%s)", [migration.version])
        for sale in sales:
            database.execute(SALE, [sale])
            database.execute(ORDER.encode(), [sale])
            database.execute(STOCK.encode(), [sale])

        def rows() -> list[object]:
            return [
                database.execute(f"SELECT t::text FROM {name} t ORDER BY 1".encode()).fetchall()
                for name in ("orders", "stock")
            ]

        before = rows()
        migrate(empty_database_url)
        assert rows() == before
        assert {live.table for live in live_tables(database)} == {
            f"{name}_{sale}" for name in ("orders", "stock") for sale in sales
        }

        newest_first = sorted(
            (files("flashsale.projections") / "sql" / "migrations").iterdir(),
            key=lambda file: file.name,
            reverse=True,
        )
        for file in newest_first:
            if file.name >= PARTITIONED:
                down = file.read_text(encoding="utf-8").partition("-- migrate:down")[2]
                database.execute(down.encode())
        assert rows() == before
