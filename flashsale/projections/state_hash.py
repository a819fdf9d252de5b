"""One hash of a sale's state, whoever computes it: so that everything that prints one can be compared with the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import msgspec
from psycopg import sql

from flashsale.projections.database import Connection
from flashsale.projections.queries import query

#: Rows in memory at a time: a sale may have a million orders.
_ROWS = 10_000

#: A SKU or an order id, and what is known of it.
Item = tuple[str, tuple[object, ...]]


def digest(stock: Iterable[Item], orders: Iterable[Item]) -> str:
    """SHA-256 over each SKU with its counters and each order with what it says, both sorted by their first field."""
    made = hashlib.sha256(b"[[")
    for items, end in ((stock, b"],["), (orders, b"]]")):
        between, rest = b"", iter(items)
        while chunk := list(islice(rest, _ROWS)):
            made.update(between + msgspec.json.encode(chunk)[1:-1])
            between = b","
        made.update(end)
    return made.hexdigest()


def state_hash(connection: Connection, tables: Mapping[str, str]) -> str:
    """The digest of stock and orders in the tables named. Needs a transaction around it."""
    stock, orders = (_content(connection, name, tables[name]) for name in ("stock", "orders"))
    return digest(stock, orders)


def _content(connection: Connection, name: str, table: str) -> Iterator[Item]:
    statement = sql.SQL(query("rebuild", f"{name}_content")).format(table=sql.Identifier(table))
    with connection.cursor(name=f"{name}_content") as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(_ROWS):
            yield from ((key, tuple(fields)) for key, *fields in rows)
