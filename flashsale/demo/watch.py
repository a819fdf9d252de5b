"""Look at Redis and Postgres from beside the rush, without slowing it down: a thread, a few reads a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

import msgspec

from flashsale.client import Client
from flashsale.errors import FlashsaleError
from flashsale.ids import START, Position
from flashsale.projections import reads
from flashsale.projections.database import connect
from flashsale.servers import Urls
from flashsale.stream import ShardId

LOOK_EVERY_S = 0.1


class View(msgspec.Struct):
    """What was seen last."""

    available: int = 0
    held: int = 0
    sold: int = 0
    log_position: Position = START
    checkpoint: Position = START
    #: the projector that leads the shard
    holder: str | None = None
    fence: int = 0
    #: the most events applied in a second so far
    events_per_s_max: float = 0.0

    @property
    def lag_events(self) -> int:
        return max(0, self.log_position.seq - self.checkpoint.seq)


class Watcher:
    """Keeps `view` fresh until it is closed. `on_fence` is told when another projector takes the shard."""

    def __init__(self, urls: Urls, shard: ShardId, on_fence: Callable[[str | None, float], None]) -> None:
        self.view = View()
        self._urls, self._shard, self._on_fence = urls, shard, on_fence
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_all_the_time, name="demo-watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look_all_the_time(self) -> None:
        client = Client(self._urls.redis_url, by="demo-watcher")
        connection = connect(self._urls.postgres_url, name="flashsale demo")
        try:
            while not self._stop.wait(LOOK_EVERY_S):
                try:
                    self._look(client, reads.checkpoints(connection, self._shard.sale))
                except FlashsaleError:
                    continue  # the next look may succeed; the final comparison decides
        finally:
            client.close()
            connection.close()

    def _look(self, client: Client, rows: list[reads.CheckpointRow]) -> None:
        view, now = self.view, time.monotonic()
        stock = client.snapshot(self._shard.sale, self._shard.shard)
        view.log_position = stock.state.position
        for counters in stock.state.stock.values():
            view.available, view.held, view.sold = counters.available, counters.held, counters.sold
        for row in rows:
            if row.shard != self._shard:
                continue
            moved = row.checkpoint.seq - view.checkpoint.seq
            view.events_per_s_max = max(view.events_per_s_max, moved / LOOK_EVERY_S)
            if row.fence != view.fence:
                self._on_fence(row.holder, now)
            view.checkpoint, view.holder, view.fence = row.checkpoint, row.holder, row.fence
