"""One shard's queue and connection, for the asyncio client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import RedisError

from flashsale.client.wire import (
    CALLS_PER_ROUND,
    ERROR_REPLIES,
    Command,
    Fences,
    connection_options,
    error_from,
    pack,
    run_calls,
)
from flashsale.commands import Answer, Call, OrderRequest, Reserve, order_call, parse_reply, plan
from flashsale.errors import Overloaded, UnknownOutcome, Unreachable

_Waiting = tuple[OrderRequest, "asyncio.Future[Answer]"]


class LaneOptions(msgspec.Struct, frozen=True):
    """What all lanes of a client share."""

    #: who is named in the log
    by: str
    fences: Fences
    #: requests in one script call
    batch_max: int
    #: requests that may wait, of each urgency
    waiting_max: int


class Lane:
    """The queue and the connection of one shard. One round trip is under way at a time."""

    def __init__(self, sale: str, shard: int, wire: Wire, options: LaneOptions) -> None:
        self._sale, self._shard = sale, shard
        self._wire = wire
        self._options = options
        self._round_max = options.batch_max * CALLS_PER_ROUND
        #: payments, cancellations and refunds: they free units or settle money, so they never wait behind a crowd
        self._urgent: deque[_Waiting] = deque()
        self._reserving: deque[_Waiting] = deque()
        self._loop = asyncio.get_running_loop()
        self._worker: asyncio.Task[None] | None = None

    def put(self, request: OrderRequest) -> asyncio.Future[Answer]:
        """Queue one request. Raises `Overloaded` when too many of its urgency wait."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this client belongs to another event loop")
        queue = self._reserving if type(request) is Reserve else self._urgent
        if len(queue) >= self._options.waiting_max:
            raise Overloaded
        future: asyncio.Future[Answer] = self._loop.create_future()
        queue.append((request, future))
        if self._worker is None:
            self._worker = self._loop.create_task(self._work())
        return future

    async def close(self) -> None:
        """Send what waits, then close the connection."""
        if self._worker is not None:
            await self._worker
        await self._wire.close()

    async def _work(self) -> None:
        """Run rounds until nothing waits. A new request starts a new worker."""
        # Let every caller that is ready to run queue its request before the first round leaves.
        try:
            await asyncio.sleep(0)
            while waiting := self._take():
                await self._try_round(waiting)
        finally:
            self._worker = None

    async def _try_round(self, waiting: Sequence[_Waiting]) -> None:
        """One round; whatever goes wrong is told to every caller who has no answer yet."""
        try:
            await self._round(waiting)
        except BaseException as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(_same_kind(error))
            if not isinstance(error, Exception):
                raise

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        for queue in (self._urgent, self._reserving):
            room = self._round_max - len(taken)
            taken.extend(queue.popleft() for _ in range(min(len(queue), room)))
        return taken

    async def _round(self, waiting: Sequence[_Waiting]) -> None:
        requests = [request for request, _ in waiting]
        fence = self._options.fences.of(self._sale, self._shard)
        batches = plan(requests, self._options.batch_max)
        calls = [
            order_call(self._sale, self._shard, fence, self._options.by, [requests[i] for i in batch])
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
            self._options.fences.saw(self._sale, self._shard, reply.position)
            for i, answer in zip(batch, reply.answers, strict=True):
                future = waiting[i][1]
                if not future.done():  # its caller may have been cancelled
                    future.set_result(answer)


class Wire:
    """One write connection. An error between request and reply closes it: no later caller gets an earlier answer."""

    def __init__(self, redis_url: str, timeout_ms: int) -> None:
        options: dict[str, Any] = connection_options(timeout_ms) | dict(parse_url(redis_url))
        connection_class = options.pop("connection_class", Connection)
        self._connection: AbstractConnection = connection_class(**options)
        self._loaded: set[str] = set()

    async def close(self) -> None:
        self._loaded.clear()
        await self._connection.disconnect(nowait=True)

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """One round; error replies stand among the results."""
        # Once a round: what fails after the first exchange is never "nothing was done".
        await self._connect()
        conversation = run_calls(calls, self._loaded)
        commands = next(conversation)
        while True:
            try:
                commands = conversation.send(await self._exchange(commands))
            except StopIteration as end:
                results: list[Any] = end.value
                return results

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
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
        except BaseException:
            await self.close()
            raise


def _same_kind(error: BaseException) -> BaseException:
    """An exception of its own for every waiting caller: one shared object would collect all their tracebacks."""
    if isinstance(error, Unreachable):
        copy = type(error)(str(error))
        copy.__cause__ = error.__cause__
        return copy
    return error
