"""The doctor against servers that are well, that are not, and that do not tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import redis
from psycopg.conninfo import make_conninfo

from flashsale import doctor
from flashsale.doctor import Report, examine
from flashsale.errors import Halted, Unreachable
from flashsale.projections.database import Connection, connect
from flashsale.stream import Account, Log
from tests.integration.doctor_kit import finding


class StubLog(Log):
    """A Log whose server says what a test wants it to say."""

    def __init__(self, info: Mapping[str, Any], settings: Mapping[str, str]) -> None:
        super().__init__("redis://nowhere")
        self._info, self._settings = info, settings

    def server(self) -> Mapping[str, Any]:
        return self._info

    def setting(self, name: str) -> str | None:
        return self._settings.get(name)

    def loads_what_scripts_did(self) -> bool | None:
        return True

    def account(self) -> Account | None:
        return None

    def latency_ms(self) -> Mapping[str, int]:
        return {}


GOOD = {"redis_version": "7.0.15", "role": "master", "maxmemory_policy": "noeviction", "aof_enabled": 1}


def examined(database_url: str, info: Mapping[str, Any], settings: Mapping[str, str] | None = None) -> Report:
    """What the doctor says of a Redis like this, next to a good Postgres."""
    known = {"appendfsync": "always"} if settings is None else settings
    return examine(lambda: StubLog({**GOOD, **info}, known), lambda: connect(database_url))


class Server(NamedTuple):
    """Both servers of the tests."""

    redis_url: str
    database_url: str

    def log(self) -> Log:
        return Log(self.redis_url)

    def connection(self) -> Connection:
        return connect(self.database_url)


@pytest.fixture
def server(redis_url: str, database_url: str) -> Server:
    return Server(redis_url, database_url)


@pytest.fixture
def appendfsync(redis_url: str) -> Iterator[Callable[[str], None]]:
    """Change the policy of the real server for this test."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        before = client.config_get("append*")

        def change(policy: str) -> None:
            client.config_set("appendonly", "no" if policy == "off" else "yes")
            if policy != "off":
                client.config_set("appendfsync", policy)

        yield change
        for name in ("appendonly", "appendfsync"):
            client.config_set(name, before[name])


@pytest.mark.parametrize(
    ("policy", "level", "exit_code"),
    [("always", "D1", 0), ("everysec", "D0", 0), ("no", "none", 4), ("off", "none", 4)],
)
def test_the_durability_of_a_real_server(
    server: Server, appendfsync: Callable[[str], None], policy: str, level: str, exit_code: int
) -> None:
    appendfsync(policy)

    report = examine(server.log, server.connection)

    assert report.durability.name == level
    assert report.exit_code == exit_code
    assert finding(report, "log on disk").verdict == {"D1": "ok", "D0": "warn", "none": "fail"}[level]
    assert finding(report, "schema").verdict == finding(report, "clock").verdict == "ok"


def test_every_complaint_has_a_remedy(database_url: str) -> None:
    report = examined(
        database_url,
        {
            "redis_version": "6.2.1",
            "role": "slave",
            "maxmemory_policy": "allkeys-lru",
            "aof_last_write_status": "err",
        },
        {"appendfsync": "everysec"},
    )

    complaints = [check for check in report.checks if check.verdict != "ok"]
    assert [check.name for check in complaints][:5] == [
        "Redis",
        "role",
        "eviction",
        "last log write",
        "log on disk",
    ]
    assert all(check.remedy for check in complaints)


@pytest.mark.parametrize(
    ("info", "name", "verdict"),
    [
        ({"redis_version": "7.0.0"}, "Redis", "ok"),
        ({"redis_version": "6.2.14"}, "Redis", "fail"),
        ({"redis_version": "8.2.1"}, "Redis", "ok"),
        ({"server_name": "valkey", "valkey_version": "9.1.2", "redis_version": "7.2.4"}, "Valkey", "ok"),
        ({"server_name": "valkey", "valkey_version": "7.2.5", "redis_version": "7.2.4"}, "Valkey", "fail"),
        ({"role": "slave"}, "role", "fail"),
        ({"cluster_enabled": 1}, "cluster", "warn"),
        ({"maxmemory_policy": "volatile-lru"}, "eviction", "fail"),
        ({"maxmemory_policy": None}, "eviction", "warn"),
        ({"aof_last_write_status": "err"}, "last log write", "fail"),
        ({"server_time_usec": 1}, "clock", "warn"),
    ],
)
def test_what_redis_says_of_itself(database_url: str, info: dict[str, Any], name: str, verdict: str) -> None:
    assert finding(examined(database_url, info), name).verdict == verdict


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({"appendfsync": "always", "min-replicas-to-write": "1"}, doctor.D2),
        ({"appendfsync": "always", "min-replicas-to-write": "0"}, doctor.D1),
        ({"appendfsync": "everysec", "min-replicas-to-write": "1"}, doctor.D0),
        ({}, doctor.UNKNOWN),
    ],
)
def test_levels_of_durability(database_url: str, settings: dict[str, str], level: doctor.Level) -> None:
    report = examined(database_url, {}, settings)
    assert report.durability == level
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DELETE FROM schema_migrations", "lacks 0001"),
        ("INSERT INTO schema_migrations VALUES ('9999')", "has 9999 of a newer flashsale"),
    ],
)
def test_another_schema(database_url: str, change: str, found: str) -> None:
    with connect(database_url) as connection:
        connection.execute(change.encode())

    report = examined(database_url, {})

    assert finding(report, "schema").found.startswith(found)
    assert report.exit_code == 4


def test_a_database_of_another_encoding(postgres_url: str) -> None:
    with connect(postgres_url) as connection:
        connection.execute("CREATE DATABASE ascii_only TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'")
        try:
            report = examined(make_conninfo(postgres_url, dbname="ascii_only"), {})
        finally:
            connection.execute("DROP DATABASE ascii_only WITH (FORCE)")

    assert (finding(report, "encoding").verdict, finding(report, "encoding").found) == ("fail", "SQL_ASCII")
    assert report.exit_code == 4


def test_an_empty_database(empty_database_url: str) -> None:
    report = examined(empty_database_url, {})
    assert finding(report, "schema").remedy == "run `flashsale db migrate`"


def test_a_server_that_is_away_is_a_finding_and_the_other_is_looked_at(database_url: str) -> None:
    def away() -> Connection:
        raise Unreachable("Postgres cannot be reached: no route")

    without_redis = examine(lambda: Log("unix:///nowhere/redis.sock"), lambda: connect(database_url))
    without_postgres = examine(lambda: StubLog(GOOD, {"appendfsync": "always"}), away)

    assert finding(without_redis, "Redis").verdict == "unreachable"
    assert finding(without_redis, "schema").verdict == "ok"
    assert finding(without_postgres, "Postgres").found == "Postgres cannot be reached: no route"
    assert without_redis.exit_code == without_postgres.exit_code == 5


def test_what_is_no_matter_of_reach_is_not_hidden(database_url: str) -> None:
    def broken() -> Log:
        raise Halted("a fork")

    with pytest.raises(Halted):
        examine(broken, lambda: connect(database_url))
