"""What ended a connection is asked for: asyncio keeps it, and if nobody asks, logs a traceback some time later."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from redis.asyncio.connection import AbstractConnection

#: The event loop itself keeps no task alive.
_hearing: set[asyncio.Task[None]] = set()


async def greet(connection: AbstractConnection) -> None:
    """Greet the server, as redis-py does it, and hear of the connection's end. For the option `redis_connect_func`.

    redis-py hangs up on a connection that failed without waiting for its end.
    """
    writer = connection._writer  # noqa: SLF001 - redis-py tells nobody else
    if writer is not None:
        task = asyncio.get_running_loop().create_task(_hear(writer))
        _hearing.add(task)
        task.add_done_callback(_hearing.discard)
    await connection.on_connect()


async def _hear(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        await writer.wait_closed()
