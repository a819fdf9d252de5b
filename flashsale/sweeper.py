"""The sweeper daemon: ends holds whose time is over, less than a second late.

Any number of sweepers may run: the script that ends a hold decides, and each hold ends once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import structlog

from flashsale.beside import beside
from flashsale.client import Client
from flashsale.commands import Code, Expire
from flashsale.commands.sale import EXPIRE_MAX
from flashsale.errors import Halted, Unreachable
from flashsale.stream import Fence, ShardId

log = structlog.get_logger(__name__)

#: The longest time between two looks at a shard: a hold made just after a look ends at most this late.
LOOK_EVERY_MS = 500
#: How often the list of sales is read again.
SHARDS_EVERY_S = 2.0
#: Redis's clock may be so far ahead of this machine's. Further, and one of them is wrong: ending every hold at once, to
#: sell their units again, could not be taken back.
CLOCK_AHEAD_MS_MAX = 60_000
#: Calls in a row for one shard before the others have their turn.
CALLS_PER_TURN = 20

#: Every shard there is, with what Postgres knows of its log.
Shards = Mapping[ShardId, Fence]


class Sweeper:
    """One sweeper. `shards` lists what to sweep, with the first fence of each.

    It is called in a thread beside the sweeping: a Postgres that is silent must not make holds end late.
    """

    def __init__(self, client: Client, shards: Callable[[], Shards], wait: Callable[[float], object]) -> None:
        self.expired = 0
        self._client = client
        self._list_shards = shards
        self._wait = wait
        self._shards: Shards = {}
        self._listing: Future[Shards] | None = None
        self._next_list = 0.0
        self._is_braked = False

    def step(self) -> int:
        """Look at every shard once, then wait for the next hold to end. Returns how many holds ended."""
        self._refresh()
        ended, wait_ms = 0, LOOK_EVERY_MS
        for shard in () if self._must_brake() else self._shards:
            count, next_ms = self._sweep(shard)
            ended += count
            wait_ms = min(wait_ms, next_ms)
        self.expired += ended
        self._wait(wait_ms / 1000)
        return ended

    def _refresh(self) -> None:
        """Have the list read again when it is old, and take it over when it is read."""
        if self._listing is None:
            if time.monotonic() < self._next_list:
                return
            self._listing = beside(self._list_shards, "sweeper-shards")
        if self._shards and not self._listing.done():
            return
        listing, self._listing = self._listing, None
        try:
            self._shards = listing.result()
        except Unreachable:
            # Postgres is away; the holds of the sales known so far end all the same.
            if not self._shards:
                raise
            log.warning("Postgres is away: sweeping the sales known so far", action="sweeper_degraded")
        for shard, fence in self._shards.items():
            self._client.fences.saw(*shard, *fence)
        self._next_list = time.monotonic() + SHARDS_EVERY_S

    def _must_brake(self) -> bool:
        """Whether Redis's clock cannot be believed, by this machine's."""
        ahead_ms = self._client.now_ms() - time.time_ns() // 1_000_000
        must = ahead_ms > CLOCK_AHEAD_MS_MAX
        if must and not self._is_braked:
            log.error(
                "Redis's clock is far ahead of this machine's: no hold is ended until they agree",
                action="sweeper_braked",
                ahead_s=ahead_ms // 1_000,
            )
        self._is_braked = must
        return must

    def _sweep(self, shard: ShardId) -> tuple[int, int]:
        """End overdue holds of one shard; returns how many, and in how many ms the next one ends."""
        ended = 0
        for _ in range(CALLS_PER_TURN):
            try:
                done = self._client.expire(shard.sale, Expire(), shard.shard)
            except Halted as error:
                log.error(str(error), action="sweeper_halted", shard=str(shard))
                return ended, LOOK_EVERY_MS
            if done.answer.code is not Code.EXPIRED:
                if done.answer.code is Code.LOG_REGRESSED:
                    log.error("the log lost its tail", action="log_regressed", shard=str(shard))
                return ended, LOOK_EVERY_MS
            ended += len(done.order_ids)
            if done.order_ids:
                log.info("holds ended", action="holds_expired", shard=str(shard), orders=len(done.order_ids))
            if len(done.order_ids) < EXPIRE_MAX:
                next_ms = done.next_hold_until_ms
                return ended, max(1, next_ms - done.now_ms) if next_ms else LOOK_EVERY_MS
        return ended, 0
