"""The asyncio client's connection: several calls under way at once, answered in the order in which they left."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import partial
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import NoScriptError, RedisError

from flashsale.client.aio_endings import Endings
from flashsale.client.replicas import Command, ReplicaWait
from flashsale.client.wire import ERROR_REPLIES, connection_options, pack, run_calls
from flashsale.commands import Answer, BatchRequest, Call
from flashsale.errors import UnknownOutcome, Unreachable
from flashsale.tls_reasons import reason


class Flight:
    """One call, and who waits for its answers."""

    __slots__ = ("call", "conversation", "futures", "replies_wanted", "requests")

    conversation: Generator[Sequence[Command], list[Any], list[Any]]

    def __init__(
        self, call: Call, requests: Sequence[BatchRequest], futures: Sequence[asyncio.Future[Answer]]
    ) -> None:
        self.call = call
        self.requests = requests
        self.futures = futures
        self.replies_wanted = 0

    def fail(self, error: Callable[[], Exception]) -> None:
        """Tell everybody who has no answer yet: each an exception of their own, or one would collect all tracebacks."""
        for future in self.futures:
            if not future.done():
                future.set_exception(error())


class AsyncWire:
    """One connection's life: it is never opened again. Whatever happens between request and reply ends it.

    `landed` is awaited with each flight and the result of its call, an error reply among them; `lost` is called when
    the connection has ended, and those who waited for its replies have been told.
    """

    def __init__(
        self,
        redis_url: str,
        timeout_ms: int,
        wait: ReplicaWait,
        landed: Callable[[Flight, Any], Awaitable[None]],
        lost: Callable[[], None],
    ) -> None:
        self._redis_url = redis_url
        self._wait = wait
        # Its own timeouts hold for one read and one write: each write would begin a task. Those here hold for more.
        options: dict[str, Any] = connection_options(timeout_ms) | dict(parse_url(redis_url))
        self._endings = Endings()
        options |= {"socket_timeout": None, "socket_connect_timeout": None}
        options |= {"redis_connect_func": self._endings.greet}
        connection_class = options.pop("connection_class", Connection)
        self._connection: AbstractConnection = connection_class(**options)
        self._timeout_s = timeout_ms / 1000
        self._landed, self._lost = landed, lost
        self._loaded: set[str] = set()
        #: oldest first
        self._under_way: deque[Flight] = deque()
        self._receiver: asyncio.Task[None] | None = None
        #: requests that have left and are not answered
        self.requests_under_way = 0

    async def open(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._connection.connect()
        except (RedisError, OSError) as error:
            await self.close()
            raise Unreachable(f"Redis cannot be reached: {reason(error, self._redis_url)}") from error
        except BaseException:
            await self.close()
            raise

    async def is_usable(self) -> bool:
        """Anything readable while nothing is under way is the end of the connection: the server went away meanwhile."""
        if self._under_way:
            return True
        try:
            return self._connection.is_connected and not await self._connection.can_read()
        except (RedisError, OSError):
            return False

    async def send(self, flights: Sequence[Flight]) -> None:
        """Have these calls leave, in one write. What becomes of them, `landed` or their callers hear."""
        for flight in flights:
            flight.conversation = run_calls([flight.call], self._loaded, self._wait)
            self.requests_under_way += len(flight.requests)
        await self._write([(flight, next(flight.conversation)) for flight in flights])

    async def close(self) -> None:
        """Close the connection. Nothing may be under way."""
        await self._connection.disconnect(nowait=True)
        await self._endings.end()

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._receiver is not None:
            await asyncio.wait([self._receiver])

    async def _write(self, leaving: Sequence[tuple[Flight, Sequence[Command]]]) -> None:
        for flight, commands in leaving:
            flight.replies_wanted = len(commands)
            self._under_way.append(flight)
        if self._receiver is None:
            self._receiver = asyncio.get_running_loop().create_task(self._receive())
        try:
            data = pack([command for _, commands in leaving for command in commands])
            async with asyncio.timeout(self._timeout_s):
                await self._connection.send_packed_command([data], check_health=False)
        except BaseException as error:
            await self._end(error)
            if not isinstance(error, (RedisError, OSError)):
                raise

    async def _receive(self) -> None:
        """Read replies while any are to come."""
        try:
            while self._under_way:
                flight = self._under_way[0]
                replies = [await self._read() for _ in range(flight.replies_wanted)]
                self._under_way.popleft()
                await self._hand_over(flight, replies)
        except BaseException as error:
            await self._end(error)
            if not isinstance(error, (RedisError, OSError)):
                raise
        finally:
            self._receiver = None
        if not self._connection.is_connected:
            self._lost()

    async def _read(self) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
        except ERROR_REPLIES as error:
            return error

    async def _hand_over(self, flight: Flight, replies: list[Any]) -> None:
        try:
            again = flight.conversation.send(replies)
        except StopIteration as end:
            (result,) = end.value
        else:
            if not self._is_overtaken(flight):
                await self._write([(flight, again)])
                return
            result = next(reply for reply in replies if isinstance(reply, NoScriptError))
        self.requests_under_way -= len(flight.requests)
        await self._landed(flight, result)

    def _is_overtaken(self, flight: Flight) -> bool:
        """Whether a call that left later is about the same: sent again, this one would be decided after it."""
        behind = {request.subject for other in self._under_way for request in other.requests}
        return any(request.subject in behind for request in flight.requests)

    async def _end(self, error: BaseException) -> None:
        """Close the connection; what is under way has an outcome that nobody knows."""
        flights = list(self._under_way)
        self._under_way.clear()
        self.requests_under_way = 0
        if self._receiver is not None and self._receiver is not asyncio.current_task():
            self._receiver.cancel()
        why = str(error) or ("none in time" if isinstance(error, TimeoutError) else "this client was stopped")
        for flight in flights:
            flight.fail(partial(_unknown, why, error))
        await self.close()


def _unknown(why: str, cause: BaseException) -> UnknownOutcome:
    error = UnknownOutcome(f"the reply was lost ({why}): retry with the same id")
    error.__cause__ = cause
    return error
