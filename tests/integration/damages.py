"""What can be wrong with the stores of a sale: each damage is done to one of them, and says what must be found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flashsale.events import Order
from flashsale.ids import Position
from tests.integration.reconcile_kit import SKU, Books


class Expected(NamedTuple):
    """What must be found."""

    kind: str
    key: str
    first_seq: Position | None = None


def order_of(books: Books, name: str) -> Order:
    return books.state.orders[name]


def sell_and_apply(books: Books) -> Position:
    """One more order; returns its place."""
    books.side.sell(books.shard, 1)
    head = books.side.log.head(books.shard)
    assert head is not None
    books.side.drain(*books.side.projectors)
    return head


# --------------------------------------------------------------------------------------------------------- in Redis


def counter_moved(books: Books) -> Expected:
    stock = books.state.stock[SKU]
    text = f"{stock.available + 3} {stock.held} {stock.sold} {stock.returned} {stock.limit}"
    books.side.redis.hset(books.keys.stock, SKU, text)
    return Expected("hot-counter", SKU)


def counter_missing(books: Books) -> Expected:
    books.side.redis.hdel(books.keys.stock, SKU)
    return Expected("hot-counter", SKU)


def counter_unreadable(books: Books) -> Expected:
    books.side.redis.hset(books.keys.stock, SKU, "many")
    return Expected("hot-counter", SKU)


def counter_of_no_sku(books: Books) -> Expected:
    books.side.redis.hset(books.keys.stock, "ghost", "5 0 0 0 0")
    return Expected("hot-counter", "ghost")


def order_changed(books: Books) -> Expected:
    record = books.record(books.paid).replace("confirmed", "refunded")
    books.side.redis.hset(books.keys.orders, books.paid, record)
    return Expected("hot-order", books.paid, order_of(books, books.paid).changed_at)


def order_unreadable(books: Books) -> Expected:
    books.side.redis.hset(books.keys.orders, books.paid, "rubbish")
    return Expected("hot-order", books.paid, order_of(books, books.paid).changed_at)


def order_gone(books: Books) -> Expected:
    books.side.redis.hdel(books.keys.orders, books.held)
    return Expected("hot-order", books.held, order_of(books, books.held).changed_at)


def order_invented(books: Books) -> Expected:
    books.side.redis.hset(books.keys.orders, "0-from-nowhere", books.record(books.paid))
    return Expected("hot-order", "0-from-nowhere")


def limit_changed(books: Books) -> Expected:
    record = str(books.side.redis.hget(books.keys.stock, SKU))
    books.side.redis.hset(books.keys.stock, SKU, record.rpartition(" ")[0] + " 0")
    return Expected("hot-setting", f"limit {SKU}")


def window_changed(books: Books) -> Expected:
    books.side.redis.hset(books.keys.sale, "closes_ms", 1)
    return Expected("hot-setting", "closes_ms")


def state_changed(books: Books) -> Expected:
    books.side.redis.hset(books.keys.sale, "state", "paused")
    return Expected("hot-setting", "state")


def restock_forgotten(books: Books) -> Expected:
    books.side.redis.hdel(books.keys.sale, "request:again")
    return Expected("hot-setting", "request:again", books.state.requests["again"].position)


def units_changed(books: Books) -> Expected:
    holder = f"{order_of(books, books.paid).buyer} {SKU}"
    books.side.redis.hincrby(books.keys.buyers, holder, 4)
    return Expected("buyer-limit", holder)


def units_gone(books: Books) -> Expected:
    holder = f"{order_of(books, books.paid).buyer} {SKU}"
    books.side.redis.hdel(books.keys.buyers, holder)
    return Expected("buyer-limit", holder)


def units_invented(books: Books) -> Expected:
    books.side.redis.hset(books.keys.buyers, f"nobody {SKU}", 3)
    return Expected("buyer-limit", f"nobody {SKU}")


def hold_gone(books: Books) -> Expected:
    books.side.redis.zrem(books.keys.holds, books.held)
    return Expected("stuck-hold", books.held, order_of(books, books.held).changed_at)


def hold_of_a_paid_order(books: Books) -> Expected:
    books.side.redis.zadd(books.keys.holds, {books.paid: 12345})
    return Expected("stuck-hold", books.paid, order_of(books, books.paid).changed_at)


def hold_at_another_time(books: Books) -> Expected:
    books.side.redis.zadd(books.keys.holds, {books.held: 9_999_999_999_999})
    return Expected("stuck-hold", books.held, order_of(books, books.held).changed_at)


# ------------------------------------------------------------------------------------------------------ in Postgres


def row_gone(books: Books) -> Expected:
    books.side.postgres.execute("DELETE FROM orders WHERE order_id = %s", [books.paid])
    return Expected("missing-order", books.paid, order_of(books, books.paid).changed_at)


def row_invented(books: Books) -> Expected:
    books.side.postgres.execute(
        "INSERT INTO orders SELECT reserved_ms, hold_until_ms, changed_ms, seq, epoch, quantity, shard, sale_id, "
        "'0-from-nowhere', buyer, sku, status FROM orders WHERE order_id = %s",
        [books.paid],
    )
    return Expected("extra-order", "0-from-nowhere")


def row_of_another_status(books: Books) -> Expected:
    books.side.postgres.execute("UPDATE orders SET status = 'expired' WHERE order_id = %s", [books.held])
    return Expected("wrong-status", books.held, order_of(books, books.held).changed_at)


def row_of_another_buyer(books: Books) -> Expected:
    books.side.postgres.execute("UPDATE orders SET buyer = 'eve' WHERE order_id = %s", [books.paid])
    return Expected("wrong-status", books.paid, order_of(books, books.paid).changed_at)


def stock_moved(books: Books) -> Expected:
    books.side.postgres.execute("UPDATE stock SET available = available - 1, sold = sold + 1")
    return Expected("stock-row", SKU)


def stock_gone(books: Books) -> Expected:
    books.side.postgres.execute("DELETE FROM stock")
    return Expected("stock-row", SKU)


def event_gone(books: Books) -> Expected:
    books.side.postgres.execute("DELETE FROM event_log WHERE seq = 7")
    return Expected("archive-gap", "1-7", Position(1, 7))


def newest_event_gone(books: Books) -> Expected:
    head = books.state.position
    books.side.postgres.execute("DELETE FROM event_log WHERE seq = %s", [head.seq])
    return Expected("archive-gap", str(head), head)


def event_damaged(books: Books) -> Expected:
    books.side.postgres.execute("UPDATE event_log SET body = 'rubbish' WHERE seq = 7")
    return Expected("content-mismatch", "1-7", Position(1, 7))


def event_of_another_buyer(books: Books) -> Expected:
    books.side.postgres.execute("UPDATE event_log SET buyer = 'eve' WHERE seq = 7")
    return Expected("content-mismatch", "1-7", Position(1, 7))


#: Changes one store; returns what must be found.
Damage = Callable[[Books], Expected]
DAMAGES = (
    counter_moved,
    counter_missing,
    counter_unreadable,
    counter_of_no_sku,
    order_changed,
    order_unreadable,
    order_gone,
    order_invented,
    limit_changed,
    window_changed,
    state_changed,
    restock_forgotten,
    units_changed,
    units_gone,
    units_invented,
    hold_gone,
    hold_of_a_paid_order,
    hold_at_another_time,
    row_gone,
    row_invented,
    row_of_another_status,
    row_of_another_buyer,
    stock_moved,
    stock_gone,
    event_gone,
    newest_event_gone,
    event_damaged,
    event_of_another_buyer,
)
