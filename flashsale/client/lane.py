"""One shard's queues, for the asyncio client: what waits, and when it leaves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from flashsale.client.aio_wire import AsyncWire, Flight
from flashsale.client.replicas import ReplicaWait
from flashsale.client.wire import CALLS_PER_ROUND, ERROR_REPLIES, Fences, error_from
from flashsale.commands import Answer, BatchRequest, batch_size, order_call, parse_reply
from flashsale.errors import Overloaded, Unreachable

#: While calls are under way, another one leaves when this part of a full batch waits: they share what a call costs.
WORTH_A_CALL = 1 / 4


class LaneOptions(msgspec.Struct, frozen=True):
    """What all lanes of a client share."""

    redis_url: str
    timeout_ms: int
    wait: ReplicaWait
    #: who is named in the log
    by: str
    fences: Fences
    #: requests in one script call
    batch_max: int
    #: requests that may wait, of each kind
    waiting_max: int
    #: told how many requests leave with each call
    on_call: Callable[[int], None]


class Queue:
    """Requests of one kind that wait, oldest first, and the futures of their answers."""

    __slots__ = ("futures", "requests")

    def __init__(self) -> None:
        # Side by side: a pair for each request would be one more thing for the garbage collector to walk over.
        self.requests: list[BatchRequest] = []
        self.futures: list[asyncio.Future[Answer]] = []

    def take(self, count: int) -> tuple[list[BatchRequest], list[asyncio.Future[Answer]]]:
        taken = self.requests[:count], self.futures[:count]
        del self.requests[:count], self.futures[:count]
        return taken


class Lane:
    """The queues and the connection of one shard, for requests of some kinds.

    While calls are under way, requests gather. The next calls leave when the last one is answered, and earlier when
    enough of them wait: Redis decides one batch while the callers of another one hear their answers. Requests under way
    are as many as one round has; a call that left first is decided first.
    """

    def __init__(self, sale: str, shard: int, kinds: Sequence[str], options: LaneOptions) -> None:
        self._sale, self._shard = sale, shard
        self._options = options
        #: in the order in which they leave
        self._queues = {kind: Queue() for kind in kinds}
        self._waiting = 0
        self._round_max = options.batch_max * CALLS_PER_ROUND
        self._worth_a_call = max(1, int(options.batch_max * WORTH_A_CALL))
        #: so many waiting requests begin to leave by themselves
        self._leave_at = 1
        self._is_sending = False
        self._loop = asyncio.get_running_loop()
        self._new_future = self._loop.create_future
        self._gathering: asyncio.Task[None] | None = None
        #: set when nothing waits and nothing is under way; made by who wants to know
        self._drained: asyncio.Event | None = None
        self._wire = self._new_wire()

    def put(self, request: BatchRequest) -> asyncio.Future[Answer]:
        """Queue one request. Raises `Overloaded` when too many of its kind wait."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this client belongs to another event loop")
        queue = self._queues[request.SCRIPT]
        if len(queue.requests) >= self._options.waiting_max:
            raise Overloaded
        future: asyncio.Future[Answer] = self._new_future()
        queue.requests.append(request)
        queue.futures.append(future)
        self._waiting += 1
        if self._waiting >= self._leave_at:
            self._gather()
        return future

    @property
    def waiting(self) -> int:
        """Requests that have not left yet."""
        return self._waiting

    async def close(self) -> None:
        """Send what waits, then close the connection."""
        if not self._is_idle:
            if self._drained is None:  # else somebody closes it already: both are told
                self._drained = asyncio.Event()
            await self._drained.wait()
        await self._wire.drain()
        await self._wire.close()

    @property
    def _is_idle(self) -> bool:
        return not (self._waiting or self._is_sending or self._wire.requests_under_way)

    def _new_wire(self) -> AsyncWire:
        options = self._options
        return AsyncWire(options.redis_url, options.timeout_ms, options.wait, self._landed, self._gather)

    def _gather(self) -> None:
        """Send soon: every caller that is ready to run queues its request before."""
        self._leave_at = sys.maxsize
        self._gathering = self._loop.create_task(self._send_soon())

    async def _send_soon(self) -> None:
        await asyncio.sleep(0)
        await self._send()

    async def _send(self) -> None:
        """Have leave what may. One task at a time does; what it leaves behind goes when a reply comes, or by `put`."""
        if self._is_sending:
            return
        self._is_sending, self._leave_at = True, sys.maxsize
        try:
            while flights := self._take():
                await self._try_send(flights)
        finally:
            self._is_sending = False
            under_way = self._wire.requests_under_way
            if not under_way:
                self._leave_at = 1
            elif self._round_max - under_way >= self._worth_a_call:
                self._leave_at = self._worth_a_call
            if self._drained is not None and self._is_idle:
                self._drained.set()

    def _take(self) -> list[Flight]:
        under_way = self._wire.requests_under_way
        room = self._round_max - under_way
        if under_way and min(self._waiting, room) < self._worth_a_call:
            return []
        fence = self._options.fences.text(self._sale, self._shard)
        flights = []
        for kind, queue in self._queues.items():
            while queue.requests and room:
                requests, futures = queue.take(min(room, batch_size(kind, self._options.batch_max)))
                room -= len(requests)
                self._waiting -= len(requests)
                call = order_call(self._sale, self._shard, fence, self._options.by, requests)
                flights.append(Flight(call, requests, futures))
                self._options.on_call(len(requests))
        return flights

    async def _try_send(self, flights: Sequence[Flight]) -> None:
        try:
            if not await self._wire.is_usable():
                await self._wire.close()
                self._wire = self._new_wire()
                await self._wire.open()
        except BaseException as error:
            for flight in flights:
                flight.fail(partial(_same, error))
            if not isinstance(error, Exception):
                raise
            return
        await self._wire.send(flights)

    async def _landed(self, flight: Flight, result: Any) -> None:
        """Give the answers to the callers; those who ask again at once share the next call."""
        self._settle(flight, result)
        await self._send()
        self._leave_at = sys.maxsize
        await asyncio.sleep(0)
        await self._send()

    def _settle(self, flight: Flight, result: Any) -> None:
        if isinstance(result, ERROR_REPLIES):
            flight.fail(partial(error_from, result))
            return
        try:
            reply = parse_reply(result)
            self._options.fences.saw(self._sale, self._shard, reply.position)
            for future, answer in zip(flight.futures, reply.answers, strict=True):
                if not future.done():  # its caller may have been cancelled
                    future.set_result(answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            flight.fail(partial(_same, error))


def _same(error: BaseException) -> Exception:
    """An exception of its own for every caller: one shared object would collect all their tracebacks."""
    if isinstance(error, Unreachable):
        copy = type(error)(str(error))
        copy.__cause__ = error.__cause__
        return copy
    return error if isinstance(error, Exception) else Unreachable("this client was stopped; nothing was sent")
