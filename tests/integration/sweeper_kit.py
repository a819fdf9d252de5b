"""What the tests of the sweeper share: one that runs beside the test, and what its work looks like in the log."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Self

from flashsale.client import Client
from flashsale.events import ShardState, decode, fold
from flashsale.events.types import OrderExpired, OrderReserved
from flashsale.projections import catalog
from flashsale.projections.database import connect
from flashsale.stream import Fence, ShardId
from flashsale.sweeper import Sweeper
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until

LATE_MS_MAX = 1_000
#: What `read_side` sells.
SKU = "phone"

Shards = Callable[[], Mapping[ShardId, Fence]]


class Sweeping:
    """A sweeper that steps in a thread of its own, as its daemon has it, until the context ends."""

    def __init__(self, redis_url: str, shards: Shards) -> None:
        self._stop = threading.Event()
        self._client = Client(redis_url, by="sweeper")
        self._thread = threading.Thread(target=self._run)
        self._fault: Exception | None = None
        self.sweeper = Sweeper(self._client, shards, self._stop.wait)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.sweeper.step()
        except Exception as fault:  # noqa: BLE001 - raised again where the test sees it
            self._fault = fault

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()
        if self._fault is not None:
            raise self._fault


class Catalog:
    """What a sweeper asks Postgres, over a connection of its own each time."""

    def __init__(self, postgres_url: str) -> None:
        #: how many sales each answer had
        self.answers: list[int] = []
        self._url = postgres_url

    def __call__(self) -> Mapping[ShardId, Fence]:
        """Every shard."""
        with connect(self._url) as connection:
            found = catalog.known_logs(connection)
        self.answers.append(len(found))
        return found


def state(side: ReadSide, shard: ShardId) -> ShardState:
    """What the log adds up to, which no hold that ended twice would; the hot state is the same."""
    folded = fold((entry.position, decode(entry.body or b"")) for entry in side.entries(shard))
    snapshot = side.client.snapshot(shard.sale, shard.shard, everything=True)
    assert snapshot.state == folded
    assert snapshot.holds.keys() == {name for name, order in folded.orders.items() if order.status == "held"}
    return folded


def lateness_ms(side: ReadSide, shard: ShardId) -> dict[str, int]:
    """Order id → how long after its deadline its hold ended, both by Redis's clock."""
    deadlines: dict[str, int] = {}
    late: dict[str, int] = {}
    for entry in side.entries(shard):
        event = decode(entry.body or b"")
        if isinstance(event, OrderReserved):
            deadlines[event.order_id] = event.hold_until_ms
        elif isinstance(event, OrderExpired):
            late[event.order_id] = event.at_ms - deadlines[event.order_id]
    return late


def wait_until_nothing_is_held(side: ReadSide, *shards: ShardId) -> None:
    """Return when a sweeper that runs beside has ended every hold."""
    wait_until(
        lambda: not any(side.client.snapshot(shard.sale).hold_count for shard in shards),
        description="every hold has ended",
    )


def sell_for(side: ReadSide, shards: list[ShardId], duration_ms: int, orders_min: int = 1) -> None:
    """Sell one unit of each sale every few milliseconds, for a while, and at least so many."""
    sold = itertools.count(1)

    def now_ms() -> int:
        return side.client.snapshot(shards[0].sale).now_ms

    def sell() -> bool:
        for shard in shards:
            side.sell(shard, 1)
        return next(sold) >= orders_min and now_ms() >= end_ms

    end_ms = now_ms() + duration_ms
    wait_until(sell, description="the time is over")


def newest_deadline(side: ReadSide, shard: ShardId) -> int:
    """When the last of the holds ends."""
    return max(side.client.snapshot(shard.sale, everything=True).holds.values())
