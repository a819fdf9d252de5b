"""The asyncio client: thousands of callers, few script calls.

While one round trip is under way, the requests of all other callers gather; the next round takes them together. So the
cost of a round trip, a script call and an fsync is shared by everybody who waited for it, and nobody waits for a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import RedisError

from flashsale import ids
from flashsale.client.wire import (
    CALLS_PER_ROUND,
    ERROR_REPLIES,
    REPLY_TIMEOUT_MS,
    Command,
    Fences,
    connection_options,
    error_from,
    pack,
    run_calls,
)
from flashsale.commands import (
    BATCH_MAX,
    Answer,
    Call,
    Cancel,
    Confirm,
    OrderRequest,
    Refund,
    Reserve,
    order_call,
    parse_reply,
    plan,
)
from flashsale.errors import Overloaded, UnknownOutcome, Unreachable

#: Requests that may wait for one shard. More would wait longer than any caller does: they are refused at once.
WAITING_MAX = 100_000

_Waiting = tuple[OrderRequest, "asyncio.Future[Answer]"]


class AsyncClient:
    """Send commands of many concurrent callers of one event loop, in batches.

    `by` names the caller in the log. `fences` may be shared, and should begin at the Postgres checkpoints. Methods raise
    what `flashsale.client.sync.Client` raises, and `Overloaded` when too many requests wait. A caller that is cancelled
    stops waiting; its request may still be carried out.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        by: str = "client",
        fences: Fences | None = None,
        timeout_ms: int = REPLY_TIMEOUT_MS,
        batch_max: int = BATCH_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self.by = ids.actor(by)
        self.fences = fences or Fences()
        self._url = redis_url
        self._timeout_ms = timeout_ms
        self._batch_max = min(batch_max, BATCH_MAX)
        self._waiting_max = waiting_max
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._closed = False

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Send what waits, then close the connections. Later requests raise `Unreachable`."""
        self._closed = True
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))
        self._lanes.clear()

    async def reserve(self, sale: str, order_id: str, buyer: str, sku: str, quantity: int = 1) -> Answer:
        return await self.submit(sale, Reserve(order_id, buyer, sku, quantity))

    async def confirm(self, sale: str, order_id: str) -> Answer:
        return await self.submit(sale, Confirm(order_id))

    async def cancel(self, sale: str, order_id: str) -> Answer:
        return await self.submit(sale, Cancel(order_id))

    async def refund(self, sale: str, order_id: str, units: Literal["restock", "keep"] = "restock") -> Answer:
        return await self.submit(sale, Refund(order_id, units=units))

    def submit(self, sale: str, request: OrderRequest) -> asyncio.Future[Answer]:
        """Queue one request for the next round; await the future for its answer."""
        lane = self._lanes.get((sale, ids.shard_of_order(request.order_id)))
        if lane is None:
            lane = self._new_lane(sale, ids.shard_of_order(request.order_id))
        return lane.put(request)

    def _new_lane(self, sale: str, shard: int) -> _Lane:
        if self._closed:
            raise Unreachable("this client is closed")
        lane = _Lane(
            ids.sale_id(sale),
            shard,
            self.by,
            self.fences,
            _Wire(self._url, self._timeout_ms),
            self._batch_max,
            self._waiting_max,
        )
        self._lanes[sale, shard] = lane
        return lane


class _Lane:
    """The queue and the connection of one shard. One round trip is under way at a time."""

    def __init__(
        self, sale: str, shard: int, by: str, fences: Fences, wire: _Wire, batch_max: int, waiting_max: int
    ) -> None:
        self._sale, self._shard, self._by, self._fences = sale, shard, by, fences
        self._wire = wire
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._round_max = batch_max * CALLS_PER_ROUND
        #: payments, cancellations and refunds: they free units or settle money, so they never wait behind a crowd
        self._urgent: deque[_Waiting] = deque()
        self._reserving: deque[_Waiting] = deque()
        self._loop = asyncio.get_running_loop()
        self._worker: asyncio.Task[None] | None = None

    def put(self, request: OrderRequest) -> asyncio.Future[Answer]:
        if len(self._urgent) + len(self._reserving) >= self._waiting_max:
            raise Overloaded()
        future: asyncio.Future[Answer] = self._loop.create_future()
        queue = self._reserving if type(request) is Reserve else self._urgent
        queue.append((request, future))
        if self._worker is None:
            self._worker = self._loop.create_task(self._work())
        return future

    async def close(self) -> None:
        if self._worker is not None:
            await self._worker
        await self._wire.close()

    async def _work(self) -> None:
        """Run rounds until nothing waits. A new request starts a new worker."""
        # Let every caller that is ready to run queue its request before the first round leaves.
        await asyncio.sleep(0)
        while waiting := self._take():
            try:
                await self._round(waiting)
            except BaseException as error:
                for _, future in waiting:
                    if not future.done():
                        future.set_exception(_same_kind(error))
                if not isinstance(error, Exception):
                    raise
        self._worker = None

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        for queue in (self._urgent, self._reserving):
            for _ in range(min(len(queue), self._round_max - len(taken))):
                taken.append(queue.popleft())
        return taken

    async def _round(self, waiting: Sequence[_Waiting]) -> None:
        requests = [request for request, _ in waiting]
        fence = self._fences.of(self._sale, self._shard)
        batches = plan(requests, self._batch_max)
        calls = [
            order_call(self._sale, self._shard, fence, self._by, [requests[i] for i in batch])
            for batch in batches
        ]
        results = await self._wire.run(calls)
        for batch, raw in zip(batches, results, strict=True):
            if isinstance(raw, ERROR_REPLIES):
                for i in batch:
                    if not waiting[i][1].done():
                        waiting[i][1].set_exception(error_from(raw))
                continue
            reply = parse_reply(raw)
            self._fences.saw(self._sale, self._shard, reply.position)
            for i, answer in zip(batch, reply.answers, strict=True):
                future = waiting[i][1]
                if not future.done():  # its caller may have been cancelled
                    future.set_result(answer)


class _Wire:
    """One write connection. An error between request and reply closes it: no later caller gets an earlier answer."""

    def __init__(self, redis_url: str, timeout_ms: int) -> None:
        options: dict[str, Any] = connection_options(timeout_ms) | dict(parse_url(redis_url))
        connection_class = options.pop("connection_class", Connection)
        self._connection: AbstractConnection = connection_class(**options)

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """One round; error replies stand among the results."""
        conversation = run_calls(calls)
        commands = next(conversation)
        while True:
            try:
                commands = conversation.send(await self._exchange(commands))
            except StopIteration as end:
                results: list[Any] = end.value
                return results

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        await self._connect()
        try:
            await self._connection.send_packed_command([pack(commands)], check_health=False)
            return [await self._read() for _ in commands]
        except (RedisError, OSError) as error:
            await self.close()
            raise UnknownOutcome(f"the reply was lost ({error}): retry with the same id") from error
        except BaseException:
            await self.close()
            raise

    async def _read(self) -> Any:
        try:
            return await self._connection.read_response(disconnect_on_error=False)
        except ERROR_REPLIES as error:
            return error

    async def _connect(self) -> None:
        try:
            # Anything readable between two rounds is the end of the connection: the server went away meanwhile.
            if self._connection.is_connected and await self._connection.can_read():
                await self.close()
            if not self._connection.is_connected:
                await self._connection.connect()
        except (RedisError, OSError) as error:
            await self.close()
            raise Unreachable(f"Redis cannot be reached: {error}") from error


def _same_kind(error: BaseException) -> BaseException:
    """An exception of its own for every waiting caller: one shared object would collect all their tracebacks."""
    if isinstance(error, Unreachable):
        copy = type(error)(str(error))
        copy.__cause__ = error.__cause__
        return copy
    return error
