"""The stock of each sale as it changes, told to those who shop: a message is made once, and written to all of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flashsale.gateway import problems
from flashsale.gateway.callers import Callers
from flashsale.gateway.outlet import Outlet, chunk
from flashsale.gateway.problems import PRIVATE, Problem
from flashsale.gateway.sale_state import Page, SaleStates
from flashsale.gateway.sales import Sales

#: What says nothing keeps a connection from being taken for dead, by proxies too: most wait for a minute.
HEARTBEAT_S = 15.0
#: A feed ends after so long, and up to a quarter earlier: its token is looked at again, and who is gone makes room.
FEED_S = 600.0
#: Tabs of one buyer. The newest ones are kept: the others may be connections that broke unnoticed.
FEEDS_PER_BUYER_MAX = 3
#: When to come back after an end, at the earliest; each client is told up to three times as long.
RETRY_MS = 1_000
#: So many are written to in one turn of the event loop: a millisecond.
WRITES_PER_TURN = 100

MEDIA_TYPE = "text/event-stream"

_HEARTBEAT = chunk(b":\n\n")
_HEADERS = {**PRIVATE, "X-Accel-Buffering": "no"}  # nginx would gather messages


class Follower:
    """One client that follows one sale."""

    __slots__ = ("buyer", "outlet", "until_s")

    def __init__(self, buyer: str, outlet: Outlet) -> None:
        self.buyer, self.outlet = buyer, outlet
        self.until_s = time.monotonic() + FEED_S * random.uniform(0.75, 1)  # noqa: S311  # jitter


class Channel:
    """One sale: its newest message, and who hears it."""

    def __init__(self) -> None:
        self.change, self.message = "", b""
        self.told_s = time.monotonic()
        self.followers: set[Follower] = set()

    def news(self, page: Page, now_s: float) -> bytes | None:
        """What there is to be told now."""
        if page.change != self.change:
            self.change = page.change
            self.message = chunk(b"id: %b\nevent: sale\ndata: %b\n\n" % (page.change.encode(), page.body))
            news = self.message
        elif now_s - self.told_s >= HEARTBEAT_S:
            news = _HEARTBEAT
        else:
            return None
        self.told_s = now_s
        return news


#: Request, sale and buyer.
Check = Callable[[Request, str, str], None]


def _everybody(request: Request, sale: str, buyer: str) -> None:
    """May follow."""


class Feeds:
    """Every feed of this gateway, at most so many. `check` raises `Problem` for a buyer who has not been let in."""

    def __init__(
        self, callers: Callers, sales: Sales, states: SaleStates, feeds_max: int, *, check: Check = _everybody
    ) -> None:
        self._callers, self._sales, self._states, self._feeds_max = callers, sales, states, feeds_max
        self._check = check
        self._channels: dict[str, Channel] = {}
        #: oldest first
        self._of_buyer: dict[str, list[Follower]] = {}
        self.count = 0

    async def follow(self, request: Request) -> Response:
        """A response that goes on until somebody ends it. Raises `Problem`."""
        buyer = self._callers.buyer(request)
        sale = self._sales.find(request.path_params["sale"]).sale
        channel = self._channels.get(sale)
        if channel is None or not self._states.are_fresh:
            raise Problem(problems.UNAVAILABLE, "the state of this sale is not known at the moment")
        self._check(request, sale, buyer)
        if self.count >= self._feeds_max and len(self._of_buyer.get(buyer, ())) < FEEDS_PER_BUYER_MAX:
            raise Problem(problems.OVERLOADED, "too many follow sales here: poll the sale instead")
        if request.method == "HEAD":
            return Response(headers=_HEADERS, media_type=MEDIA_TYPE)
        follower = Follower(buyer, request.state.outlet)
        return _Feed(self, channel, follower, request.headers.get("last-event-id", ""))

    async def keep_telling(self) -> None:
        """Tell each look's changes, for ever."""
        while True:
            await self._states.next_look()
            await self._tell(self._states.pages)

    async def _tell(self, pages: Mapping[str, Page]) -> None:
        for sale, page in pages.items():
            channel = self._channels.get(sale)
            if channel is None:
                channel = self._channels[sale] = Channel()
            if not channel.followers and channel.change == page.change:
                continue
            now_s = time.monotonic()
            if news := channel.news(page, now_s):
                for written, follower in enumerate(tuple(channel.followers), 1):
                    if follower.until_s < now_s:
                        follower.outlet.end()
                    else:
                        follower.outlet.write(news)
                    if written % WRITES_PER_TURN == 0:
                        await asyncio.sleep(0)

    def enter(self, follower: Follower) -> None:
        self.count += 1
        own = self._of_buyer.setdefault(follower.buyer, [])
        own.append(follower)
        for old in own[:-FEEDS_PER_BUYER_MAX]:
            old.outlet.end()

    def leave(self, follower: Follower, channel: Channel) -> None:
        self.count -= 1
        channel.followers.discard(follower)
        own = self._of_buyer[follower.buyer]
        own.remove(follower)
        if not own:
            del self._of_buyer[follower.buyer]


class _Feed(Response):
    """A feed as a response of the server: sends its head, then is there until the connection ends."""

    media_type = MEDIA_TYPE

    def __init__(self, feeds: Feeds, channel: Channel, follower: Follower, heard: str) -> None:
        self.status_code, self.background = 200, None
        self.init_headers(_HEADERS)
        self._feeds, self._channel, self._follower, self._heard = feeds, channel, follower, heard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # as it is called
        self._feeds.enter(self._follower)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            retry_ms = random.randint(RETRY_MS, 3 * RETRY_MS)  # noqa: S311  # jitter
            await send({"type": "http.response.body", "body": b"retry: %d\n\n" % retry_ms, "more_body": True})
            self._open()
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._feeds.leave(self._follower, self._channel)

    def _open(self) -> None:
        """From here on what is told is heard, and what was told last unless it had been heard."""
        outlet, channel = self._follower.outlet, self._channel
        outlet.open()
        channel.followers.add(self._follower)
        if channel.change != self._heard:
            outlet.write(channel.message)
