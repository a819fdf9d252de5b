"""Postgres stops, dies, locks its tables, ends sessions, and refuses to serialize: the log waits, nothing is parked."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.torture.faults.registry import fault
from tests.torture.operations import parked, retry_dead_letters
from tests.torture.patience import AWAY, came_true, pause
from tests.torture.schedule import Planned
from tests.torture.world import SALE, World

TIMEOUT_S = 25
#: Projectors, and an operator's commands.
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'flashsale%' AND wait_event_type = 'Lock'
"""
END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'flashsale projector%'
"""
SERIALIZABLE = "ALTER DATABASE {} SET default_transaction_isolation = '{}'"


def _server(world: World) -> tuple[int, Path]:
    """The postmaster's pid, and its log."""
    (status,) = [status for status in world.dev.status() if status.name == "postgres"]
    assert status.pid is not None, "Postgres does not run"
    return status.pid, status.log_file


def _end(world: World, number: signal.Signals, planned: Planned) -> int:
    pid, _ = _server(world)
    os.kill(pid, number)
    ended = came_true(lambda: not Path(f"/proc/{pid}").exists(), TIMEOUT_S)
    pause(planned.lasts_s / 2)
    world.start_postgres()
    return int(ended)


@fault("postgres-stopped", "immediate stops")
def stopped(world: World, planned: Planned) -> int:
    return _end(world, signal.SIGQUIT, planned)


@fault("postgres-killed", "processes died")
def killed(world: World, planned: Planned) -> int:
    return _end(world, signal.SIGKILL, planned)


@fault("backends-killed", "sessions ended")
def backends_killed(world: World, planned: Planned) -> int:
    ended: list[int] = []

    def end_sessions() -> bool:
        ended.append(int(world.value(END_SESSIONS)))
        return ended[-1] > 0

    came_true(end_sessions, TIMEOUT_S)
    return sum(ended)


@fault("ddl-lock", "transactions that waited for the lock")
def ddl_lock(world: World, planned: Planned) -> int:
    with world.postgres() as connection, connection.transaction():
        connection.execute(b"SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.execute(b"LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        waited = came_true(lambda: world.value(WAITING), TIMEOUT_S)
        pause(planned.lasts_s)
    return int(waited)


@fault("serialization-failures", "transactions that could not be serialized")
def serialization_failures(world: World, planned: Planned) -> int:
    """The projectors' transactions become serializable, and somebody else touches the same rows all the time."""
    _, log = _server(world)
    before = _count(log)
    database = world.value("SELECT quote_ident(current_database())")
    world.do(SERIALIZABLE.format(database, "serializable"))
    try:
        world.value(END_SESSIONS)
        with world.postgres() as rival:

            def touch() -> bool:
                rival.execute(b"UPDATE stock SET available = available WHERE sale_id = %s", [SALE])
                return _count(log) > before

            came_true(touch, TIMEOUT_S)
    finally:
        world.do(SERIALIZABLE.format(database, "read committed"))
        world.value(END_SESSIONS)
    return _count(log) - before


def _count(log: Path) -> int:
    return log.read_bytes().count(b"could not serialize access")


@fault("poison", "events parked, and applied once it was mended")
def poison(world: World, planned: Planned) -> int:
    """Somebody adds a constraint that some orders do not meet; later it is dropped, and an operator retries."""
    most = 0

    def some_are_parked() -> bool:
        nonlocal most
        most = max(most, parked(world))
        return most > 0

    digit = int(planned.lot * 10)
    world.do(
        f"ALTER TABLE orders ADD CONSTRAINT poison CHECK (buyer NOT LIKE '%{digit}') NOT VALID",
    )
    try:
        came_true(some_are_parked, TIMEOUT_S)
        pause(planned.lasts_s)
        some_are_parked()
    finally:
        assert came_true(lambda: _drop(world), TIMEOUT_S), "the constraint cannot be dropped"
    retry_dead_letters(world)
    return most


def _drop(world: World) -> bool:
    try:
        world.do("ALTER TABLE orders DROP CONSTRAINT IF EXISTS poison")
    except AWAY:
        return False
    return True
