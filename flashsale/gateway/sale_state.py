"""The state of each sale, one page for everybody: built by one task, answered from memory, fit for a cache."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flashsale.client.aio_reads import AsyncReads
from flashsale.commands import Snapshot, sale_state
from flashsale.definition import SaleDefinition
from flashsale.errors import FlashsaleError, Halted
from flashsale.gateway import messages, problems
from flashsale.gateway.messages import ItemState, SaleState
from flashsale.gateway.outage import Outage
from flashsale.gateway.polling import poll_after_ms
from flashsale.gateway.problems import Problem
from flashsale.gateway.reading import header
from flashsale.gateway.ready import Ready
from flashsale.gateway.rooms import Rooms
from flashsale.gateway.sales import Sales
from flashsale.stream import ShardId

#: How old a page may be: half a second, while nobody polls more often than every two.
LOOK_EVERY_S = 0.5
#: So old, it is no answer any more.
STALE_S = 5.0
#: For browsers and a CDN: one second of the crowd is one request.
CACHE_CONTROL = "public, max-age=1, stale-while-revalidate=2, stale-if-error=30"


class Page(NamedTuple):
    """One sale's page."""

    body: bytes
    etag: str
    #: the same for the same stock and state, whatever the pace
    change: str
    #: made once for everybody: the page, and that it has not changed
    whole: Response
    unchanged: Response

    def is_known(self, if_none_match: Sequence[str]) -> bool:
        """Whether the caller has it already, weak or strong, or has any and wants none."""
        return any(self.etag[2:] in tags or tags.strip() == "*" for tags in if_none_match)


class SaleStates:
    """Looks at every sale that is not archived, and answers with what it saw.

    `available_max`: of more units of a SKU than so many, this number is told; None: the exact one.
    """

    def __init__(
        self, sales: Sales, reads: AsyncReads, rooms: Rooms, *, available_max: int | None = None
    ) -> None:
        self._sales, self._reads, self._rooms = sales, reads, rooms
        self._available_max = available_max
        #: sale → its newest page
        self.pages: Mapping[str, Page] = {}
        self._look_ends = asyncio.Event()
        #: when all of them were last seen; None before the first time
        self._looked_s: float | None = None
        #: archived sales, of which there may be thousands
        self._of_the_past: dict[str, tuple[SaleDefinition, Page]] = {}

    @property
    def age_s(self) -> float | None:
        """How old the pages are; None while there are none."""
        return None if self._looked_s is None else time.monotonic() - self._looked_s

    @property
    def are_fresh(self) -> bool:
        return self._looked_s is not None and time.monotonic() - self._looked_s < STALE_S

    async def get(self, request: Request) -> Response:
        """The page, or that it is still the one which the caller has."""
        sale = request.path_params["sale"]
        self._sales.find(sale)
        page = self.pages.get(sale)
        if page is None or not self.are_fresh:
            raise Problem(problems.UNAVAILABLE, "the state of this sale is not known at the moment")
        return page.unchanged if page.is_known(header(request, b"if-none-match")) else page.whole

    async def next_look(self) -> None:
        """Return when the look under way, or the next one, has ended, whatever came of it."""
        await self._look_ends.wait()

    async def keep_looking(self) -> None:
        """Look for ever. A Redis that is away, or refuses, is waited for; the pages become stale meanwhile."""
        late_ms, outage = 0.0, Outage("redis")
        while True:
            try:
                await self._look(late_ms)
                outage.over()
            except FlashsaleError as error:
                outage.met(error)
            self._look_ends.set()
            self._look_ends = asyncio.Event()
            wake_s = time.monotonic() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            late_ms = (time.monotonic() - wake_s) * 1000

    async def _look(self, late_ms: float) -> None:
        """One page for each sale there is."""
        definitions = list(self._sales.all())
        running = [definition for definition in definitions if not self._sales.is_archived(definition.sale)]
        # One shard each: no sale has more yet.
        seen = await self._reads.snapshots([(definition.sale, 0) for definition in running])
        pages = {
            definition.sale: self._page_of_the_past(definition)
            for definition in definitions
            if self._sales.is_archived(definition.sale)
        }
        states = [
            self._state(definition, snapshot, late_ms)
            for definition, snapshot in zip(running, seen, strict=True)
        ]
        rooms = await self._look_at_rooms(states, seen)
        for state in states:
            pages[state.sale] = page(msgspec.structs.replace(state, room=rooms.get(state.sale)))
        self.pages = pages
        if self._sales.are_known:
            self._looked_s = time.monotonic()

    def _page_of_the_past(self, definition: SaleDefinition) -> Page:
        """Of an archived sale there is nothing to be seen: its page is made once."""
        made = self._of_the_past.get(definition.sale)
        if made is None or made[0] != definition:
            made = definition, page(_unseen(definition, "archived", late_ms=0))
            self._of_the_past[definition.sale] = made
        return made[1]

    async def _look_at_rooms(
        self, states: Sequence[SaleState], seen: Sequence[Snapshot | Halted]
    ) -> dict[str, messages.Room]:
        """The rooms of the sales that have one, which are kept for those who wait, too."""
        found = {
            state.sale: (state, snapshot)
            for state, snapshot in zip(states, seen, strict=True)
            if not isinstance(snapshot, Halted) and snapshot.state.room is not None
        }
        rooms = await self._reads.rooms(list(found))
        pages = {}
        for (state, snapshot), room in zip(found.values(), rooms, strict=True):
            if not isinstance(room, Halted) and (view := self._rooms.saw(state, snapshot, room)):
                pages[state.sale] = view.page()
        self._rooms.keep(pages)
        return pages

    def _state(self, definition: SaleDefinition, snapshot: Snapshot | Halted, late_ms: float) -> SaleState:
        if isinstance(snapshot, Halted):
            return _unseen(definition, "damaged", late_ms)
        sale = definition.sale
        word = sale_state(snapshot, self._sales.reached(ShardId(sale, 0)))
        if word in ("defined", "lost", "damaged"):
            return _unseen(definition, word, late_ms)
        state, most = snapshot.state, self._available_max
        items = [
            ItemState(
                item.sku,
                item.title,
                item.unit_price_minor,
                stock.available if most is None else min(stock.available, most),
                stock.limit,
            )
            for item in definition.items
            if (stock := state.stock.get(item.sku))
        ]
        left = sum(item.available for item in items)
        return SaleState(
            sale=sale,
            title=definition.title,
            currency=definition.currency,
            state=word,
            opens_ms=state.opens_ms,
            closes_ms=state.closes_ms,
            hold_ms=state.hold_ms,
            items=items,
            available_max=most,
            poll_after_ms=poll_after_ms(word, left, state.opens_ms - snapshot.now_ms, late_ms),
            server_time_ms=snapshot.now_ms,
        )


def _unseen(definition: SaleDefinition, word: str, late_ms: float) -> SaleState:
    """A sale of which Redis tells no stock: halted while its log is lost, damaged or not where it should be."""
    state = "halted" if word in ("lost", "damaged") else word
    return SaleState(
        sale=definition.sale,
        title=definition.title,
        currency=definition.currency,
        state=state,
        opens_ms=definition.opens_ms,
        closes_ms=definition.closes_ms,
        hold_ms=definition.hold_ms,
        items=[ItemState(i.sku, i.title, i.unit_price_minor, 0, i.limit) for i in definition.items],
        poll_after_ms=poll_after_ms(state, 0, 0, late_ms),
        server_time_ms=int(time.time() * 1000),
    )


def page(state: SaleState) -> Page:
    """Its ETag is weak: it stays while only the time has changed."""
    lasting = msgspec.structs.replace(state, server_time_ms=0)
    change = msgspec.structs.replace(lasting, poll_after_ms=0)
    body, etag = msgspec.json.encode(state), f'W/"{_digest(lasting)}"'
    headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
    whole = Ready(body, headers=headers, media_type="application/json")
    return Page(body, etag, _digest(change), whole, Ready(status_code=304, headers=headers))


def _digest(state: SaleState) -> str:
    return hashlib.blake2b(msgspec.json.encode(state), digest_size=12).hexdigest()
