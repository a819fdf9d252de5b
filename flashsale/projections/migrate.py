"""Bring the database to the schema this code was written for.

Migrations are numbered SQL files in dbmate's format (`-- migrate:up`, `-- migrate:down`), append-only; dbmate itself
can apply them too. Each runs in one transaction, its row first.
"""

from __future__ import annotations

from importlib.resources import files
from typing import LiteralString, NamedTuple

from flashsale.errors import RefusedByState
from flashsale.projections.database import Connection, SchemaMissing, connect, errors_told
from flashsale.projections.queries import query


class Migration(NamedTuple):
    #: the number in front of the file's name
    version: str
    name: str
    up: LiteralString


class SchemaStatus(NamedTuple):
    """Versions in the database, and versions this code brings; equal when all is well."""

    applied: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(version for version in self.known if version not in self.applied)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Applied by a newer flashsale."""
        return tuple(version for version in self.applied if version not in self.known)


def migrations() -> list[Migration]:
    """All migrations, in order."""
    found = []
    folder = files("flashsale.projections") / "sql" / "migrations"
    for entry in folder.iterdir():
        version, _, name = entry.name.removesuffix(".sql").partition("_")
        up: str = (
            entry.read_text(encoding="utf-8").partition("-- migrate:up")[2].partition("-- migrate:down")[0]
        )
        # Shipped with the package, no user input in it.
        found.append(Migration(version, name, up))
    return sorted(found)


def migrate(conninfo: str) -> list[str]:
    """Apply what is missing; returns the versions applied now. Two at once do it once."""
    with connect(conninfo, name="flashsale migrate") as connection, errors_told():
        connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        connection.execute(query("migrate", "lock"))
        connection.execute(query("migrate", "create_table"))
        status = _status(connection)
        _refuse_newer(status)
        applied = []
        for migration in migrations():
            if migration.version in status.missing:
                with connection.transaction():
                    connection.execute(query("migrate", "record"), {"version": migration.version})
                    connection.execute(migration.up)
                applied.append(migration.version)
        return applied


def schema_status(connection: Connection) -> SchemaStatus:
    """What is applied and what is known. An empty database has applied nothing."""
    with errors_told():
        exists = connection.execute(query("migrate", "exists")).fetchone()
        if not exists or not exists[0]:
            return SchemaStatus((), tuple(migration.version for migration in migrations()))
        return _status(connection)


def check_schema(connection: Connection) -> None:
    """Raise unless the schema is exactly the one this code knows."""
    status = schema_status(connection)
    if not status.applied:
        raise SchemaMissing
    _refuse_newer(status)
    if status.missing:
        raise RefusedByState(
            f"the database lacks migration {', '.join(status.missing)}: run `flashsale db migrate`"
        )


def _status(connection: Connection) -> SchemaStatus:
    applied = tuple(row[0] for row in connection.execute(query("migrate", "applied")))
    return SchemaStatus(applied, tuple(migration.version for migration in migrations()))


def _refuse_newer(status: SchemaStatus) -> None:
    if status.unknown:
        raise RefusedByState(
            f"the database has migration {', '.join(status.unknown)}, made by a newer flashsale: upgrade this one"
        )
