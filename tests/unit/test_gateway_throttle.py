"""How often one buyer may ask for new orders."""

from __future__ import annotations

import pytest

from flashsale.gateway import throttle
from flashsale.gateway.throttle import RECENT_MAX, Throttle


def asked(
    limit: Throttle, orders: int, *, buyer: str = "ada", now_s: float = 0.0, name: str = "order"
) -> list[int]:
    return [limit.wait_ms(buyer, f"{name}-{n}", now_s) for n in range(orders)]


def test_so_many_at_once_and_one_more_after_each_second() -> None:
    limit = Throttle(3)
    assert asked(limit, 4) == [0, 0, 0, 1_000]
    assert limit.wait_ms("ada", "late", 0.25) == 750
    assert limit.wait_ms("ada", "late", 1.0) == 0
    assert limit.wait_ms("ada", "more", 1.0) == 1_000
    assert asked(limit, 4, now_s=100, name="later") == [0, 0, 0, 1_000], "no more than at first"


def test_each_buyer_for_themselves() -> None:
    limit = Throttle(1)
    assert [asked(limit, 1, buyer=f"buyer-{n}") for n in range(100)] == [[0]] * 100


def test_the_newest_orders_again_are_no_clicks() -> None:
    limit = Throttle(10)
    for _ in range(100):
        assert asked(limit, RECENT_MAX) == [0] * RECENT_MAX
    assert asked(limit, 10 - RECENT_MAX + 1, name="more") == [0] * (10 - RECENT_MAX) + [1_000]


def test_without_a_limit() -> None:
    assert asked(Throttle(0), 1_000) == [0] * 1_000


def test_only_so_many_buyers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "BUYERS_MAX", 3)
    limit = Throttle(1)
    for buyer in ("ada", "bob", "cat"):
        assert asked(limit, 1, buyer=buyer) == [0]
    assert asked(limit, 2, buyer="ada", name="more") == [1_000, 1_000]
    assert asked(limit, 1, buyer="dan") == [0]
    assert asked(limit, 1, buyer="ada", name="again") == [1_000], "of whom was heard lately is kept"
    assert asked(limit, 1, buyer="bob", name="again") == [0], "of bob was heard longest ago"
