"""A crowd that speaks HTTP: connections that each ask again when answered, or requests that arrive by themselves."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Self

from flashsale.address import Address
from flashsale.bench.arrivals import paced
from flashsale.bench.http_wire import Connection, Pool, Reply, connect, packed
from flashsale.bench.trial import Clock, Latencies
from flashsale.errors import Unreachable

#: Of a crowd that asks again when it is answered.
CONNECTIONS = 64
#: At most, of a crowd whose requests arrive by themselves.
CONNECTIONS_MAX = 256
#: A round of the slowest server ends long before; a backlog is waited for so long.
ROUND_S, DRAIN_S = 120.0, 10.0
#: What stands for an answer that did not come: whether it was done, nobody knows.
LOST = "lost"


class SteadyCrowd:
    """Connections, each with one request under way, until all requests are answered."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = connections

    @classmethod
    async def opened(cls, address: Address) -> Self:
        """Its connections are there. Raises `Unreachable`."""
        try:
            return cls([await connect(address) for _ in range(CONNECTIONS)])
        except OSError as error:
            raise Unreachable(f"{address} does not answer: {error}") from error

    async def ask(self, requests: Sequence[bytes], told: Counter[str]) -> Latencies:
        """Ask everything; `told` counts the statuses of the answers. Raises `Unreachable`."""
        clock, queue = Clock(len(requests)), iter(requests)
        done = asyncio.get_running_loop().create_future()

        def ask(connection: Connection) -> None:
            request = next(queue, None)
            if request is not None:
                connection.ask(request, partial(heard, connection, time.perf_counter()))

        def heard(connection: Connection, began: float, reply: Reply | None) -> None:
            if reply is None:
                if not done.done():
                    done.set_exception(Unreachable("the server hung up on the benchmark"))
                return
            clock.took(time.perf_counter() - began)
            told[str(reply.status)] += 1
            if len(clock.latencies) == len(requests):
                done.set_result(None)
            ask(connection)

        for connection in self._connections:
            ask(connection)
        try:
            await asyncio.wait_for(done, ROUND_S)
        except TimeoutError as error:
            raise Unreachable("requests of the benchmark are not answered") from error
        return clock.latencies

    async def close(self) -> None:
        for connection in self._connections:
            connection.close()
        await asyncio.sleep(0)


class Offered:
    """What came of requests that were sent when they were due, not when the server was ready."""

    def __init__(self) -> None:
        #: of each, s, from when it was due
        self.latencies: list[float] = []
        #: when each was answered, s from the start
        self.answered: list[float] = []
        self.told: Counter[str] = Counter()

    def heard(self, due_s: float, now_s: float, reply: Reply | None) -> None:
        self.latencies.append(now_s - due_s)
        self.answered.append(now_s)
        self.told[LOST if reply is None else str(reply.status)] += 1


async def offer(address: Address, requests: Iterable[bytes], due: Sequence[float]) -> Offered:
    """Send each request when it is due, and wait for the answers, a backlog for so long as is sensible.

    A crowd's connections are open before: what opening them costs is another question.
    """
    pool, offered = Pool(address, CONNECTIONS_MAX), Offered()
    await pool.fill()
    # What is connected here may wait there to be accepted: each is answered once before the clock starts.
    greeting = packed("GET", str(address), "/healthz", {})
    await asyncio.gather(*(pool.submit(greeting) for _ in range(CONNECTIONS_MAX)))
    under_way = set[asyncio.Future[Reply | None]]()

    def heard(due_s: float, future: asyncio.Future[Reply | None]) -> None:
        under_way.discard(future)
        offered.heard(due_s, time.perf_counter() - began, future.result())

    queue = iter(requests)
    try:
        with _uncollected():
            began = time.perf_counter()
            async for due_s in paced(due, lambda: time.perf_counter() - began):
                future = pool.submit(next(queue))
                under_way.add(future)
                future.add_done_callback(partial(heard, due_s))
            if under_way:
                await asyncio.wait(under_way, timeout=DRAIN_S)
    finally:
        await pool.close()
        await asyncio.sleep(0)  # those who still waited hear that nothing came
    return offered


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which holds up a crowd for 30 ms: they would be taken for the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
