"""reserve in a sale with a waiting room: every new order uses its buyer's pass, in the same step."""

from __future__ import annotations

import pytest

from tests.lua.kit import Shard
from tests.lua.room_kit import admit, admitted, crowd, open_room, set_room, words


@pytest.fixture
def shop(shard: Shard) -> Shard:
    """Two buyers have a pass: b0 and b1."""
    open_room(shard, rate_per_s=2)
    buyers = crowd(shard, 3)
    admit(shard)
    assert admitted(shard, *buyers) == ["b0", "b1"]
    return shard


def passes(shard: Shard) -> set[bytes]:
    """Who has one."""
    return set(shard.redis.zrange(shard.room_keys.passes, 0, -1))  # type: ignore[arg-type]  # a list


def test_without_a_pass_nothing_is_reserved(shop: Shard) -> None:
    head = shop.head()

    for buyer in ("b2", "stranger"):
        assert shop.reserve("0-order-a", buyer) == f"NO_PASS {head}"
    assert shop.head() == head


def test_a_pass_is_good_for_one_order(shop: Shard) -> None:
    assert shop.reserve("0-order-a", "b0").startswith("RESERVED")
    assert passes(shop) == {b"b1"}
    assert shop.reserve("0-order-b", "b0").startswith("NO_PASS")


def test_the_same_order_again_gets_the_same_answer_without_a_pass(shop: Shard) -> None:
    first = shop.reserve("0-order-a", "b0")

    assert shop.reserve("0-order-a", "b0") == f"{first} held"
    assert shop.reserve("0-order-a", "b0", quantity=2).startswith("CONFLICT")
    assert passes(shop) == {b"b1"}


def test_in_one_batch_too(shop: Shard) -> None:
    asked = [
        ("0-order-a", "b0"),
        ("0-order-b", "b2"),
        ("0-order-c", "b0"),
        ("0-order-d", "b1"),
        ("0-order-a", "b0"),
    ]

    result = shop.run("reserve", *(word for order, buyer in asked for word in (order, buyer, "A", 1)))

    assert result.words == ["RESERVED", "NO_PASS", "NO_PASS", "RESERVED", "RESERVED"]
    assert passes(shop) == set()


def test_a_pass_that_has_expired_is_none(shop: Shard) -> None:
    shop.redis.zadd(shop.room_keys.passes, {"b0": shop.now_ms() - 1})

    assert shop.reserve("0-order-a", "b0").startswith("NO_PASS")


@pytest.mark.parametrize(("sku", "quantity", "word"), [("A", 101, "SOLD_OUT"), ("B", 1, "UNKNOWN_SKU")])
def test_what_cannot_be_had_takes_no_pass_and_asks_for_none(
    shop: Shard, sku: str, quantity: int, word: str
) -> None:
    for buyer in ("b0", "stranger"):
        assert shop.reserve("0-order-a", buyer, sku, quantity).startswith(word)
    assert passes(shop) == {b"b0", b"b1"}


def test_the_limit_takes_no_pass(shop: Shard) -> None:
    shop.run("reconfigure", "-", "-", "-", "A", 1)

    assert shop.reserve("0-order-a", "b0", quantity=2).startswith("LIMIT")
    assert passes(shop) == {b"b0", b"b1"}


def test_who_passes_through_needs_none(shop: Shard) -> None:
    set_room(shop, mode="pass-through")

    assert shop.reserve("0-order-a", "stranger").startswith("RESERVED")
    assert shop.reserve("0-order-b", "b0").startswith("RESERVED")
    assert passes(shop) == {b"b0", b"b1"}


def test_queue_all_lets_those_shop_who_have_one(shop: Shard) -> None:
    set_room(shop, mode="queue-all")

    result = shop.run("reserve", "0-order-a", "b0", "A", 1, "0-order-b", "b2", "A", 1)

    assert [word.partition(" ")[0] for word in words(result.answers)] == ["RESERVED", "NO_PASS"]


def test_without_a_room_passes_are_nobodys_business(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.redis.set(shard.room_keys.passes, "foreign")

    assert shard.reserve("0-order-a").startswith("RESERVED")


def test_passes_of_another_type_stop_it_before_it_writes(shop: Shard) -> None:
    shop.damage("DEL", shop.room_keys.passes)
    shop.damage("SET", shop.room_keys.passes, "foreign")

    assert shop.error("reserve", "0-order-a", "b0", "A", 1).startswith("WRONGTYPE")


def test_what_is_paid_cancelled_or_refunded_needs_none(shop: Shard) -> None:
    shop.pay("0-order-a", "b0")
    assert shop.refund("0-order-a").startswith("REFUNDED")
    shop.reserve("0-order-b", "b1")
    assert shop.resolve("cancel", "0-order-b")[0].startswith("CANCELLED")
    assert passes(shop) == set()
