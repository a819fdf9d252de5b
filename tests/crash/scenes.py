"""States in which a command of the command line has something to do."""

from __future__ import annotations

from flashsale.client import Client
from flashsale.commands import Cancel, Confirm, Refund, Reserve
from flashsale.commands.sale import Close, Pause
from flashsale.keys import shard_keys
from flashsale.projections import catalog
from flashsale.stream import ShardId
from tests.fixtures.read_side import SKU, ReadSide
from tests.helpers import wait_until

SALE = "sale-1"
SHARD = ShardId(SALE, 0)
UNITS = 20
#: Holds last longer than any run of the tests.
HOLD_MS = 24 * 3_600_000
HELD, PAID, CANCELLED, REFUNDED = (f"0-order-{number:08d}" for number in range(1, 5))
KEYS = shard_keys(SALE, 0)


def nothing(side: ReadSide) -> None:
    """No sale at all."""


def without_schema(side: ReadSide) -> None:
    """An empty database."""
    side.postgres.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def defined(side: ReadSide) -> None:
    """A sale that is not in Redis yet."""
    side.define(SALE, UNITS)


def warm(side: ReadSide) -> None:
    """A sale that nobody has opened."""
    side.define(SALE, UNITS)
    catalog.found(side.postgres, SHARD, 1, before=0)
    side.client.control(SALE, catalog.get(side.postgres, SALE).load())


def behind(side: ReadSide) -> None:
    """A sale with an order in every state, nothing of it in Postgres yet."""
    _sell(side)


def selling(side: ReadSide) -> None:
    """The same, applied to the end."""
    behind(side)
    side.drain(side.projector("scene"))


def half_way(side: ReadSide) -> None:
    """The same, with events that are not applied yet."""
    selling(side)
    side.run(SHARD, [Confirm(HELD)])
    side.sell(SHARD, 2)


def paused(side: ReadSide) -> None:
    """A sale that rests."""
    selling(side)
    side.client.control(SALE, Pause())
    side.drain(side.projectors[0])


def overdue(side: ReadSide) -> None:
    """Three holds whose time is over, and an order that is paid."""
    side.open_sale(SALE, UNITS, hold_ms=1)
    catalog.found(side.postgres, SHARD, 1, before=0)
    side.run(SHARD, [Confirm(order) for order in side.sell(SHARD, 1)])
    side.sell(SHARD, 3)
    until_ms = max(side.client.snapshot(SALE, everything=True).holds.values())
    wait_until(lambda: side.client.now_ms() > until_ms)


def closed(side: ReadSide) -> None:
    """A sale that is over, with nothing held."""
    behind(side)
    side.run(SHARD, [Cancel(HELD)])
    side.client.control(SALE, Close())
    side.drain(side.projector("scene"))


def lost(side: ReadSide) -> None:
    """Redis has lost everything, Postgres nothing but what it never had."""
    half_way(side)
    side.redis.flushall()


def regressed(side: ReadSide) -> None:
    """Redis came back with an old copy, and sold before anybody noticed."""
    _sell(side)
    keys = [key for key in KEYS if side.redis.exists(key)]
    for key in keys:
        side.redis.copy(key, f"old-{key}")
    side.run(SHARD, [Confirm(HELD)])
    side.sell(SHARD, 3)
    side.drain(side.projector("scene"))
    for key in keys:
        side.redis.rename(f"old-{key}", key)
    with Client(side.redis_url, by="late") as client:  # it knows nothing of what is lost
        client.execute(SALE, [Reserve(f"0-latecomer-{n}", f"late-{n}", SKU) for n in range(2)])


def drifted(side: ReadSide) -> None:
    """Both derived stores disagree with the log."""
    selling(side)
    side.redis.hset(KEYS.orders, CANCELLED, str(side.redis.hget(KEYS.orders, PAID)))
    side.postgres.execute("UPDATE orders SET status = 'held' WHERE order_id = %s", (PAID,))
    side.postgres.execute("UPDATE stock SET available = available - 1, sold = sold + 1")


def parked(side: ReadSide) -> None:
    """A dead letter that can be applied by now, and one that waits behind it."""
    _sell(side)
    side.postgres.execute(f"ALTER TABLE orders ADD CONSTRAINT broken CHECK (order_id <> '{PAID}')".encode())
    side.drain(side.projector("scene"))
    side.postgres.execute("ALTER TABLE orders DROP CONSTRAINT broken")


def _sell(side: ReadSide) -> None:
    side.open_sale(SALE, UNITS, hold_ms=HOLD_MS)
    catalog.found(side.postgres, SHARD, 1, before=0)
    assert side.sell(SHARD, 4) == [HELD, PAID, CANCELLED, REFUNDED]
    side.run(SHARD, [Confirm(PAID), Confirm(REFUNDED), Cancel(CANCELLED)])
    side.run(SHARD, [Refund(REFUNDED)])
    assert side.client.snapshot(SALE).state.stock[SKU].available == UNITS - 2
