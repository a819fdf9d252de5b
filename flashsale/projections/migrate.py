"""Bring the database to the schema this code was written for, while older releases may still work on it.

Migrations are numbered SQL files in dbmate's format (`-- migrate:up`, `-- migrate:down`), append-only; dbmate itself
can apply them too. Each runs in one transaction, its row first.

A number ends in 00 where a migration takes away or narrows what the release before it uses: a contract step. All others
only add. So the hundreds say who can work with a database: whoever knows its last contract step, whatever was added
since. A contract step is never needed: it waits until a person says that no older release runs.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from importlib.resources import files
from typing import LiteralString, NamedTuple

import psycopg

from flashsale.errors import RefusedByState, Unreachable
from flashsale.projections.database import Connection, SchemaMissing, connect, errors_told
from flashsale.projections.queries import query

#: While a migration waits for a table, everybody else waits behind it: it gives way after this time, and asks again.
LOCK_TIMEOUT_MS = 400
#: Pause before it does, drawn at random from the half up.
LOCK_RETRY_S = 1.0
#: About a minute in all: whoever holds a lock for longer is to be looked at by a person.
LOCK_ATTEMPTS_MAX = 50


class Migration(NamedTuple):
    #: the number in front of the file's name
    version: str
    name: str
    up: LiteralString


class SchemaStatus(NamedTuple):
    """Versions in the database, and versions this code brings."""

    applied: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """This code cannot work without them."""
        return tuple(version for version in self._unapplied if not is_contract(version))

    @property
    def waiting(self) -> tuple[str, ...]:
        """Contract steps: this code works without them, and older code works no more when they are applied."""
        return tuple(version for version in self._unapplied if is_contract(version))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Applied by a newer flashsale."""
        return tuple(version for version in self.applied if version not in self.known)

    @property
    def too_new(self) -> tuple[str, ...]:
        """Those of them that this code cannot work with: a contract step, and what came after it."""
        newest = max(map(_hundreds, self.known), default=0)
        return tuple(version for version in self.unknown if _hundreds(version) > newest)

    @property
    def _unapplied(self) -> tuple[str, ...]:
        return tuple(version for version in self.known if version not in self.applied)


def is_contract(version: str) -> bool:
    """Whether a migration takes away or narrows what the release before it uses."""
    return version.endswith("00")


def _hundreds(version: str) -> int:
    """How many contract steps a version is behind; a number that is none of ours is behind them all."""
    return int(version[:-2]) if len(version) == 4 and version.isascii() and version.isdigit() else 100


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


def migrate(
    conninfo: str, *, contract: bool = False, wait: Callable[[float], object] = time.sleep
) -> list[str]:
    """Apply what is missing, in order; returns the versions applied now. Two at once do it once.

    Stops in front of a contract step, unless `contract` says that no older release runs, or the database is new.
    Raises `RefusedByState` when this code needs what comes behind that step.
    """
    with connect(conninfo, name="flashsale migrate") as connection, errors_told():
        connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        connection.execute(query("migrate", "lock"))
        connection.execute(query("migrate", "create_table"))
        connection.execute(query("migrate", "lock_timeout"), {"ms": str(LOCK_TIMEOUT_MS)})
        status = _status(connection)
        _refuse_newer(status)
        applied = []
        for migration in migrations():
            if migration.version in status.applied:
                continue
            if is_contract(migration.version) and status.applied and not contract:
                _refuse_to_skip(migration, status)
                break
            _apply(connection, migration, wait)
            applied.append(migration.version)
        return applied


def _apply(connection: Connection, migration: Migration, wait: Callable[[float], object]) -> None:
    """One migration in one transaction, tried until it gets its locks."""
    for _ in range(LOCK_ATTEMPTS_MAX):
        try:
            with connection.transaction():
                connection.execute(query("migrate", "record"), {"version": migration.version})
                if is_contract(migration.version):
                    connection.execute(query("migrate", "take_leases"))
                connection.execute(migration.up)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            wait(random.uniform(LOCK_RETRY_S / 2, LOCK_RETRY_S))  # noqa: S311 - jitter, no secret
        else:
            return
    raise Unreachable(
        f"Postgres: migration {migration.version} did not get its locks in {LOCK_ATTEMPTS_MAX} attempts; nothing of "
        "it is done. See who holds them (pg_locks, pg_stat_activity), then run it again"
    )


def _refuse_to_skip(contract: Migration, status: SchemaStatus) -> None:
    behind = [version for version in status.missing if version > contract.version]
    if behind:
        raise RefusedByState(
            f"migration {', '.join(behind)} comes after the contract step {contract.version}: when no older "
            "flashsale runs any more, run `flashsale db migrate --contract`"
        )


def schema_status(connection: Connection) -> SchemaStatus:
    """What is applied and what is known. An empty database has applied nothing."""
    with errors_told():
        exists = connection.execute(query("migrate", "exists")).fetchone()
        if not exists or not exists[0]:
            return SchemaStatus((), tuple(migration.version for migration in migrations()))
        return _status(connection)


def check_schema(connection: Connection) -> None:
    """Raise unless this code can work with the schema: it has what this code knows, and lost nothing of it since."""
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
    if status.too_new:
        raise RefusedByState(
            f"the database has migration {', '.join(status.too_new)}, made by a newer flashsale: upgrade this one"
        )
