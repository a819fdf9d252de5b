"""Orders of sales that are over, which only Postgres has: read in threads, few at once, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from flashsale.beside import beside
from flashsale.errors import Overloaded, Unreachable
from flashsale.projections.reads import OrderRow

#: Each is a connection to Postgres for a moment.
READS_MAX = 4
#: More would wait longer than any caller does.
WAITING_MAX = 200
#: From the question to the answer.
READ_S = 5.0

Read = Callable[[str, str], OrderRow | None]


class Archive:
    """`read` is called in a thread with sale and order id. It belongs to the event loop in which it is used first."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._waiting = 0
        self._free = asyncio.Semaphore(READS_MAX)

    async def order(self, sale: str, order_id: str) -> OrderRow | None:
        """One order; None when the sale has none such. Raises `Unreachable`, and `Overloaded`."""
        if self._waiting >= WAITING_MAX:
            raise Overloaded
        self._waiting += 1
        try:
            async with asyncio.timeout(READ_S):
                await self._free.acquire()
                reading = beside(partial(self._read, sale, order_id), "gateway-archive")
                # Not when nobody waits any more: a Postgres that hangs keeps its thread, and there are few.
                reading.add_done_callback(partial(self._freed, asyncio.get_running_loop()))
                return await asyncio.wrap_future(reading)
        except TimeoutError as error:
            raise Unreachable("Postgres does not answer in time") from error
        finally:
            self._waiting -= 1

    def _freed(self, loop: asyncio.AbstractEventLoop, reading: Future[OrderRow | None]) -> None:  # noqa: ARG002  # a callback takes one
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            loop.call_soon_threadsafe(self._free.release)
