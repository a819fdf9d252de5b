"""Every way in which one store may differ from the log is named, with what all three say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsale.errors import Halted
from flashsale.reconcile import Drift
from tests.integration.reconcile_kit import SKU, Books

#: Changes one store; returns the one drift that must be found.
Damage = Callable[[Books], Drift]


# --------------------------------------------------------------------------------------------------------- in Redis


def redis_stock(books: Books) -> Drift:
    stock = books.state.stock[SKU]
    counters = f"{stock.available + 1} {stock.held} {stock.sold} {stock.returned} {stock.limit}"
    books.side.redis.hset(books.keys.stock, SKU, counters)
    more = books.stock(available=stock.available + 1, capacity=stock.capacity + 1)
    return Drift("stock", SKU, books.stock(), more, books.stock())


def redis_order_changed(books: Books) -> Drift:
    books.side.redis.hset(
        books.keys.orders, books.paid, books.record(books.paid).replace("confirmed", "refunded")
    )
    order = books.order(books.paid)
    return Drift("order", books.paid, order, books.order(books.paid, status="refunded"), order)


def redis_order_missing(books: Books) -> Drift:
    books.side.redis.hdel(books.keys.orders, books.paid)
    return Drift("order", books.paid, books.order(books.paid), None, books.order(books.paid))


def redis_order_too_many(books: Books) -> Drift:
    books.side.redis.hset(books.keys.orders, "0-from-nowhere", books.record(books.paid))
    return Drift("order", "0-from-nowhere", None, books.order(books.paid), None)


def redis_units_changed(books: Books) -> Drift:
    holder = f"{books.state.orders[books.paid].buyer} {SKU}"
    books.side.redis.hincrby(books.keys.buyers, holder, 1)
    return Drift("units", holder, "1", "2", "1")


def redis_units_missing(books: Books) -> Drift:
    holder = f"{books.state.orders[books.paid].buyer} {SKU}"
    books.side.redis.hdel(books.keys.buyers, holder)
    return Drift("units", holder, "1", None, "1")


def redis_units_too_many(books: Books) -> Drift:
    books.side.redis.hset(books.keys.buyers, f"nobody {SKU}", 3)
    return Drift("units", f"nobody {SKU}", None, "3", None)


def redis_hold_missing(books: Books) -> Drift:
    books.side.redis.zrem(books.keys.holds, books.held)
    until_ms = str(books.state.orders[books.held].hold_until_ms)
    return Drift("hold", books.held, until_ms, None, until_ms)


def redis_hold_too_many(books: Books) -> Drift:
    books.side.redis.zadd(books.keys.holds, {books.paid: 12345})
    return Drift("hold", books.paid, None, "12345", None)


def redis_hold_at_another_time(books: Books) -> Drift:
    books.side.redis.zadd(books.keys.holds, {books.held: 9_999_999_999_999})
    until_ms = str(books.state.orders[books.held].hold_until_ms)
    return Drift("hold", books.held, until_ms, "9999999999999", until_ms)


def redis_limit(books: Books) -> Drift:
    record = str(books.side.redis.hget(books.keys.stock, SKU))
    books.side.redis.hset(books.keys.stock, SKU, record.rpartition(" ")[0] + " 0")
    return Drift("sale", f"limit {SKU}", "7", "0", "7")


def redis_state(books: Books) -> Drift:
    books.side.redis.hset(books.keys.sale, "state", "closed")
    return Drift("sale", "status", "open", "closed", "open")


def redis_hold_time(books: Books) -> Drift:
    books.side.redis.hset(books.keys.sale, "hold_ms", 1_000)
    return Drift("sale", "hold_ms", "60000", "1000", "60000")


def redis_restock_forgotten(books: Books) -> Drift:
    done = str(books.side.redis.hget(books.keys.sale, "request:again")).rpartition(" ")[0]
    books.side.redis.hdel(books.keys.sale, "request:again")
    return Drift("sale", "restock again", done, None, done)


# ------------------------------------------------------------------------------------------------------ in Postgres


def postgres_stock(books: Books) -> Drift:
    books.side.postgres.execute("UPDATE stock SET available = available - 1, sold = sold + 1")
    stock = books.state.stock[SKU]
    moved = books.stock(available=stock.available - 1, sold=stock.sold + 1)
    return Drift("stock", SKU, books.stock(), books.stock(), moved)


def postgres_stock_missing(books: Books) -> Drift:
    books.side.postgres.execute("DELETE FROM stock")
    return Drift("stock", SKU, books.stock(), books.stock(), None)


def postgres_order_changed(books: Books) -> Drift:
    books.side.postgres.execute("UPDATE orders SET status = 'expired' WHERE order_id = %s", [books.held])
    order = books.order(books.held)
    return Drift("order", books.held, order, order, books.order(books.held, status="expired"))


def postgres_order_missing(books: Books) -> Drift:
    books.side.postgres.execute("DELETE FROM orders WHERE order_id = %s", [books.paid])
    return Drift("order", books.paid, books.order(books.paid), books.order(books.paid), None)


def postgres_order_too_many(books: Books) -> Drift:
    books.side.postgres.execute(
        "INSERT INTO orders SELECT reserved_ms, hold_until_ms, changed_ms, seq, epoch, quantity, shard, sale_id, "
        "'0-from-nowhere', buyer, sku, status FROM orders WHERE order_id = %s",
        [books.paid],
    )
    return Drift("order", "0-from-nowhere", None, None, books.order(books.paid))


DAMAGES = (
    redis_stock,
    redis_order_changed,
    redis_order_missing,
    redis_order_too_many,
    redis_units_changed,
    redis_units_missing,
    redis_units_too_many,
    redis_hold_missing,
    redis_hold_too_many,
    redis_hold_at_another_time,
    redis_limit,
    redis_state,
    redis_hold_time,
    redis_restock_forgotten,
    postgres_stock,
    postgres_stock_missing,
    postgres_order_changed,
    postgres_order_missing,
    postgres_order_too_many,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_difference_is_named_with_what_all_three_say(books: Books, damage: Damage) -> None:
    expected = damage(books)

    found = books.compare()
    assert found.drifts == [expected]
    hashes = (found.log_hash, found.redis_hash, found.postgres_hash)
    told = (expected.log, expected.redis, expected.postgres)
    if expected.kind in {"stock", "order"}:
        assert [hash_ == hashes[0] for hash_ in hashes] == [value == told[0] for value in told]


def test_a_sku_that_redis_lost_or_made_up_differs_in_counters_and_limit(books: Books) -> None:
    books.side.redis.hdel(books.keys.stock, SKU)
    books.side.redis.hset(books.keys.stock, "other", "1 0 0 0 5")

    assert books.compare().drifts == [
        Drift("stock", "other", None, "1 0 0 0 1", None),
        Drift("stock", SKU, books.stock(), None, books.stock()),
        Drift("sale", "limit other", None, "5", None),
        Drift("sale", f"limit {SKU}", "7", None, "7"),
    ]


def test_several_differences_are_all_named(books: Books) -> None:
    expected = [redis_order_missing(books), redis_hold_missing(books), postgres_stock_missing(books)]

    assert sorted(books.compare().drifts, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("record", ["rubbish", "held phone one ann 5 1-1", ""])
def test_a_record_that_no_script_wrote_stops_the_comparison(books: Books, record: str) -> None:
    books.side.redis.hset(books.keys.orders, books.held, record)

    with pytest.raises(Halted, match="flashsale did not write"):
        books.compare()


def test_nothing_is_repaired_by_comparing(books: Books) -> None:
    redis_order_missing(books)
    postgres_stock(books)

    assert books.compare().drifts == books.compare().drifts
