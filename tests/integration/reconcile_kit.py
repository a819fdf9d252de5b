"""What the tests of reconcile share: a sale whose three stores agree, and work that goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from flashsale.commands import Confirm
from flashsale.commands.sale import Reconfigure, Restock
from flashsale.events import ShardState, decode, fold
from flashsale.keys import ShardKeys, shard_keys
from flashsale.reconcile import Comparison, Report, compare
from flashsale.reconcile import examine as examine_shard
from flashsale.shop import Shop
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide

SKU = "phone"
TIMEOUT_S = 5


@dataclass
class Books:
    """A sale whose three stores agree, until a test changes one of them."""

    side: ReadSide
    shard: ShardId
    #: orders that are held and paid, and the state that all stores have
    held: str
    paid: str
    state: ShardState

    @property
    def keys(self) -> ShardKeys:
        """Of the hot state."""
        return shard_keys(self.shard.sale, self.shard.shard)

    def compare(self, timeout_s: float = TIMEOUT_S) -> Comparison:
        """Compare the stores as they are now."""
        return compare(self.side.client, self.side.log, self.side.postgres, self.shard, timeout_s=timeout_s)

    def stock(self, **changes: int) -> str:
        """The five counters of the SKU in the words of a drift."""
        counters = msgspec.structs.replace(self.state.stock[SKU], **changes)
        return f"{counters.available} {counters.held} {counters.sold} {counters.returned} {counters.capacity}"

    def order(self, name: str, **changes: object) -> str:
        """An order in the words of a drift."""
        order = msgspec.structs.replace(self.state.orders[name], **changes)
        return f"{order.status} {order.sku} {order.quantity} {order.buyer} {order.hold_until_ms}"

    def record(self, name: str) -> str:
        """An order in the words of Redis."""
        return str(self.side.redis.hget(self.keys.orders, name))

    def dump(self, key: str) -> dict[Any, Any]:
        """What a key holds."""
        kind: Any = self.side.redis.type(key)
        found: Any = _READ[str(kind)](self.side.redis, key)
        return dict(found)


_READ: dict[str, Callable[[redis.Redis, str], object]] = {
    "hash": lambda client, key: client.hgetall(key),
    "zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
    "stream": lambda client, key: client.xrange(key),
}


def open_books(read_side: ReadSide) -> Books:
    """A sale with an order of every status, applied to its end."""
    shard = read_side.open_sale(quantity=100, hold_ms=1)
    read_side.whole_story(shard)
    read_side.client.control(shard.sale, Reconfigure(hold_ms=60_000, limits=((SKU, 7),)))
    read_side.client.control(shard.sale, Restock("again", "add", SKU, 50))
    held, paid, *_ = read_side.sell(shard, 5)
    read_side.run(shard, [Confirm(paid)])
    read_side.drain(read_side.projector())
    state = fold((entry.position, decode(entry.body or b"")) for entry in read_side.entries(shard))
    return Books(read_side, shard, held, paid, state)


def servers(books: Books) -> Shop:
    """What reconcile works with."""
    return Shop(books.side.client, books.side.log, books.side.postgres)


def examine(books: Books, timeout_s: float = TIMEOUT_S) -> Report:
    """Examine the stores as they are now."""
    return examine_shard(servers(books), books.shard, timeout_s=timeout_s).report


@contextmanager
def meanwhile(*works: Callable[[], object]) -> Iterator[None]:
    """Have works done over and over, each in a thread of its own."""
    stop = threading.Event()

    def run(work: Callable[[], object]) -> None:
        while not stop.is_set():
            work()

    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(run, work) for work in works]
        try:
            yield
        finally:
            stop.set()
            for future in running:
                future.result()
