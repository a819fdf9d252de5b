"""`flashsale gateway run`: many at once, and beside others who sell the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flashsale.commands import Reserve
from flashsale.gateway.sale_state import LOOK_EVERY_S
from flashsale.ids import derived_order_id
from tests.acceptance.gateway_kit import (
    SALES,
    Crowd,
    Front,
    a_buyer,
    as_buyer,
    http_request,
    running,
)
from tests.fixtures.redis_client import redis_client

RUSH = {"Idempotency-Key": "rush"}


def test_a_crowd_shares_calls_and_gets_exactly_what_there_is(front: Front, redis_url: str) -> None:
    crowd = 200
    content = b'{"sku":"few"}'
    with redis_client(redis_url) as redis, Crowd(front.url, crowd) as sockets:
        redis.config_resetstat()
        began_s = time.monotonic()

        statuses = sockets.ask(
            http_request("POST", "/v1/sales/drop/orders", content, as_buyer(a_buyer()) | RUSH)
            for _ in range(crowd)
        )

        looks = (time.monotonic() - began_s) / LOOK_EVERY_S + 2
        calls = redis.info("commandstats")["cmdstat_evalsha"]["calls"] - looks * len(SALES)
    assert sorted(statuses) == [201] * 10 + [409] * 190
    assert front.available("few") == 0
    assert calls < crowd / 2, "requests that wait together are decided together"


def test_what_other_clients_do_is_seen(front: Front) -> None:
    buyer = a_buyer()
    order_id = derived_order_id("drop", buyer, "cart-9")
    front.client.execute("drop", [Reserve(order_id, buyer, "phone", 3)])

    again = front.order(buyer=buyer, key="cart-9", quantity=3)

    assert again.json()["order"] == order_id
    assert again.headers["idempotency-replayed"] == "true"


def test_two_gateways_serve_one_sale(
    front: Front, redis_url: str, module_database_url: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    in_roles = pytestconfig.getoption("--roles")
    with running(tmp_path / "two", redis_url, module_database_url, in_roles=in_roles) as other:
        buyer = a_buyer()
        first, again = front.order(buyer=buyer, key="cart"), other.order(buyer=buyer, key="cart")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        assert other.ask(first.json()["order"], "cancel", as_buyer(buyer)).status_code == 200
        assert front.ask(first.json()["order"], "cancel", as_buyer(buyer)).json()["repeated"]
