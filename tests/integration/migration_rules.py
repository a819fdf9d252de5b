"""What a migration does to those who work on the tables meanwhile, as PostgreSQL's own catalog tells it."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg
from psycopg.rows import TupleRow

_TABLES = """
SELECT c.relname, c.relfilenode FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'schema_migrations'
"""
_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    a.atthasdef OR a.attidentity <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, oid::bigint, convalidated FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
"""
_INDEXES = """
SELECT indrelid::regclass::text, indexrelid::regclass::text, indisunique, indexrelid::text FROM pg_index
WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
"""
_ROWS_CHANGED = "SELECT relname, n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"


class _Catalog(NamedTuple):
    #: name → file that holds the rows
    tables: dict[str, int]
    #: (table, column) → type, must be given, has a default
    columns: dict[tuple[str, str], tuple[str, bool, bool]]
    #: (table, name) → its id, the rows there were checked
    constraints: dict[tuple[str, str], tuple[int, bool]]
    #: id → table, unique
    indexes: dict[str, tuple[str, bool]]


class Effects(NamedTuple):
    """What is found; each a phrase that names the table."""

    #: what the release before uses, or may write, is there no more
    contracts: set[str]
    #: others wait for as long as the table is large
    locks: set[str]


def effects(database: psycopg.Connection[TupleRow], up: str) -> Effects:
    """Try a migration in a transaction that is rolled back."""
    with database.transaction(force_rollback=True):
        before, counted = _read(database), _rows_changed(database)  # it counts on from earlier transactions
        database.execute(up.encode())
        after, count = _read(database), _rows_changed(database)
    locks = _locks(before, after) | {
        f"changes rows of {name}" for name in before.tables if count.get(name, 0) > counted.get(name, 0)
    }
    return Effects(_contracts(before, after), locks)


def _rows_changed(database: psycopg.Connection[TupleRow]) -> dict[str, int]:
    return {str(name): int(rows) for name, rows in database.execute(_ROWS_CHANGED)}


def _contracts(before: _Catalog, after: _Catalog) -> set[str]:
    found = {f"takes away {name}" for name in before.tables.keys() - after.tables.keys()}
    for (table, column), (kind, must, _) in before.columns.items():
        if table not in after.tables:
            continue
        now = after.columns.get((table, column))
        if now is None:
            found.add(f"takes away {table}.{column}")
        elif now[0] != kind:
            found.add(f"changes the type of {table}.{column}")
        elif now[1] and not must:
            found.add(f"narrows {table}.{column}")
    return found | _narrowed(before, after)


def _narrowed(before: _Catalog, after: _Catalog) -> set[str]:
    """What is new, and refuses rows that were welcome."""
    found = {
        f"narrows {table}: {column} must be given"
        for (table, column), (_, must, has_default) in after.columns.items()
        if (table, column) not in before.columns and must and not has_default
    }
    # One of the same name is another list of words, as a rule a longer one.
    found |= {
        f"narrows {table}: {name}" for table, name in after.constraints.keys() - before.constraints.keys()
    }
    for index in after.indexes.keys() - before.indexes.keys():
        table, is_unique = after.indexes[index]
        if is_unique:
            found.add(f"narrows {table}: a unique index")
    return {phrase for phrase in found if phrase.split()[1].rstrip(":") in before.tables}


def _locks(before: _Catalog, after: _Catalog) -> set[str]:
    lasting = before.tables.keys() & after.tables.keys()
    found = {f"rewrites {table}" for table in lasting if before.tables[table] != after.tables[table]}
    for index in after.indexes.keys() - before.indexes.keys():
        table, _ = after.indexes[index]
        if table in lasting:
            found.add(f"builds an index of {table}")
    for (table, column), (_, must, _) in before.columns.items():
        if table in lasting and not must and after.columns.get((table, column), ("", False))[1]:
            found.add(f"reads all of {table}")
    for key, (oid, is_checked) in after.constraints.items():
        if key[0] in lasting and is_checked and before.constraints.get(key, (0, False))[0] != oid:
            found.add(f"reads all of {key[0]}")
    return found


def _read(database: psycopg.Connection[TupleRow]) -> _Catalog:
    def rows(statement: str) -> list[tuple[Any, ...]]:
        return database.execute(statement.encode()).fetchall()

    return _Catalog(
        dict(rows(_TABLES)),
        {(table, column): (kind, must, default) for table, column, kind, must, default in rows(_COLUMNS)},
        {(table, name): (oid, is_checked) for table, name, oid, is_checked in rows(_CONSTRAINTS)},
        {f"{name} {oid}": (table, is_unique) for table, name, is_unique, oid in rows(_INDEXES)},
    )
