"""How connections of the asyncio clients end: heard of, and at once.

What ended a connection is asked for: asyncio keeps it, and if nobody asks, logs a traceback some time later. And nobody
waits for the other side: over TLS, asyncio keeps a connection open until that one has hung up, too, or half a minute
is over, and an event loop that ends before leaves it open for good.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from redis.asyncio.connection import AbstractConnection


class Endings:
    """The connections of one client that have not ended."""

    def __init__(self) -> None:
        #: each with the task that hears of its end: the event loop itself keeps no task alive
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def greet(self, connection: AbstractConnection) -> None:
        """Greet the server, as redis-py does it. For the option `redis_connect_func`."""
        writer = connection._writer  # noqa: SLF001 - redis-py tells nobody else
        assert writer is not None, "it is connected"
        task = asyncio.get_running_loop().create_task(_hear(writer))
        self._open[task] = writer
        task.add_done_callback(self._open.pop)
        await connection.on_connect()

    async def end(self) -> None:
        """Have all of them ended, whatever the other side does."""
        for writer in self._open.values():
            if not writer.is_closing():  # what is closed twice cannot be aborted any more
                writer.close()
            writer.transport.abort()
        if self._open:
            await asyncio.wait(list(self._open))


async def _hear(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        await writer.wait_closed()
