"""The doctor's rules for Postgres, each on a real server that is set so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flashsale.doctor import Report, examine
from flashsale.projections.database import Connection, connect
from flashsale.stream import Log
from tests.fixtures.own_servers import own_servers
from tests.fixtures.private_postgres import PrivatePostgres
from tests.fixtures.servers import private_binaries
from tests.integration.doctor_kit import finding, verdicts


@pytest.fixture(scope="module")
def server(pytestconfig: pytest.Config) -> Iterator[PrivatePostgres]:
    """A Postgres with the schema; stopped."""
    with own_servers(*private_binaries(pytestconfig)) as servers:
        yield PrivatePostgres.of(servers)


def examined(redis_url: str, port: int, user: str = "flashsale", host: str = "127.0.0.1") -> Report:
    url = f"postgresql://{user}@{host}:{port}/flashsale?sslmode=disable"
    return examine(lambda: Log(redis_url), lambda: connect(url))


def test_rights_and_encryption(server: PrivatePostgres, redis_url: str) -> None:
    with server.running() as port:
        with connect(f"postgresql://flashsale@127.0.0.1:{port}/flashsale") as connection:
            connection.execute("CREATE ROLE seller LOGIN IN ROLE pg_read_all_data")
            connection.execute("CREATE ROLE reader LOGIN IN ROLE pg_read_all_data")
            connection.execute("ALTER ROLE reader SET default_transaction_read_only = on")
        by_superuser = examined(redis_url, port)
        by_role = examined(redis_url, port, "seller")
        by_reader = examined(redis_url, port, "reader")
        from_afar = examined(redis_url, port, host="0.0.0.0")  # noqa: S104 - this machine, by no loopback name

    assert verdicts(by_superuser)["Postgres rights"] == "warn"
    assert verdicts(by_role)["Postgres rights"] == "ok"
    assert by_role.exit_code == 0
    assert verdicts(by_reader)["Postgres role"] == "warn"
    assert verdicts(by_role)["Postgres encryption"] == "ok"
    assert finding(from_afar, "Postgres encryption").found == "plain text to 0.0.0.0"
    assert finding(from_afar, "Postgres encryption").verdict == "warn"


def test_room_for_connections(server: PrivatePostgres, redis_url: str) -> None:
    with server.running("max_connections=10", "max_wal_senders=0") as port:
        url = f"postgresql://flashsale@127.0.0.1:{port}/flashsale"
        alone = examined(redis_url, port)
        others: list[Connection] = [connect(url) for _ in range(5)]
        report = examined(redis_url, port)
        for other in others:
            other.close()

    assert verdicts(alone)["Postgres connections"] == "ok"
    found = finding(report, "Postgres connections")
    assert (found.verdict, found.found) == ("warn", "6 of 7 connections")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_disk_that_is_not_waited_for(server: PrivatePostgres, redis_url: str, setting: str) -> None:
    with server.running() as port:
        assert verdicts(examined(redis_url, port))["Postgres disk"] == "ok"
    with server.running(f"{setting}=off") as port:
        found = finding(examined(redis_url, port), "Postgres disk")
    assert (found.verdict, found.found) == ("warn", f"{setting} off")


def test_commits_that_are_not_waited_for(database_url: str, redis_url: str) -> None:
    def without_its_options() -> Connection:
        connection = connect(database_url)
        connection.execute(
            "SET synchronous_commit = off"
        )  # what is left when a pooler drops what it does not know
        return connection

    assert verdicts(examine(lambda: Log(redis_url), lambda: connect(database_url)))["Postgres commit"] == "ok"
    report = examine(lambda: Log(redis_url), without_its_options)
    assert verdicts(report)["Postgres commit"] == "warn"


@pytest.mark.parametrize(("switch", "verdict"), [("--disable", "warn"), ("--enable", "ok")])
def test_checksums(server: PrivatePostgres, redis_url: str, switch: str, verdict: str) -> None:
    with server.running() as port:
        is_on = verdicts(examined(redis_url, port))["Postgres checksums"] == "ok"
    if is_on != (switch == "--enable"):
        server.do("pg_checksums", "--no-sync", switch)
    with server.running() as port:
        assert verdicts(examined(redis_url, port))["Postgres checksums"] == verdict


def test_a_standby(server: PrivatePostgres, redis_url: str) -> None:
    signal_file = server.data_dir / "standby.signal"
    signal_file.touch()
    try:
        with server.running() as port:
            report = examined(redis_url, port)
    finally:
        signal_file.unlink()

    assert (finding(report, "Postgres role").verdict, finding(report, "Postgres role").found) == (
        "fail",
        "standby",
    )
    assert report.exit_code == 4
