"""Servers that are away, go away, or are not what this program expects: exit code 5 or 4, and a sentence."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from flashsale.commands import Reserve
from flashsale.projections.database import connect
from flashsale.projections.migrate import migrate
from flashsale.scripts import script, script_names
from tests.acceptance.conftest import SALE, SKU, Shop, assert_one_sentence
from tests.fixtures.places import server_home
from tests.fixtures.processes import Cli
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until

ORDER = "0-aaaaaaaa"
NO_REDIS = "unix:///nowhere/redis.sock"
NO_POSTGRES = "postgresql:///flashsale?host=/nowhere"

READING = [
    ("sale", "list"),
    ("sale", "show", SALE),
    ("sale", "watch", SALE),
    ("order", "show", SALE, ORDER),
    ("events", "tail", SALE),
    ("events", "tail", SALE, "--follow"),
    ("events", "show", SALE, "1"),
    ("events", "export", SALE),
    ("projector", "status"),
]
WRITING = [
    ("sale", "open", SALE),
    ("sale", "restock", SALE, SKU, "+1"),
    ("sale", "reconfigure", SALE, "--hold", "90s"),
    ("order", "reserve", SALE, SKU, "--buyer", "ada"),
    ("order", "confirm", SALE, ORDER),
]


@pytest.mark.parametrize("args", [*READING, *WRITING], ids=" ".join)
def test_without_redis(shop: Shop, args: tuple[str, ...]) -> None:
    shop.open()
    shop.cli.env["FLASHSALE_REDIS_URL"] = NO_REDIS

    assert "Redis cannot be reached" in shop.refused(5, *args).stderr


@pytest.mark.parametrize(
    "args", [READING[0], *WRITING[3:], ("db", "status"), ("db", "migrate")], ids=" ".join
)
def test_without_postgres(shop: Shop, args: tuple[str, ...]) -> None:
    shop.open()
    shop.cli.env["FLASHSALE_POSTGRES_URL"] = NO_POSTGRES

    assert "Postgres cannot be reached" in shop.refused(5, *args).stderr


@pytest.mark.parametrize("daemon", ["projector", "sweeper"])
def test_a_daemon_waits_for_servers_that_are_away(shop: Shop, daemon: str) -> None:
    shop.cli.env["FLASHSALE_REDIS_URL"] = NO_REDIS
    shop.open()
    running = shop.cli.start(daemon, "run")
    running.wait_for_output("daemon_degraded")

    assert running.stop().exit_code == 0


@pytest.mark.parametrize("args", WRITING[:1] + WRITING[3:], ids=" ".join)
def test_a_lost_reply_is_told_as_unknown_with_the_way_to_find_out(
    shop: Shop, redis_proxy: Proxy, args: tuple[str, ...]
) -> None:
    shop.warm() if args[1] == "open" else shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU))
    before = shop.log_length()
    lose_the_next_reply(shop, redis_proxy)

    done = shop.cli.run(*args, "--order", "0-bbbbbbbb") if args[1] == "reserve" else shop.cli.run(*args)

    assert done.exit_code == 5
    assert_one_sentence(done)
    assert "this may or may not have been done" in done.stderr
    assert shop.log_length() == before + 1, "it was done: nothing was sent twice"
    if args[1] == "reserve":
        assert "--order 0-bbbbbbbb" in done.stderr
        again = shop.cli.ok(*args, "--order", "0-bbbbbbbb", "--json")
        assert again.json()["repeated"] is True


def lose_the_next_reply(shop: Shop, proxy: Proxy) -> None:
    for name in script_names():  # else the reply that is lost says that the script is unknown
        shop.redis.script_load(script(name).source)
    proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
    shop.cli.env["FLASHSALE_REDIS_URL"] = proxy.url


def test_a_new_order_whose_reply_was_lost_can_be_asked_for_again(shop: Shop, redis_proxy: Proxy) -> None:
    shop.open()
    lose_the_next_reply(shop, redis_proxy)

    lost = shop.cli.run("order", "reserve", SALE, SKU, "--buyer", "ada")
    order_id = lost.stderr.partition("--order ")[2].partition(":")[0]
    again = shop.finished("order", "reserve", SALE, SKU, "--buyer", "ada", "--order", order_id)

    assert lost.exit_code == 5
    assert again.stdout.strip() == order_id
    assert shop.log_length() == 4, "one reservation"


def test_redis_that_dies_under_a_follower_ends_it_with_a_sentence(shop: Shop, redis_proxy: Proxy) -> None:
    shop.open()
    shop.cli.env["FLASHSALE_REDIS_URL"] = redis_proxy.url
    following = shop.cli.start("events", "tail", SALE, "--follow")
    following.wait_for_output("sale.opened")

    redis_proxy.behave(Mode.RESET)

    done = following.wait()
    assert done.exit_code == 5
    assert_one_sentence(done)


@pytest.mark.parametrize("server", ["Redis", "Postgres"])
def test_watch_waits_out_a_server_that_is_away(shop: Shop, proxies: dict[str, Proxy], server: str) -> None:
    shop.open()
    watching = shop.cli.start("sale", "watch", SALE, "--interval", "10ms")
    watching.wait_for_output("available 10")

    proxies[server].behave(Mode.RESET)
    watching.wait_for_output(f"{server} is away; waiting for it. ({server}")
    shop.execute(Reserve(ORDER, "ada", SKU))
    proxies[server].behave(Mode.PASS)

    watching.wait_for_output("available 9")
    watching.wait_for_output(f"{server} is back.")
    proxies[server].behave(Mode.RESET)
    wait_until(lambda: watching.stderr.count("is away") == 2, 10, "the second absence is told")
    watching.send(signal.SIGINT)
    done = watching.wait()
    assert done.exit_code == 130
    assert len(done.stderr.splitlines()) == 3, done.stderr


def test_watch_with_a_count_ends_while_a_server_is_away(shop: Shop, proxies: dict[str, Proxy]) -> None:
    shop.open()
    watching = shop.cli.start("sale", "watch", SALE, "--interval", "1s", "--count", "3")
    watching.wait_for_output("available 10")

    proxies["Redis"].behave(Mode.RESET)

    done = watching.wait()
    assert done.exit_code == 5
    assert "Redis is away" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: Redis")


@pytest.fixture
def proxies(shop: Shop, redis_proxy: Proxy, postgres_proxy: Proxy) -> dict[str, Proxy]:
    """The shop's servers behind a network that can be cut."""
    shop.cli.env |= {"FLASHSALE_REDIS_URL": redis_proxy.url, "FLASHSALE_POSTGRES_URL": postgres_proxy.url}
    return {"Redis": redis_proxy, "Postgres": postgres_proxy}


@pytest.mark.parametrize(
    "args",
    [("sale", "list"), ("order", "reserve", SALE, SKU, "--buyer", "ada"), ("events", "export", SALE)],
    ids=" ".join,
)
def test_postgres_that_goes_away_in_the_middle(
    shop: Shop, postgres_proxy: Proxy, args: tuple[str, ...]
) -> None:
    shop.open()
    postgres_proxy.behave(Mode.RESET, when=b"FROM sales")
    shop.cli.env["FLASHSALE_POSTGRES_URL"] = postgres_proxy.url

    done = shop.refused(5, *args)

    assert postgres_proxy.counts.resets > 0
    assert "Postgres" in done.stderr


@pytest.fixture
def killable_servers(cli: Cli) -> Iterator[Cli]:
    """Private servers in a directory of their own, which a test may kill."""
    with server_home() as home:
        cli.env["FLASHSALE_DATA_DIR"] = str(home / "dev")
        yield cli
        cli.ok("dev", "destroy", "--yes")


def test_private_servers_that_were_killed_come_back_with_the_next_command(
    killable_servers: Cli,
) -> None:
    cli = killable_servers
    (cli.home / "drop.toml").write_text(cli.ok("sale", "example").stdout, encoding="utf-8")
    cli.ok("sale", "define", "drop.toml")
    cli.ok("sale", "warm", "mega-drop")
    cli.ok("sale", "open", "mega-drop")
    order_id = cli.ok("order", "reserve", "mega-drop", "phone-15", "--buyer", "ada").stdout.strip()

    for server in cli.ok("dev", "status", "--json").json()["servers"]:
        os.kill(server["pid"], signal.SIGKILL)

    shown = cli.ok("order", "show", "mega-drop", order_id, "--json").json()
    assert shown["status"] == "held", "what was acknowledged is there"


# ------------------------------------------------------------------------------------------------- another schema


@pytest.fixture
def unmigrated(connected_cli: Cli, empty_database_url: str) -> Cli:
    """The command on a database without tables."""
    connected_cli.env["FLASHSALE_POSTGRES_URL"] = empty_database_url
    return connected_cli


def test_a_database_without_tables_is_told_and_migrated(unmigrated: Cli) -> None:
    for args in (
        ("sale", "list"),
        ("order", "confirm", SALE, ORDER),
        ("projector", "run"),
        ("projector", "status"),
    ):
        done = unmigrated.run(*args)
        assert done.exit_code == 4
        assert "run `flashsale db migrate`" in done.stderr.splitlines()[-1]
    assert unmigrated.run("db", "status").exit_code == 4

    assert "Applied " in unmigrated.ok("db", "migrate").stderr
    assert "up to date" in unmigrated.ok("db", "migrate").stderr
    assert unmigrated.ok("db", "status", "--json").json()["missing"] == []
    unmigrated.ok("sale", "list")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("INSERT INTO schema_migrations VALUES ('9999')", "made by a newer flashsale: upgrade this one"),
        ("DELETE FROM schema_migrations", "flashsale db migrate"),
    ],
)
def test_an_older_or_newer_schema_is_refused(shop: Shop, change: str, sentence: str) -> None:
    shop.open()
    shop.connection.execute(change.encode())

    for args in (
        ("sale", "list"),
        ("order", "reserve", SALE, SKU, "--buyer", "ada"),
        ("sale", "define", "drop.toml"),
    ):
        if args[1] == "define":
            (shop.cli.home / "drop.toml").write_text(
                shop.finished("sale", "example").stdout, encoding="utf-8"
            )
        assert sentence in shop.refused(4, *args).stderr
    status = shop.cli.run("db", "status")
    assert status.exit_code == 4
    running = shop.cli.run("projector", "run")
    assert running.exit_code == 4
    assert sentence in running.stderr


def test_migrations_are_not_applied_over_a_newer_schema(unmigrated: Cli, empty_database_url: str) -> None:
    migrate(empty_database_url)
    with connect(empty_database_url) as connection:
        connection.execute(b"INSERT INTO schema_migrations VALUES ('9999')")

    done = unmigrated.run("db", "migrate")

    assert done.exit_code == 4
    assert "9999, made by a newer flashsale" in done.stderr


def test_what_a_newer_flashsale_only_added_stops_nobody(shop: Shop) -> None:
    shop.open()
    shop.connection.execute(b"INSERT INTO schema_migrations VALUES ('0099')")

    shop.finished("order", "reserve", SALE, SKU, "--buyer", "ada")
    assert "harmless" in shop.finished("db", "status").stdout
    assert "up to date" in shop.finished("db", "migrate", "--contract").stderr
