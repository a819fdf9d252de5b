"""A gate that is open goes on looking at Redis, and tells what has changed, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis
from structlog.testing import capture_logs

from flashsale.doctor import Gate
from flashsale.errors import RefusedByState
from flashsale.projections.database import Connection, connect
from flashsale.stream import Log
from tests.fixtures.cast import as_user

CHANGED = ("maxmemory-policy", "appendonly", "appendfsync")


@pytest.fixture
def settings(clean_redis: redis.Redis) -> Iterator[redis.Redis]:
    """A Redis whose settings the test may change; they are put back afterwards."""
    before = {name: str(clean_redis.config_get(name)[name]) for name in CHANGED}
    with ExitStack() as put_back:
        for name, value in before.items():
            put_back.callback(clean_redis.config_set, name, value)
        yield clean_redis


@pytest.fixture
def steps() -> list[str]:
    return []


@pytest.fixture
def gate(settings: redis.Redis, redis_url: str, database_url: str, steps: list[str]) -> Gate:
    """A gate that looks before each step."""
    return Gate(
        lambda: steps.append("step"),
        lambda: Log(redis_url),
        lambda: connect(database_url),
        accepts_unsafe=False,
        look_every_s=0,
    )


def told(step: Callable[[], None]) -> list[tuple[str, str, str]]:
    with capture_logs() as logs:
        step()
    return [(entry["log_level"], entry["action"], entry["check"]) for entry in logs]


@pytest.mark.parametrize(
    ("unfit", "check"),
    [
        (("maxmemory-policy", "allkeys-lru"), "eviction"),
        (("appendonly", "no"), "log on disk"),
        (("appendfsync", "no"), "log on disk"),
    ],
)
def test_a_redis_that_becomes_unfit_is_told_once_and_worked_on(
    gate: Gate, settings: redis.Redis, steps: list[str], unfit: tuple[str, str], check: str
) -> None:
    settings.config_set("appendfsync", "always")
    before = settings.config_get(unfit[0])
    assert told(gate.step) == []

    settings.config_set(*unfit)
    assert told(gate.step) == [("error", "server_unsafe", check)]
    assert told(gate.step) == []
    settings.config_set(unfit[0], str(before[unfit[0]]))
    assert told(gate.step) == [("info", "server_fit", check)]
    assert told(gate.step) == []
    assert len(steps) == 5


def test_a_second_that_may_be_lost_from_now_on_is_a_warning(gate: Gate, settings: redis.Redis) -> None:
    settings.config_set("appendfsync", "always")
    gate.step()

    settings.config_set("appendfsync", "everysec")

    assert told(gate.step) == [("warning", "server_doubtful", "log on disk")]


def test_a_redis_that_is_away_at_a_later_look_is_for_the_step(
    settings: redis.Redis, redis_url: str, database_url: str, steps: list[str]
) -> None:
    urls = iter([redis_url, "redis://127.0.0.1:1"])
    gate = Gate(
        lambda: steps.append("step"),
        lambda: Log(next(urls)),
        lambda: connect(database_url),
        accepts_unsafe=False,
        look_every_s=0,
    )

    gate.step()
    gate.step()

    assert len(steps) == 2


def test_a_daemon_that_writes_nothing_needs_no_role_that_may(
    settings: redis.Redis, redis_url: str, database_url: str, steps: list[str]
) -> None:
    """A gateway, or a sweeper. `doctor` says it of projectors, and a projector finds it out by itself."""
    settings.config_set("appendfsync", "always")

    def read_only() -> Connection:
        connection = connect(database_url)
        connection.execute("SET default_transaction_read_only = on")
        return connection

    gate = Gate(lambda: steps.append("step"), lambda: Log(redis_url), read_only, accepts_unsafe=False)
    assert told(gate.step) == []
    assert steps == ["step"]


def test_a_redis_that_could_not_load_its_log_is_refused(
    gate: Gate, settings: redis.Redis, steps: list[str]
) -> None:
    settings.execute_command("ACL", "SETUSER", "default", "-zadd")
    try:
        with pytest.raises(RefusedByState, match="user default may not load it"):
            gate.step()
    finally:
        settings.execute_command("ACL", "SETUSER", "default", "+@all")
    gate.step()
    assert len(steps) == 1


def test_a_user_who_may_not_ask_redis_asks_once(
    settings: redis.Redis, redis_url: str, database_url: str, steps: list[str]
) -> None:
    """A gateway: each refusal stands in ACL LOG, where intruders are looked for."""
    settings.execute_command(
        "ACL", "SETUSER", "shop", "reset", "on", "nopass", "~*", "&*", "+@all", "-info", "-config"
    )
    settings.execute_command("ACL", "LOG", "RESET")
    gate = Gate(
        lambda: steps.append("step"),
        lambda: Log(as_user(redis_url, "shop")),
        lambda: connect(database_url),
        accepts_unsafe=False,
        look_every_s=0,
    )
    try:
        assert told(gate.step) == [("warning", "server_doubtful", "Redis")]
        assert told(gate.step) == []
        refused = settings.acl_log()
    finally:
        settings.execute_command("ACL", "DELUSER", "shop")
        settings.execute_command("ACL", "LOG", "RESET")

    assert steps == ["step", "step"]
    assert [(entry["object"], entry["count"]) for entry in refused] == [("info", 1)]
