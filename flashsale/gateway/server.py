"""The server: listens, says that it lives, and leaves only after every request that it took is answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Coroutine, Iterator
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from flashsale.address import Address
from flashsale.errors import RefusedByState
from flashsale.gateway.protocol import LimitedProtocol
from flashsale.notify import Notifier

log = structlog.get_logger(__name__)

#: Connections the kernel may hold that nobody has accepted yet: the first second of a sale.
BACKLOG = 2_048
#: A connection may rest for so long between two requests: longer than a crowd's pace.
KEEP_ALIVE_S = 15
#: Requests under way are answered within this time after SIGTERM: longer than a reply of Redis may take.
DRAIN_S = 10


class Server(uvicorn.Server):
    """uvicorn, whose signals this process handles by itself: it would end by the signal, not with an exit code."""

    def __init__(self, app: ASGIApp, connections_max: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=type("Protocol", (LimitedProtocol,), {"connections_max": connections_max}),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=DRAIN_S,
                timeout_notify=1,
                callback_notify=self._notify,
            )
        )
        # What goes wrong with one client's connection is no news; what goes wrong here is told by flashsale's own log.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        self.signal: int | None = None
        self._notifier = Notifier(os.environ)

    async def run_beside(self, listener: socket.socket, *tasks: Coroutine[Any, Any, None]) -> int:
        """Serve until a signal; returns the exit code: 0 after SIGTERM, 130 after SIGINT. A task that fails ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, number)
        running = [asyncio.create_task(task) for task in tasks]
        for task in running:
            task.add_done_callback(lambda _: self._leave())
        address = Address(*listener.getsockname()[:2])
        self.tell_serving(f"http://{address}")
        self._notifier.ready()
        try:
            await self.serve([listener])
        finally:
            for task in running:
                task.cancel()
            ended = await asyncio.gather(*running, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception):
                raise result
        self.tell_stopped()
        return 130 if self.signal == signal.SIGINT else 0

    def tell_serving(self, url: str) -> None:
        log.info("serving", action="gateway_serving", url=url)

    def tell_stopped(self) -> None:
        log.info("stopped", action="gateway_stopped")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: see `run_beside`."""
        yield

    def _leave(self, number: int | None = None) -> None:
        if not self.should_exit:
            self.signal = number
            self._notifier.stopping()
        self.should_exit = True

    async def _notify(self) -> None:
        self._notifier.alive("serving")


def listen(address: Address) -> socket.socket:
    """A socket that listens. Raises `RefusedByState` when nobody may listen there."""
    try:
        ((family, *_, place),) = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[:1]
        listener = socket.create_server(place[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise RefusedByState(
            f"nobody can be served on {address}: {error.strerror}; choose another address"
        ) from error
    # Connections inherit it; asyncio sets it only where the protocol of a socket is named. Without, the body of each
    # answer waits until the client acknowledges the head, 40 ms later.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
