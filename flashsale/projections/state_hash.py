"""The hash of a sale's state in Postgres, without holding a million orders in memory.

It is the hash that `flashsale.reconcile.state_hash` gives the same state, so that everything that prints one can be
compared with everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import msgspec
from psycopg import sql
from psycopg.rows import TupleRow

from flashsale.projections.database import Connection
from flashsale.projections.queries import query

#: Rows in memory at a time.
_ROWS = 10_000


def state_hash(connection: Connection, tables: Mapping[str, str]) -> str:
    """SHA-256 of stock and orders in the tables named. Needs a transaction around it."""
    digest = hashlib.sha256(b"[[")
    for name, end in (("stock", b"],["), ("orders", b"]]")):
        for part in _parts(connection, name, tables[name]):
            digest.update(part)
        digest.update(end)
    return digest.hexdigest()


def _parts(connection: Connection, name: str, table: str) -> Iterator[bytes]:
    statement = sql.SQL(query("rebuild", f"{name}_content")).format(table=sql.Identifier(table))
    between = b""
    with connection.cursor(name=f"{name}_content") as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(_ROWS):
            yield between + msgspec.json.encode([_named(row) for row in rows])[1:-1]
            between = b","


def _named(row: TupleRow) -> tuple[str, tuple[object, ...]]:
    key, *fields = row
    return key, tuple(fields)
