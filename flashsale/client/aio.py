"""The asyncio client: thousands of callers, few script calls.

While calls are under way, the requests of all other callers gather; the next call takes them together. So the cost of
a round trip, a script call and an fsync is shared by everybody who waited for it, and nobody waits for a timer. Where
enough of them wait, the next call does not wait for the last one's answer: Redis and this process work at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Self

from flashsale import ids
from flashsale.client.lane import Lane, LaneOptions
from flashsale.client.wire import REPLY_TIMEOUT_MS, Fences, replica_wait
from flashsale.commands import (
    BATCH_MAX,
    LINE_KINDS,
    ORDER_OF_KINDS,
    Admit,
    Answer,
    Cancel,
    Confirm,
    Join,
    Leave,
    LineRequest,
    OrderRequest,
    Refund,
    Reserve,
    Stand,
)
from flashsale.errors import Unreachable

#: Requests of one kind that may wait for one shard. More would wait longer than any caller does: they are refused.
WAITING_MAX = 100_000


class AsyncClient:
    """Send commands of many concurrent callers of one event loop, in batches.

    A client belongs to the loop in which it is used first; in another one, it raises `RuntimeError`.

    `by` names the caller in the log. `fences` may be shared, and should begin at the Postgres checkpoints. `replicas`:
    so many must have what was decided before it is told; else `NotReplicated`, an `UnknownOutcome`, is raised. A
    request's `trace_id` is kept with its event, as `flashsale.client.sync.Client` has it. Methods raise what that
    client raises, and `Overloaded` when too many requests wait. A caller that is cancelled stops waiting; its request
    may still be carried out. `on_call` is told how many requests leave with each call of a script.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        by: str = "client",
        fences: Fences | None = None,
        timeout_ms: int = REPLY_TIMEOUT_MS,
        replicas: int = 0,
        batch_max: int = BATCH_MAX,
        waiting_max: int = WAITING_MAX,
        on_call: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.by = ids.actor(by)
        self.fences = fences or Fences()
        self._options = LaneOptions(
            redis_url,
            timeout_ms,
            replica_wait(replicas, timeout_ms),
            self.by,
            self.fences,
            min(ids.quantity(batch_max, "batch_max"), BATCH_MAX),
            ids.quantity(waiting_max, "waiting_max"),
            on_call,
        )
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def waiting(self) -> int:
        """Requests that have not left yet. May be asked from any thread."""
        return sum(lane.waiting for lane in list(self._lanes.values()))

    async def close(self) -> None:
        """Send what waits, then close the connections. Later requests raise `Unreachable`."""
        self._closed = True
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))
        self._lanes.clear()

    async def reserve(
        self, sale: str, order_id: str, buyer: str, sku: str, quantity: int = 1, *, trace_id: str = ""
    ) -> Answer:
        return await self.submit(sale, Reserve(order_id, buyer, sku, quantity, trace_id=trace_id))

    async def confirm(self, sale: str, order_id: str, *, trace_id: str = "") -> Answer:
        return await self.submit(sale, Confirm(order_id, trace_id=trace_id))

    async def cancel(self, sale: str, order_id: str, *, trace_id: str = "") -> Answer:
        return await self.submit(sale, Cancel(order_id, trace_id=trace_id))

    async def refund(
        self, sale: str, order_id: str, units: Literal["restock", "keep"] = "restock", *, trace_id: str = ""
    ) -> Answer:
        return await self.submit(sale, Refund(order_id, units=units, trace_id=trace_id))

    def submit(self, sale: str, request: OrderRequest) -> asyncio.Future[Answer]:
        """Queue one request for the next round; await the future for its answer."""
        if self._closed:
            raise Unreachable("this client is closed")
        # The shard as the order id has it: one text for each, so it need not be read as a number each time.
        place = sale, request.order_id.partition("-")[0]
        lane = self._lanes.get(place)
        if lane is None:
            lane = Lane(ids.sale_id(sale), int(place[1]), ORDER_OF_KINDS, self._options)
            self._lanes[place] = lane
        return lane.put(request)

    async def join(self, sale: str, buyer: str) -> Answer:
        """Take a place in the waiting room, keep it, or get the pass of who was called."""
        return await self.ask_line(sale, Join(buyer))

    async def leave(self, sale: str, buyer: str) -> Answer:
        return await self.ask_line(sale, Leave(buyer))

    async def stand(self, sale: str, buyer: str) -> Answer:
        """How a buyer stands, without joining."""
        return await self.ask_line(sale, Stand(buyer))

    async def admit(self, sale: str, share_permille: int) -> Answer:
        """Call those whose turn it is; `share_permille` of the rate."""
        return await self.ask_line(sale, Admit(share_permille))

    def ask_line(self, sale: str, request: LineRequest | Admit) -> asyncio.Future[Answer]:
        """Queue one request about the waiting room; it has a connection of its own, so orders do not wait behind it."""
        if self._closed:
            raise Unreachable("this client is closed")
        place = sale, "line"
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = Lane(ids.sale_id(sale), 0, LINE_KINDS, self._options)
        return lane.put(request)
