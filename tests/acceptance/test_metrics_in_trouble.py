"""Metrics while something is wrong: servers that are away or silent, logs that lost something, clients that hang."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flashsale.keys import shard_keys
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.acceptance.metrics_kit import AGAIN_S, ANY_PORT, exporter, orders, sell, stock
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until

EVENTS = shard_keys(SALE, 0).events
NO_REDIS = "unix:///nowhere/redis.sock"


def test_a_lost_log_has_neither_lag_nor_stock_and_other_sales_are_told(shop: Shop) -> None:
    shop.open()
    sell(shop, "other")
    shop.project()
    keys = list(shop.redis.scan_iter(match="fs:{drop:0}:*"))
    shop.redis.delete(*keys)

    seen = exporter(shop.cli).scrape()

    assert seen.of_shard("log_halted") == 1
    for name in ("projector_lag_events", "projector_lag_seconds", "log_events_total", "log_entries"):
        assert seen.of_shard(name) is None, name
    assert seen.of_shard("log_lost_events") == 3
    assert set(stock(seen).values()) == {None}
    assert seen.of_shard("log_halted", "other") == 0
    assert seen.of_shard("projector_lag_events", "other") is not None
    assert seen.of_shard("stock_units", "other", state="available") == 10


def test_a_log_that_lost_its_tail_tells_how_much(shop: Shop) -> None:
    shop.open()
    shop.execute(*orders(1, 2, 3))
    shop.project()
    shop.redis.delete(EVENTS)
    shop.redis.xadd(EVENTS, {"e": '["sale.paused",1,0,"x"]'}, id="1-5")

    seen = exporter(shop.cli).scrape()

    assert (seen.of_shard("log_halted"), seen.of_shard("log_lost_events")) == (1, 1)
    assert seen.of_shard("projector_lag_events") is None


def test_a_record_that_cannot_be_read_hides_no_other_sale(shop: Shop) -> None:
    sell(shop)
    sell(shop, "other")
    shop.redis.hset(shard_keys(SALE, 0).stock, SKU, "nonsense")

    seen = exporter(shop.cli).scrape()

    assert seen.get("look_success") == 0
    assert set(stock(seen).values()) == {None}
    assert seen.of_shard("projector_lag_events") == 3
    assert seen.of_shard("stock_units", "other", state="available") == 10


def test_without_redis_what_postgres_knows_is_told(shop: Shop) -> None:
    shop.open()
    shop.project()
    shop.cli.env["FLASHSALE_REDIS_URL"] = NO_REDIS

    seen = exporter(shop.cli).scrape()

    assert (seen.get("up", server="redis"), seen.get("up", server="postgres")) == (0, 1)
    assert seen.get("look_success") == 0
    assert seen.of_shard("projected_events_total") == 3
    for name in ("projector_lag_events", "log_halted", "log_entries"):
        assert seen.of_shard(name) is None, name


def test_without_postgres_the_sales_known_before_are_told(shop: Shop, postgres_proxy: Proxy) -> None:
    shop.open()
    shop.project()
    shop.cli.env["FLASHSALE_POSTGRES_URL"] = postgres_proxy.url
    served = exporter(shop.cli)
    assert served.scrape().of_shard("projector_lag_events") == 0
    postgres_proxy.behave(Mode.RESET)
    shop.execute(*orders(1))

    wait_until(lambda: served.scrape().get("up", server="postgres") == 0, AGAIN_S, "it is told")
    seen = served.scrape()

    assert seen.get("up", server="redis") == 1
    assert seen.of_shard("stock_units", state="available") == 9
    for name in ("projector_lag_events", "log_halted", "projector_leading", "dead_letter_events"):
        assert seen.of_shard(name) is None, name

    postgres_proxy.heal()
    wait_until(lambda: served.scrape().of_shard("projector_lag_events") == 1, AGAIN_S, "it goes on")


#: The other one answers all the time: from the first byte on, or in the middle of a look.
@pytest.mark.parametrize(
    ("server", "when"),
    [("redis", b""), ("redis", b"XINFO"), ("postgres", b""), ("postgres", b"FROM checkpoint")],
)
def test_a_server_that_is_silent_is_not_waited_for(
    shop: Shop, redis_proxy: Proxy, postgres_proxy: Proxy, server: str, when: bytes
) -> None:
    sell(shop)
    shop.cli.env |= {"FLASHSALE_REDIS_URL": redis_proxy.url, "FLASHSALE_POSTGRES_URL": postgres_proxy.url}
    proxy, other = (redis_proxy, "postgres") if server == "redis" else (postgres_proxy, "redis")
    served = exporter(shop.cli)
    proxy.behave(Mode.BLACK_HOLE, when=when)

    begun_s = time.monotonic()
    seen = served.scrape()
    taken_s = time.monotonic() - begun_s

    assert taken_s < 8
    assert seen.get("look_success") == 0
    assert seen.get("up", server=other) == 1
    wait_until(lambda: served.scrape().get("up", server=server) == 0, 20, "it is told")

    proxy.heal()
    wait_until(lambda: served.scrape().of_shard("projector_lag_events") == 3, 30, "it goes on")
    assert served.process.stop().exit_code == 0


def test_a_database_with_an_old_schema_is_up_and_the_look_fails(shop: Shop) -> None:
    shop.connection.execute("DELETE FROM schema_migrations")

    seen = exporter(shop.cli).scrape()

    assert seen.get("up", server="postgres") == 1
    assert seen.get("look_success") == 0


@pytest.mark.parametrize(
    "listen", ["9464", ":9464", "localhost:", "127.0.0.1:65536", "127.0.0.1:1e3", "a b:1", "::1:9"]
)
@pytest.mark.parametrize(
    "command", [("metrics", "run", "--listen"), ("sweeper", "run", "--metrics-listen")], ids=" ".join
)
def test_an_address_that_is_none_is_refused(shop: Shop, command: tuple[str, ...], listen: str) -> None:
    told = shop.refused(2, *command, listen).stderr
    assert command[-1] in told
    assert "HOST:PORT" in told


def test_a_port_that_is_taken_is_told(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in shop.refused(4, "metrics", "run", "--listen", f"127.0.0.1:{port}").stderr


@pytest.mark.parametrize("found", ["None", "type(sys)('prometheus_client')"], ids=["missing", "unreadable"])
@pytest.mark.parametrize(
    "command", [("metrics", "run"), ("projector", "run", "--metrics-listen", ANY_PORT)], ids=" ".join
)
def test_without_the_extra_the_remedy_is_told(tmp_path: Path, command: tuple[str, ...], found: str) -> None:
    """A package whose files this user may not read is found, and empty."""
    hidden = f"import sys; sys.modules['prometheus_client'] = {found}; from flashsale.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, *command],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "pip install 'flashsale[metrics]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_clients_that_say_nothing_keep_nobody_out_for_long(shop: Shop) -> None:
    served = exporter(shop.cli)
    host, port = served.url.removeprefix("http://").partition("/")[0].split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(20)]
    try:

        def is_answered() -> bool:
            try:
                return served.scrape().get("up", server="redis") == 1
            except OSError:
                return False

        wait_until(is_answered, 20, "the silent ones are hung up on")
    finally:
        for connection in silent:
            connection.close()
