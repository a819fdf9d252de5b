"""The tables of one sale: each a partition of its parent, made apart, attached and detached."""

from __future__ import annotations

from psycopg import sql

from flashsale.projections.database import Connection

#: Room in each page for rows that change: a row that stays in its page needs no new index entry.
_FILLFACTORS = {"stock": 50, "orders": 80}


def first_name(parent: str, sale: str) -> str:
    """The table that a new sale begins with; at most 58 bytes, as Postgres has 63 for a name."""
    return f"{parent}_{sale}"


def rebuilt_name(parent: str, sale: str, run: int) -> str:
    """The table that a replay builds. No sale's first table is called so: an id holds no `_`."""
    return f"{parent}_{sale}_r{run}"


def create(connection: Connection, parent: str, table: str, sale: str) -> None:
    """A table like the parent, for rows of this sale only: the constraint saves ATTACH from reading them."""
    fillfactor = _FILLFACTORS.get(parent, 100)
    connection.execute(
        sql.SQL(
            "CREATE TABLE {} (LIKE {} INCLUDING ALL, CONSTRAINT of_one_sale CHECK (sale_id = {})) "
            "WITH (fillfactor = {})"
        ).format(sql.Identifier(table), sql.Identifier(parent), sql.Literal(sale), sql.Literal(fillfactor))
    )


def attach(connection: Connection, parent: str, table: str, sale: str) -> None:
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
            sql.Identifier(parent), sql.Identifier(table), sql.Literal(sale)
        )
    )


def detach(connection: Connection, parent: str, table: str) -> None:
    connection.execute(
        sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(sql.Identifier(parent), sql.Identifier(table))
    )


def drop(connection: Connection, table: str) -> None:
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table)))


def empty(connection: Connection, table: str) -> None:
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
