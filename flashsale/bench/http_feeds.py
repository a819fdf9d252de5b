"""A crowd that follows a sale: connections that are told each change, all of them at once."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Self

from flashsale.address import Address
from flashsale.bench.http_stage import Stage
from flashsale.bench.place import Place
from flashsale.bench.trial import Contender, Prepare, Role, Trial
from flashsale.errors import Unreachable

#: As many as a gateway takes unless it is told otherwise.
FEEDS = 2_000
#: Changes that each of them is told in a quick round.
CHANGES = 6
#: A unit is sold so often: whenever the gateway looks, twice a second, there is something to tell.
SELL_EVERY_S = 0.1
#: So many connections are opened at a time.
OPENED_AT_ONCE = 100
#: A change is told to everybody long before.
TELL_S = 30.0

_OK, _MESSAGE = b"HTTP/1.1 200 ", re.compile(rb"id: (\S+)\nevent: sale\n")
#: What may be the beginning of one, at the end of what has come.
_BEGINNING_BYTES = 128


def feeds(stage: Stage) -> Contender:
    """How much of a core the gateway needs to tell everybody what changes, as fast as it tells."""
    title = f"feeds of {FEEDS:,} buyers, told each change"
    return Contender("feeds", title, Role.FLASHSALE, _following(stage), FEEDS * CHANGES)


def _following(stage: Stage) -> Prepare:
    @contextmanager
    def prepare(place: Place, number: int) -> Iterator[Trial]:
        count = max(1, min(FEEDS, number // CHANGES))
        requests, gateway = stage.feed_requests(count), stage.gateway
        with asyncio.Runner() as runner, place.meter.watching(gateway.pid):
            crowd = runner.run(Followers.opened(gateway.address, requests))
            yield Trial(
                lambda: runner.run(crowd.hear(number, stage.sell)),
                lambda: {"told alike": crowd.told_alike},
                {"told alike": count},
            )
            runner.run(crowd.close())

    return prepare


class Followers:
    """Everybody who follows."""

    def __init__(self) -> None:
        self._feeds: list[_Feed] = []
        #: the ids of all messages, as they were first heard
        self._told: dict[bytes, None] = {}
        #: messages to be heard by all together before who waits is woken
        self._missing = 0
        self._woken = asyncio.Event()

    @classmethod
    async def opened(cls, address: Address, requests: Sequence[bytes]) -> Self:
        """All of them follow, and have been told how the sale stands. Raises `Unreachable`."""
        found = cls()
        for first in range(0, len(requests), OPENED_AT_ONCE):
            await found._open(address, requests[first : first + OPENED_AT_ONCE])
        return found

    async def hear(self, messages: int, change: Callable[[], None]) -> None:
        """Change the sale again and again until they have heard so many more, together. Raises `Unreachable`."""
        self._wait_for(messages)
        try:
            async with asyncio.timeout(TELL_S * math.ceil(messages / len(self._feeds))):
                while not self._woken.is_set():
                    change()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), SELL_EVERY_S)
        except TimeoutError as error:
            raise Unreachable("the feeds of the benchmark are not told what changes") from error

    @property
    def told_alike(self) -> int:
        """Those who are still there, and lack nothing but the message that is being told."""
        newest = list(self._told)[-2:]
        return sum(feed.is_open and feed.newest in newest for feed in self._feeds)

    async def close(self) -> None:
        for feed in self._feeds:
            feed.close()
        await asyncio.sleep(0)

    def heard(self, ids: list[bytes]) -> None:
        """By one of them: messages of these ids."""
        self._told |= dict.fromkeys(ids)
        self._missing -= len(ids)
        if self._missing <= 0:
            self._woken.set()

    def lost(self) -> None:
        """One of them was hung up on."""
        self._woken.set()

    async def _open(self, address: Address, requests: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self._wait_for(len(requests))
        try:
            async with asyncio.timeout(TELL_S):
                for request in requests:
                    _, feed = await loop.create_connection(partial(_Feed, self, request), *address)
                    self._feeds.append(feed)
                await self._woken.wait()
        except OSError as error:  # a TimeoutError is one
            raise Unreachable(f"{address} does not serve feeds: {error}") from error
        if not all(feed.is_open for feed in self._feeds):
            raise Unreachable(f"{address} refuses feeds, or ends them")

    def _wait_for(self, messages: int) -> None:
        self._missing = messages
        self._woken.clear()


class _Feed(asyncio.Protocol):
    """One of them: of its messages nothing but the ids is read."""

    def __init__(self, crowd: Followers, request: bytes) -> None:
        self._crowd, self._request = crowd, request
        self._transport: asyncio.Transport | None = None
        #: what has come and is no message yet; before the status line has, all of it
        self._rest, self._is_answered = b"", False
        #: the id of its newest message; empty: it has heard none yet
        self.newest, self.is_open = b"", True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        # A message may come in two pieces.
        data = self._rest + data
        messages = list(_MESSAGE.finditer(data))
        if not self._is_answered:
            if not data.startswith(_OK[: len(data)]):
                self.close()
                return
            self._is_answered = len(data) >= len(_OK)
        self._rest = data[messages[-1].end() if messages else 0 :][-_BEGINNING_BYTES:]
        if messages:
            ids = [message[1] for message in messages]
            self.newest = ids[-1]
            self._crowd.heard(ids)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        self.is_open = False
        self._crowd.lost()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
