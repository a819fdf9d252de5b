"""`flashsale gateway run`: killed in the middle of a rush. Nothing that was acknowledged is lost, and retries agree."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import redis

from tests.acceptance.gateway_kit import UNITS, a_buyer, as_buyer, prepare, running
from tests.helpers import wait_until

BUYERS, AT_ONCE, TOLD_BEFORE_THE_KILL = 300, 16, 75

Told = dict[str, httpx.Response]


def order(http: httpx.Client, buyer: str, told: Told) -> None:
    """One order of this buyer, always by the same key. Whoever gets no answer is not among those who were told."""
    headers = as_buyer(buyer) | {"Idempotency-Key": "cart-1"}
    with suppress(httpx.TransportError):
        told[buyer] = http.post("/v1/sales/drop/orders", json={"sku": "phone"}, headers=headers)


def test_a_kill_loses_no_acknowledged_order_and_retries_agree(
    redis_url: str, clean_redis: redis.Redis, database_url: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    prepare(redis_url, database_url)
    buyers = [a_buyer() for _ in range(BUYERS)]
    in_roles = pytestconfig.getoption("--roles")
    first: Told = {}
    again: Told = {}
    with (
        running(tmp_path / "killed", redis_url, database_url, in_roles=in_roles) as front,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        for buyer in buyers:
            pool.submit(order, front.http, buyer, first)
        wait_until(lambda: len(first) >= TOLD_BEFORE_THE_KILL, 30, "some are told")
        front.process.send(signal.SIGKILL)
    assert {answer.status_code for answer in first.values()} == {201}
    assert TOLD_BEFORE_THE_KILL <= len(first) < BUYERS, "some got no answer"

    with running(tmp_path / "next", redis_url, database_url, in_roles=in_roles) as front:
        held = UNITS - front.available()
        assert held >= len(first)
        for buyer, answer in first.items():
            kept = front.client.order("drop", answer.json()["order"])
            assert kept is not None
            assert (kept.buyer, kept.status) == (buyer, "held")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for buyer in buyers:
                pool.submit(order, front.http, buyer, again)

        assert {answer.status_code for answer in again.values()} == {201}
        assert len(again) == BUYERS
        replayed = {buyer for buyer, answer in again.items() if "idempotency-replayed" in answer.headers}
        assert {buyer: again[buyer].json() for buyer in first} == {
            buyer: answer.json() for buyer, answer in first.items()
        }
        assert set(first) <= replayed
        assert len(replayed) == held, "what was held and not told is told now, and nothing was held twice"
        assert UNITS - front.available() == BUYERS
