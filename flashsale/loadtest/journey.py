"""What one buyer does: look, order, perhaps press the button twice, then pay, give up or forget it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from flashsale import ids
from flashsale.bench.http_wire import Pool, Reply
from flashsale.client_history import HistoryWriter
from flashsale.commands import Answer, Cancel, Code, Confirm, OrderRequest, Reserve
from flashsale.loadtest.measured import Measured
from flashsale.loadtest.scenarios import BOT_NAMES, BOT_ORDERS, Scenario
from flashsale.loadtest.target import Target, Told, told

#: A request whose outcome is unknown, or that found nobody, is sent so often in all …
TRIES_MAX = 8
#: … after the pause that the gateway asks for, but no longer than this.
PAUSE_MAX_S = 5.0
#: Who has not been let in after asking so often gives up.
JOINS_MAX = 100


class Ground(NamedTuple):
    """What all buyers of a run share."""

    target: Target
    scenario: Scenario
    pool: Pool
    history: HistoryWriter
    measured: Measured
    #: seconds since the start
    now: Callable[[], float]
    #: in front of every buyer's name and key
    run: str


class Journey:
    """One arrival. Everything it decides follows from `dice`."""

    def __init__(self, ground: Ground, number: int, dice: random.Random) -> None:
        self._ground, self._dice = ground, dice
        self._is_bot = dice.random() * 100 < ground.scenario.bots
        name = f"bot-{number % BOT_NAMES}" if self._is_bot else str(number)
        self._buyer, self._key = f"{ground.run}-{name}", f"{ground.run}-{number}"
        self._etag, self._has_room, self._pass = "", False, ""

    async def walk(self, due_s: float) -> None:
        """All of it; the first request is due at `due_s`."""
        if self._is_bot:
            for number in range(BOT_ORDERS):
                await self._order(f"{self._key}-{number}", due_s if not number else self._ground.now())
            return
        scenario = self._ground.scenario
        for _ in range(self._dice.randint(*scenario.looks)):
            await self._look(due_s)
            due_s = await self._thought()
        if self._dice.random() * 100 >= scenario.order:
            return
        if self._has_room and not await self._join(due_s):
            return
        held = await self._order(self._key, self._ground.now() if self._has_room else due_s)
        if held is None:
            return
        if self._dice.random() * 100 < scenario.twice:
            await self._order(self._key, self._ground.now())
        lot = self._dice.random() * 100
        if lot < scenario.pay:
            request = self._ground.target.confirm(held)
            await self._ask("pay", Confirm(held), request, Code.CONFIRMED, await self._thought())
        elif lot < scenario.pay + scenario.cancel:
            request = self._ground.target.cancel(held, self._buyer)
            await self._ask(
                "cancel", Cancel(held, self._buyer), request, Code.CANCELLED, await self._thought()
            )

    async def _look(self, due_s: float) -> None:
        reply = await self._send("look", self._ground.target.page(self._etag), due_s)
        self._ground.measured.word("look", "unknown" if reply is None else str(reply.status))
        if reply is not None:
            self._etag = reply.header(b"etag").decode("ascii", "replace") or self._etag
        if reply is not None and reply.status == 200:
            self._has_room = msgspec.json.decode(reply.body).get("room") is not None

    async def _join(self, due_s: float) -> bool:
        """Wait in the waiting room, at the pace that it asks for; returns whether this buyer may order."""
        ground = self._ground
        for _ in range(JOINS_MAX):
            reply = await self._send("join", ground.target.join(self._buyer), due_s)
            stands = msgspec.json.decode(reply.body) if reply is not None and reply.status == 200 else {}
            ground.measured.word(
                "join", stands.get("state", "unknown" if reply is None else str(reply.status))
            )
            if stands.get("state") in ("admitted", "no_room"):
                self._pass = stands.get("pass") or ""
                return True
            if stands.get("chance") == "none":
                return False
            await asyncio.sleep(stands.get("poll_after_ms", PAUSE_MAX_S * 1000) / 1000)
            due_s = ground.now()
        return False

    async def _order(self, key: str, due_s: float) -> str | None:
        """The order, when units are held; whoever is told of another one than derives from the key was told wrong."""
        target = self._ground.target
        order = ids.derived_order_id(target.sale, self._buyer, key)
        reserve = Reserve(order, self._buyer, target.sku)
        found = await self._ask(
            "order", reserve, target.order(self._buyer, key, 1, self._pass), Code.RESERVED, due_s
        )
        if not isinstance(found.answer, Answer) or found.answer.code is not Code.RESERVED:
            return None
        if found.order != order:
            self._ground.measured.wrong(f"order {order} was answered as {found.order}")
        return order

    async def _ask(self, kind: str, request: OrderRequest, content: bytes, done: Code, due_s: float) -> Told:
        """Send until there is an answer, a few times; each attempt stands in the history."""
        ground = self._ground
        for attempt in range(1, TRIES_MAX + 1):
            invoked = ground.history.invoked(ground.target.sale, request)
            found = told(await self._send(kind, content, due_s), done)
            ground.history.returned(invoked, found.answer)
            ground.measured.word(kind, found.word)
            if self._is_bot or not found.retry_s or attempt == TRIES_MAX:
                break
            await asyncio.sleep(min(found.retry_s, PAUSE_MAX_S))
            due_s = ground.now()
        return found

    async def _send(self, kind: str, content: bytes, due_s: float) -> Reply | None:
        """One request; its latency counts from when it was due."""
        ground = self._ground
        ground.measured.sent(due_s, ground.now())
        reply = await ground.pool.submit(content)
        ground.measured.answered(kind, due_s, ground.now())
        return reply

    async def _thought(self) -> float:
        """Think for a while; returns when that was over, also if nobody came to notice it in time."""
        pause_s = self._dice.uniform(0.5, 1.5) * self._ground.scenario.think_s
        due_s = self._ground.now() + pause_s
        await asyncio.sleep(pause_s)
        return due_s
