"""Daemons begin only on servers that lose nothing, unless somebody says that others will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis

from flashsale.commands import Reserve
from tests.acceptance.conftest import SKU, Shop, assert_one_sentence
from tests.fixtures.cast import as_user
from tests.fixtures.own_servers import own_servers
from tests.fixtures.private_postgres import PrivatePostgres
from tests.fixtures.servers import private_binaries
from tests.helpers import wait_until

DAEMONS = pytest.mark.parametrize("daemon", ["projector", "sweeper"])
WORKS = {"projector": "shard_started", "sweeper": "daemon_started"}
CHANGED = ("maxmemory-policy", "appendonly", "appendfsync")


@pytest.fixture
def unfit(shop: Shop) -> Iterator[Shop]:
    """A shop with a sale, whose Redis the test may set up badly; it is put right afterwards."""
    shop.open()
    before = {name: str(shop.redis.config_get(name)[name]) for name in CHANGED}
    yield shop
    shop.redis.replicaof("NO", "ONE")
    for name, value in before.items():
        shop.redis.config_set(name, value)


def evicts(server: redis.Redis) -> None:
    server.config_set("maxmemory-policy", "allkeys-lru")


def keeps_nothing(server: redis.Redis) -> None:
    server.config_set("appendonly", "no")


def never_syncs(server: redis.Redis) -> None:
    server.config_set("appendfsync", "no")


def follows(server: redis.Redis) -> None:
    server.replicaof("127.0.0.1", "1")


@DAEMONS
@pytest.mark.parametrize(
    ("break_it", "remedy"),
    [
        (evicts, "eviction: allkeys-lru: set maxmemory-policy noeviction"),
        (keeps_nothing, "set appendonly yes and appendfsync always"),
        (never_syncs, "set appendonly yes and appendfsync always"),
        (follows, "this is a replica and refuses writes: name its primary"),
    ],
)
def test_a_redis_that_loses_orders(
    unfit: Shop, break_it: Callable[[redis.Redis], None], remedy: str, daemon: str
) -> None:
    break_it(unfit.redis)

    done = unfit.cli.run(daemon, "run", "--log-level", "error")

    assert done.exit_code == 4
    assert_one_sentence(done)
    assert remedy in done.stderr
    assert "--accept-unsafe-servers" in done.stderr


@DAEMONS
@pytest.mark.parametrize("is_option", [True, False])
def test_who_accepts_it_is_warned(unfit: Shop, daemon: str, *, is_option: bool) -> None:
    evicts(unfit.redis)
    if not is_option:
        unfit.cli.env["FLASHSALE_UNSAFE_SERVERS"] = "accept"

    running = unfit.cli.start(daemon, "run", *(["--accept-unsafe-servers"] if is_option else []))
    running.wait_for_output("server_unsafe")
    running.wait_for_output(WORKS[daemon])

    assert running.stop().exit_code == 0


def test_a_second_that_may_be_lost_is_told_and_no_reason_to_refuse(unfit: Shop) -> None:
    unfit.redis.config_set("appendfsync", "everysec")

    running = unfit.cli.start("projector", "run")
    running.wait_for_output("server_doubtful")
    running.wait_for_output("shard_started")

    assert running.stop().exit_code == 0


@pytest.mark.parametrize("hidden", [("-config",), ("-config", "-info")])
def test_a_server_that_hides_its_settings_is_no_reason_to_refuse(
    unfit: Shop, redis_url: str, hidden: tuple[str, ...]
) -> None:
    unfit.redis.execute_command(
        "ACL", "SETUSER", "managed", "reset", "on", "nopass", "~*", "&*", "+@all", *hidden
    )
    unfit.cli.env["FLASHSALE_REDIS_URL"] = as_user(redis_url, "managed")
    try:
        running = unfit.cli.start("projector", "run")
        running.wait_for_output("server_doubtful")
        running.wait_for_output("shard_started")
        assert running.stop().exit_code == 0
        doctor = unfit.finished("doctor")
    finally:
        unfit.redis.execute_command("ACL", "DELUSER", "managed")
        unfit.redis.acl_log_reset()  # of what was hidden from it
    assert "hidden" in doctor.stdout
    assert "durability: unknown" in doctor.stdout


def test_a_redis_that_becomes_unfit_later_is_for_the_doctor(unfit: Shop) -> None:
    running = unfit.cli.start("projector", "run")
    running.wait_for_output("shard_started")
    evicts(unfit.redis)
    unfit.execute(Reserve("0-aaaaaaaa", "ada", SKU))

    wait_until(
        lambda: unfit.connection.execute("SELECT 1 FROM orders").fetchone(), 20, "the projector goes on"
    )
    assert running.stop().exit_code == 0


@DAEMONS
def test_a_standby(shop: Shop, pytestconfig: pytest.Config, daemon: str) -> None:
    with own_servers(*private_binaries(pytestconfig)) as servers:
        postgres = PrivatePostgres.of(servers)
        (postgres.data_dir / "standby.signal").touch()
        with postgres.running() as port:
            shop.cli.env["FLASHSALE_POSTGRES_URL"] = f"postgresql://flashsale@127.0.0.1:{port}/flashsale"
            done = shop.cli.run(daemon, "run", "--log-level", "error")

    assert done.exit_code == 4
    assert "this is a standby and refuses writes: name its primary" in done.stderr
