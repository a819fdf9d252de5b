"""The doctor's rules for Redis, each on a real server that is set so."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from flashsale.commands import Item, Load
from flashsale.doctor import Report, examine
from flashsale.errors import Unreachable
from flashsale.projections.database import connect
from flashsale.stream import Log
from tests.fixtures.disk import fsync_takes, needs_strace
from tests.fixtures.pair import Pair
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.redis_client import redis_client
from tests.helpers import free_port, wait_until
from tests.integration.client_kit import SALE, SKU, shop_on
from tests.integration.doctor_kit import finding, verdicts


@pytest.fixture
def server(clean_redis: redis.Redis, tmp_path: Path) -> Iterator[PrivateRedis]:
    """A Redis of the test's own, which nothing is wrong with."""
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        server.start("--maxmemory", "1gb")
        yield server


@pytest.fixture
def client(server: PrivateRedis) -> Iterator[redis.Redis]:
    """To set it up."""
    with redis_client(server.url) as client:
        yield client


def examined(redis_url: str, database_url: str, replicas: int = 0) -> Report:
    return examine(lambda: Log(redis_url), lambda: connect(database_url), replicas=replicas)


def test_a_server_that_is_well(server: PrivateRedis, database_url: str) -> None:
    report = examined(server.url, database_url)

    # A distribution's old branch is told, with its faults, and the tests' Postgres runs without fsync.
    complaints = {
        check.name
        for check in report.checks
        if check.verdict != "ok" and not check.name.startswith("Postgres ")
    }
    assert complaints - {"known holes", "log after a power cut"} == set()
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("settings", "name", "verdict", "found"),
    [
        ({"maxmemory": "0"}, "memory", "warn", "no maxmemory"),
        ({"maxmemory": "2mb"}, "memory", "warn", "of 2 MiB"),
        ({"maxmemory-policy": "volatile-ttl"}, "eviction", "fail", "volatile-ttl"),
        ({"appendonly": "no"}, "log on disk", "fail", "no log on disk"),
        ({"appendfsync": "everysec"}, "log on disk", "warn", "everysec"),
        ({"no-appendfsync-on-rewrite": "yes"}, "log on disk", "warn", "no-appendfsync-on-rewrite yes"),
        ({"aof-load-truncated": "no"}, "log after a crash", "warn", "aof-load-truncated no"),
        ({"save": "3600 1"}, "snapshots", "ok", "stop-writes-on-bgsave-error yes"),
        (
            {"save": "3600 1", "stop-writes-on-bgsave-error": "no"}, "snapshots", "warn",
            "stop-writes-on-bgsave-error no",
        ),
        ({"min-replicas-to-write": "1"}, "replicas", "fail", "0 of the 1"),
        ({"maxclients": "2"}, "clients", "warn", "2 of 2 connections"),
    ],
)  # fmt: skip
def test_a_setting(
    server: PrivateRedis,
    client: redis.Redis,
    database_url: str,
    *,
    settings: dict[str, str],
    name: str,
    verdict: str,
    found: str,
) -> None:
    if settings == {"maxmemory": "2mb"}:
        client.set("filling", "x" * 1_500_000)
    for setting, value in settings.items():
        client.config_set(setting, value)

    report = examined(server.url, database_url)

    assert finding(report, name).verdict == verdict
    assert found in finding(report, name).found
    assert bool(finding(report, name).remedy) == (verdict != "ok")
    assert report.exit_code == (4 if verdict == "fail" else 0)


def test_the_level_of_a_log_that_is_not_synced_while_it_is_rewritten(
    server: PrivateRedis, client: redis.Redis, database_url: str
) -> None:
    client.config_set("no-appendfsync-on-rewrite", "yes")

    level = examined(server.url, database_url).durability

    assert level.name == "D0"
    assert "30 s" in level.may_lose


def _is_rewritten(info: dict[str, Any]) -> bool:
    return bool(info["aof_rewrites"]) and not info["aof_rewrite_in_progress"]


def test_a_server_that_still_reads_its_log_is_no_server_without_one(
    clean_redis: redis.Redis, tmp_path: Path, database_url: str
) -> None:
    """Seen by torture: until it has read it, INFO says aof_enabled:0, and a daemon that began then refused for good."""
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        slow = ("--loading-process-events-interval-bytes", "1024", "--key-load-delay", "500000")
        server.start("--enable-debug-command", "yes", *slow)
        with redis_client(server.url) as client, socket.socket(socket.AF_UNIX) as debugger:
            client.mset({f"k{number}": os.urandom(4096) for number in range(20)})
            client.bgrewriteaof()
            wait_until(lambda: _is_rewritten(client.info("persistence")), description="the log is rewritten")
            debugger.connect(server.url.removeprefix("unix://"))
            debugger.sendall(b"DEBUG LOADAOF\r\n")
            wait_until(lambda: client.info("persistence")["loading"], description="it reads its log")

            with Log(server.url) as log, pytest.raises(Unreachable, match="Redis refuses to work: LOADING"):
                log.server()
            report = examined(server.url, database_url)
            assert client.info("persistence")["aof_enabled"] == 0
        server.kill()

    assert finding(report, "Redis").verdict == "unreachable"


def test_a_damaged_tail_that_would_be_dropped(
    server: PrivateRedis, client: redis.Redis, database_url: str
) -> None:
    if not client.config_get("aof-load-corrupt-tail-max-size"):
        pytest.skip("this server does not have the setting: Redis has it since 8.4")
    client.config_set("aof-load-corrupt-tail-max-size", "1000")

    found = finding(examined(server.url, database_url), "log after a crash")

    assert "drops what was acknowledged" in found.found


@pytest.mark.parametrize(
    "power", ["enable-debug-command", "enable-module-command", "enable-protected-configs"]
)
def test_powers_that_nobody_needs(
    clean_redis: redis.Redis, tmp_path: Path, database_url: str, power: str
) -> None:
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        server.start(f"--{power}", "yes")
        report = examined(server.url, database_url)

    assert (finding(report, "powers").verdict, finding(report, "powers").found) == ("warn", f"{power} yes")


def test_a_node_of_a_cluster(clean_redis: redis.Redis, tmp_path: Path, database_url: str) -> None:
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        server.start(
            "--cluster-enabled", "yes", "--port", str(free_port()), "--cluster-port", str(free_port())
        )
        assert verdicts(examined(server.url, database_url))["cluster"] == "warn"
        assert verdicts(examined(server.url, database_url, replicas=1))["cluster"] == "fail"


# ------------------------------------------------------------------------------------------------------- who gets in


def test_a_port_needs_a_password_and_users_of_few_rights(
    server: PrivateRedis, client: redis.Redis, database_url: str
) -> None:
    port = free_port()
    client.config_set("port", port)
    client.execute_command(
        "ACL", "SETUSER", "shop", "on", ">secret", "~fs:*", "+@read", "+@write", "+info", "+config|get", "+acl",
        "+latency",
    )  # fmt: skip
    client.execute_command("ACL", "SETUSER", "mute", "on", ">secret", "~fs:*", "+@all", "-acl", "-config")

    def access(login: str) -> dict[str, str]:
        found = verdicts(examined(f"redis://{login}127.0.0.1:{port}/0", database_url))
        return {name: found[name] for name in ("access", "rights", "encryption") if name in found}

    assert access("") == {"access": "warn", "rights": "warn", "encryption": "ok"}
    assert access("shop:secret@") == {"access": "ok", "rights": "ok", "encryption": "ok"}
    assert access("mute:secret@") == {"access": "ok", "encryption": "ok"}
    client.config_set("requirepass", "secret")
    assert access(":secret@") == {"access": "ok", "rights": "warn", "encryption": "ok"}


def test_a_server_that_hides_its_settings_gets_no_clean_bill_and_is_not_refused(
    server: PrivateRedis, client: redis.Redis, database_url: str
) -> None:
    client.execute_command("ACL", "SETUSER", "mute", "on", "nopass", "~*", "+@all", "-config", "-latency")

    report = examined(f"{server.url}?username=mute&password=any", database_url)

    assert report.durability.name == "unknown"
    hidden = {check.name for check in report.checks if "hidden" in check.found}
    assert hidden == {"log on disk", "log after a crash", "snapshots", "network"}
    assert {verdicts(report)[name] for name in hidden} == {"warn"}
    assert report.exit_code == 0


def test_a_port_without_protected_mode(server: PrivateRedis, client: redis.Redis, database_url: str) -> None:
    client.config_set("protected-mode", "no")
    assert "protected-mode" not in verdicts(examined(server.url, database_url)), "there is no port"

    client.config_set("port", free_port())

    assert verdicts(examined(server.url, database_url))["protected-mode"] == "warn"


def test_plain_text_to_another_machine(server: PrivateRedis, client: redis.Redis, database_url: str) -> None:
    port = free_port()
    client.config_set("port", port)

    # This machine, under a name that is not the loopback's.
    found = finding(examined(f"redis://0.0.0.0:{port}/0", database_url), "encryption")

    assert (found.verdict, found.found) == ("warn", "plain text to 0.0.0.0")
    assert Log("rediss://shop.example:6379").route.is_encrypted


# ---------------------------------------------------------------------------------------------- replicas, and the disk


def test_a_replica_that_nobody_waits_for(pair: Pair) -> None:
    def examine_master() -> Report:
        return examined(pair.master.redis_url, pair.master.postgres_url)

    assert verdicts(examine_master())["replicas"] == "warn"
    pair.master.redis.config_set("min-replicas-to-write", "1")
    assert verdicts(examine_master())["replicas"] == "ok"
    assert examine_master().durability.name == "D2"

    report = examined(pair.replica.url, pair.master.postgres_url)
    assert finding(report, "role").verdict == "fail"
    assert report.exit_code == 4


def test_replicas_that_are_waited_for(pair: Pair) -> None:
    def examine_master(replicas: int) -> Report:
        master = pair.master
        return examine(lambda: Log(master.redis_url), lambda: connect(master.postgres_url), replicas=replicas)

    enough, too_few = examine_master(1), examine_master(2)

    assert (enough.durability.name, enough.exit_code) == ("D2", 0)
    assert "a replica takes over" in enough.durability.may_lose
    assert finding(too_few, "replicas").found == "1 of the 2 that FLASHSALE_REPLICAS waits for"
    assert too_few.exit_code == 4


@needs_strace
def test_a_disk_that_is_slow(server: PrivateRedis, database_url: str, tmp_path: Path) -> None:
    with shop_on(server) as shop:
        shop.redis.config_set("latency-monitor-threshold", "100")
        assert verdicts(examined(server.url, database_url))["disk"] == "ok"
        with fsync_takes(shop.redis.info("server")["process_id"], tmp_path, delay_ms=1_200):
            shop.client.control(SALE, Load((Item(SKU, 10, 0),), hold_ms=60_000))

    found = finding(examined(server.url, database_url), "disk")
    assert found.verdict == "warn"
    assert "slowest write" in found.found


@pytest.mark.parametrize(
    ("rights", "verdict"),
    [(("-@all",), "fail"), (("-@all", "+@all", "resetkeys"), "fail"), (("~*", "+@all"), "ok")],
)
def test_the_user_as_which_redis_loads_its_log_must_be_able_to_write(
    server: PrivateRedis, client: redis.Redis, database_url: str, rights: tuple[str, ...], verdict: str
) -> None:
    client.execute_command("ACL", "SETUSER", "keeper", "on", ">secret", "~*", "&*", "+@all")
    client.execute_command("ACL", "SETUSER", "default", "off", *rights)

    report = examined(f"{server.url}?username=keeper&password=secret", database_url)

    check = finding(report, "log after a restart")
    assert check.verdict == verdict
    assert ("user default off" in check.remedy) == (verdict == "fail")
    assert report.exit_code == (4 if verdict == "fail" else 0)
