"""A server that falls silent, and what is left of the connections to it."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Literal
from urllib.parse import urlsplit

from flashsale.client import AsyncClient, Client, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.errors import UnknownOutcome, Unreachable
from tests.fixtures.proxy import Mode, Proxy
from tests.integration.client_kit import order

SALE, SKU = "no-sale", "phone"

#: What it does not answer any more.
Silence = Literal["greeting", "request", "end"]


class Life:
    """The life of one client at `url`, by way of `network`, which falls silent at some time."""

    def __init__(self, network: Proxy, url: str, silence: Silence) -> None:
        self._network, self._url, self._silence = network, url, silence
        #: where every request is answered, nobody waits so long
        self._timeout_ms = 10_000 if silence == "end" else 500

    def sync(self) -> bool:
        """Of a sync client; returns whether it was answered, as the others do."""
        with Client(self._url, timeout_ms=self._timeout_ms) as client:
            try:
                for _ in self._moments():
                    client.snapshot(SALE)
            except (Unreachable, UnknownOutcome):
                return False
        return True

    def asyncio(self) -> bool:
        async def live() -> bool:
            client = AsyncClient(self._url, timeout_ms=self._timeout_ms)
            return await self._live(lambda: client.reserve(SALE, order(1), "ann", SKU), client.close)

        return asyncio.run(live())

    def reads(self) -> bool:
        """Of the reads of a gateway."""

        async def live() -> bool:
            reads = AsyncReads(self._url, Fences(), timeout_ms=self._timeout_ms)
            return await self._live(lambda: reads.order(SALE, order(1)), reads.close)

        return asyncio.run(live())

    async def _live(self, ask: Callable[[], Awaitable[object]], close: Callable[[], Awaitable[None]]) -> bool:
        try:
            for _ in self._moments():
                await ask()
        except (Unreachable, UnknownOutcome):
            return False
        finally:
            await close()
        return True

    def _moments(self) -> Iterator[Silence]:
        """Before each request, and before the end."""
        for moment in ("greeting", "request"):
            if moment == self._silence:
                self._network.behave(Mode.BLACK_HOLE)
            yield moment
        self._network.behave(Mode.BLACK_HOLE)


def connected_to(url: str) -> list[socket.socket]:
    """This process's connections to its port, those among them that nobody can reach any more."""
    port = urlsplit(url).port
    sockets = [thing for thing in gc.get_objects() if isinstance(thing, socket.socket)]
    return [sock for sock in sockets if _port_of_peer(sock) == port]


def _port_of_peer(sock: socket.socket) -> int | None:
    try:
        name = sock.getpeername()
    except OSError:  # closed, or not connected
        return None
    return int(name[1]) if isinstance(name, tuple) else None
