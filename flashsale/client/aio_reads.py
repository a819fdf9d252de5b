"""Reads for one event loop: what many callers want to know in the same turn is asked in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from flashsale.client.aio_endings import Endings
from flashsale.client.replicas import NO_WAIT, Command, TooFewReplicas
from flashsale.client.wire import REPLY_TIMEOUT_MS, Fences, error_from, replica_wait, run_calls
from flashsale.commands import (
    Call,
    RoomState,
    Snapshot,
    parse_order,
    parse_room_state,
    parse_snapshot,
    room_state_call,
    snapshot_call,
)
from flashsale.errors import Halted, Overloaded, RefusedByState, Unreachable
from flashsale.events import Order
from flashsale.ids import START, Position, shard_of_order
from flashsale.keys import shard_keys

#: Commands in one round trip. Redis serves nobody else while it works on them: under a millisecond.
COMMANDS_MAX = 512
#: Reads that may wait. More would wait longer than any caller does.
WAITING_MAX = 50_000

Read = TypeVar("Read")


class Archived(RefusedByState):
    """The sale is over, and only Postgres has its orders."""


class AsyncReads:
    """Read what Redis holds, without changing anything. It belongs to the event loop in which it is used first.

    Raises `Unreachable`, and `Halted` for a log that is damaged, or behind `fences`: what it does not hold may have
    been lost, so nobody is told that it never was. `replicas`: so many must have what is told of an order; snapshots
    wait for nobody.
    """

    def __init__(
        self, redis_url: str, fences: Fences, *, timeout_ms: int = REPLY_TIMEOUT_MS, replicas: int = 0
    ) -> None:
        self._endings = Endings()
        # A read may be sent again: once, on a new connection, for the old one may have ended unnoticed.
        self._redis: Redis = Redis.from_url(
            redis_url,
            protocol=2,
            retry=Retry(NoBackoff(), 1),
            socket_timeout=timeout_ms / 1000,
            socket_connect_timeout=timeout_ms / 1000,
            health_check_interval=0,
            redis_connect_func=self._endings.greet,
        )
        self._fences = fences
        self._wait = replica_wait(replicas, timeout_ms)
        #: where what is waited for is sent: any log will do
        self._channel = ""
        self._loaded: set[str] = set()
        self._waiting: list[tuple[Command, asyncio.Future[Any]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._line = asyncio.Lock()

    async def close(self) -> None:
        """Hang up. Reads under way are answered first."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        await self._endings.end()
        await self._redis.aclose()

    async def order(self, sale: str, order_id: str) -> Order | None:
        """One order as Redis holds it; None when it holds none. Raises `Archived`."""
        shard = shard_of_order(order_id)
        keys = shard_keys(sale, shard)
        self._channel = keys.events
        # The head last: a loss before the record was read shows in it, even when the two leave in two batches.
        record = self._put("HGET", keys.orders, order_id)
        head = self._put("HMGET", keys.sale, "epoch", "seq", "lost", "state")
        text, (epoch, seq, lost, state) = await asyncio.gather(record, head)
        if state == b"archived":
            raise Archived
        try:
            position = Position.parse(b"%b-%b" % (epoch, seq)) if epoch and seq else START
            if lost or position < self._fences.of(sale, shard):
                raise Halted(f"the log of {sale} has lost its tail")
            return None if text is None else parse_order(text.decode())
        except ValueError as error:
            raise Halted(
                f"Redis holds a record of {order_id} that flashsale did not write: {error}"
            ) from error

    async def snapshots(self, shards: Sequence[tuple[str, int]]) -> list[Snapshot | Halted]:
        """The counters of each shard now; of a damaged one, what is wrong with it."""
        calls = [snapshot_call(sale, shard, everything=False) for sale, shard in shards]
        return [_parsed(raw, parse_snapshot) for raw in await self._run(calls)]

    async def rooms(self, sales: Sequence[str]) -> list[RoomState | Halted]:
        """How the waiting room of each sale stands; the settings are in the snapshots, too."""
        return [_parsed(raw, parse_room_state) for raw in await self._run([*map(room_state_call, sales)])]

    async def _run(self, calls: Sequence[Call]) -> list[Any]:
        if not calls:
            return []
        conversation = run_calls(calls, self._loaded, NO_WAIT)
        try:
            commands = next(conversation)
            while True:
                commands = conversation.send(await self._ask(commands))
        except StopIteration as end:
            return list(end.value)
        except BaseException:
            self._loaded.clear()
            raise

    def _put(self, *command: str | int) -> asyncio.Future[Any]:
        if len(self._waiting) >= WAITING_MAX:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, future))
        if self._asking is None:
            self._asking = loop.create_task(self._ask_for_all())
        return future

    async def _ask_for_all(self) -> None:
        """Everything that waits, a batch a turn: every caller that is ready to run puts its question before."""
        try:
            while self._waiting:
                await asyncio.sleep(0)
                batch, self._waiting = self._waiting[:COMMANDS_MAX], self._waiting[COMMANDS_MAX:]
                await self._answer(batch)
        finally:
            self._asking = None

    async def _answer(self, batch: Sequence[tuple[Command, asyncio.Future[Any]]]) -> None:
        ending = self._wait.behind(self._channel)
        try:
            replies = await self._ask([*(command for command, _ in batch), *ending])
            if ending:
                replies = self._wait.judged(replies[: len(batch)], replies[len(batch) :])
        except Unreachable as error:
            replies = [error] * len(batch)
        for (_, future), reply in zip(batch, replies, strict=True):
            if future.done():  # its caller was cancelled
                continue
            if isinstance(reply, TooFewReplicas):
                future.set_exception(Unreachable(f"what Redis says could be lost: {reply}"))
            elif isinstance(reply, RedisError):
                future.set_exception(error_from(reply))
            elif isinstance(reply, Unreachable):
                future.set_exception(
                    Unreachable(str(reply))
                )  # one of its own: it collects its caller's traceback
            else:
                future.set_result(reply)

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        async with self._line:
            pipeline = self._redis.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            try:
                return list(await pipeline.execute(raise_on_error=False))
            except (RedisError, OSError) as error:
                raise Unreachable(f"Redis cannot be reached: {error}") from error


def _parsed(raw: Any, parse: Callable[[Any], Read]) -> Read | Halted:
    try:
        if isinstance(raw, RedisError):
            raise error_from(raw)
        return parse(raw)
    except Halted as error:
        return error
