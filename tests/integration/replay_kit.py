"""What the tests of replay share: an engine on the read side, and an onlooker who can interfere between two chunks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from flashsale.client import Client
from flashsale.commands import Cancel, Confirm, Reserve
from flashsale.projections.projector import Projector
from flashsale.replay import Replay
from flashsale.stream import ShardId
from tests.fixtures.read_side import SKU, ReadSide, step_through
from tests.helpers import meanwhile, wait_until

#: Requests in one call.
BATCH = 500


class Onlooker:
    """Remembers what it is told; `then` is done once, after the first chunk."""

    def __init__(self, then: Callable[[], None] | None = None) -> None:
        self.said: list[str] = []
        self.chunks: list[int] = []
        self._then = then

    def begin(self, sale: str, done: int, total: int) -> None:
        self.begun = (sale, done, total)

    def chunk(self, events: int) -> None:
        if events:
            self.chunks.append(events)
            then, self._then = self._then, None
            if then is not None:
                then()

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def replay_of(side: ReadSide, onlooker: Onlooker | None = None) -> Replay:
    """An engine on the test's own connection."""

    def projector() -> Projector:
        return side.projector("replay")

    return Replay(side.postgres, side.log, projector, onlooker or Onlooker())


def content(side: ReadSide, table: str) -> list[tuple[Any, ...]]:
    """Every row of a table, every column."""
    statement = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table))
    return side.postgres.execute(statement).fetchall()


def projections(side: ReadSide, shard: ShardId) -> list[Any]:
    """The live rows of a sale, every column."""
    return [
        side.rows(f"SELECT t::text FROM {name} t WHERE sale_id = %s ORDER BY 1", shard.sale)
        for name in ("stock", "orders")
    ]


def partitions_of(side: ReadSide) -> set[str]:
    """The tables that are live."""
    rows = side.rows(
        "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
        "WHERE inhparent IN ('orders'::regclass, 'stock'::regclass)"
    )
    return {name for (name,) in rows}


@contextmanager
def live(side: ReadSide, shard: ShardId) -> Iterator[None]:
    """A buyer's crowd and a projector, until the block ends; then everything is applied."""
    stop = threading.Event()
    projector = Projector(side.redis_url, side.postgres_url, "live")
    side.projectors.append(projector)

    def buy() -> None:
        with Client(side.redis_url, by="crowd") as client:
            number = 0
            while not stop.is_set():
                orders = [f"0-live-{number + i:08d}" for i in range(50)]
                number += 50
                client.execute(shard.sale, [Reserve(order, f"b-{order}", SKU) for order in orders])
                client.execute(shard.sale, [Confirm(order) for order in orders[::2]])
                client.execute(shard.sale, [Cancel(order) for order in orders[1::4]])

    def apply() -> None:
        while not stop.is_set():
            step_through(projector)

    with meanwhile(stop, buy, apply):
        yield
    side.drain(projector)


def sell_many(side: ReadSide, shard: ShardId, events: int) -> None:
    """So many events, applied."""
    for _ in range(events // (2 * BATCH)):
        orders = side.sell(shard, BATCH)
        side.run(shard, [Confirm(order) for order in orders])
    projector = side.projector("before", batch_max=10_000)
    wait_until(lambda: projector.step() == 0 and side.checkpoint(shard) == side.log.head(shard), 300)
    projector.close()
