"""`flashsale gateway run` at its start."""

from __future__ import annotations

import socket
from pathlib import Path

import redis

from flashsale.ids import derived_order_id
from flashsale.projections.database import connect
from tests.acceptance.conftest import assert_one_sentence
from tests.acceptance.gateway_kit import NEW_SECRET, UNITS, as_service, prepare, problem, running, started
from tests.fixtures.processes import Cli
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until


def test_it_sells_nothing_before_postgres_has_told_the_fences(
    redis_url: str, clean_redis: redis.Redis, postgres_proxy: Proxy, database_url: str, tmp_path: Path
) -> None:
    prepare(redis_url, database_url)
    with connect(database_url) as connection:
        # As a projector would have it, at a place to which this Redis never came: the rest of its log was lost.
        connection.execute("UPDATE checkpoint SET epoch = 1, seq = 1000 WHERE sale_id = 'drop'")
    postgres_proxy.behave(Mode.RESET)
    with started(tmp_path / "home", redis_url, postgres_proxy.url, in_roles=True) as front:
        assert front.http.get("/healthz").status_code == 200
        problem(front.http.get("/readyz"), 503, "unavailable")
        problem(front.order(), 503, "unavailable")

        postgres_proxy.heal()

        wait_until(lambda: front.http.get("/readyz").status_code == 200, 20, "it is ready")
        problem(front.order(), 503, "halted")
        assert front.available() == UNITS


def test_it_tells_nobody_of_an_order_before_a_replica_has_it(
    redis_url: str, clean_redis: redis.Redis, database_url: str, tmp_path: Path
) -> None:
    """Nor that there is one, or what became of it."""
    prepare(redis_url, database_url)
    more = {"FLASHSALE_REPLICAS": "1", "FLASHSALE_REPLY_TIMEOUT_MS": "1000"}
    with running(tmp_path / "home", redis_url, database_url, in_roles=True, **more) as front:
        for _ in range(2):
            problem(front.order(buyer="ann", key="cart-1"), 503, "unknown-outcome")
        order = derived_order_id("drop", "ann", "cart-1")
        assert front.client.order("drop", order) is not None
        problem(front.ask(order, "confirm", as_service()), 503, "unknown-outcome")
        told = front.http.get(f"/v1/sales/drop/orders/{order}", headers=as_service())
        problem(told, 503, "unavailable")


def test_it_does_not_start_where_somebody_listens(cli: Cli) -> None:
    cli.env["FLASHSALE_GATEWAY_KEYS"] = NEW_SECRET
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = cli.run("gateway", "run", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.exit_code == 4
    assert_one_sentence(done)
