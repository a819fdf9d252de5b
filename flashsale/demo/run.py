"""The demo: one sale, a crowd, two projectors of which one is killed, and a check of every promise at the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from flashsale.client import AsyncClient, Client
from flashsale.commands import Code, Open
from flashsale.definition import SaleDefinition
from flashsale.demo.crowd import Crowd
from flashsale.demo.example import define_example
from flashsale.demo.processes import Daemons
from flashsale.demo.result import Result, broken_promises, lost
from flashsale.demo.watch import View, Watcher
from flashsale.errors import FlashsaleError
from flashsale.projections.database import connect
from flashsale.reconcile import Comparison, compare
from flashsale.servers import Urls
from flashsale.stream import Log, ShardId
from flashsale.warm import warm

#: The demo's projectors; the one that leads is killed.
PROJECTORS = ("demo-projector-1", "demo-projector-2")
SWEEPER = "demo-sweeper"

#: Unpaid orders give their units back while the crowd is still there: nobody waits 15 minutes for a demo.
HOLD_MS = 3_000
#: Starting a Python process takes a second or two on a busy machine.
START_TIMEOUT_S = 60
#: From the last answer until nothing is held, everything returned is sold again, and Postgres has caught up.
SETTLE_TIMEOUT_S = 60
LOOK_EVERY_S = 0.02


class Progress(msgspec.Struct):
    """What a display shows while the demo runs."""

    phase: str = "starting"
    attempts: int = 0
    accepted: int = 0
    refused: int = 0
    buyers: int = 0
    view: View = msgspec.field(default_factory=View)
    killed: str | None = None
    takeover_s: float | None = None


class Demo:
    """One run. `show` is called a few times a second with the progress."""

    def __init__(
        self,
        urls: Urls,
        log_dir: Path,
        *,
        buyers: int,
        units: int,
        seed: int,
        show: Callable[[Progress], None],
    ) -> None:
        self.progress = Progress(buyers=buyers)
        self._urls, self._log_dir = urls, log_dir
        self._buyers, self._units, self._seed = buyers, units, seed
        self._show = show
        self._killed_at: float | None = None

    def run(self) -> Result:
        """All of it. Raises `FlashsaleError` when a daemon does not come up or a server goes away for good."""
        started = time.monotonic()
        definition = define_example(self._urls.postgres_url, units=self._units, hold_ms=HOLD_MS)
        shard = ShardId(definition.sale, 0)
        with (
            Daemons(self._urls, self._log_dir) as daemons,
            Watcher(self._urls, shard, self._on_fence) as watcher,
            Client(self._urls.redis_url, by="demo") as client,
        ):
            self.progress.view = watcher.view
            with connect(self._urls.postgres_url) as connection:
                _expect(warm(client, connection, definition).code, Code.LOADED)
            for name in PROJECTORS:
                daemons.start("projector", name)
            daemons.start("sweeper", SWEEPER)
            self._phase("waiting for the daemons")
            _until(lambda: watcher.view.holder is not None, START_TIMEOUT_S, self._refresh)
            _expect(client.control(definition.sale, Open(at_once=True)).code, Code.OPENED)
            crowd, rush_s = asyncio.run(self._sell(definition, client, daemons))
            self._phase("comparing log, Redis and Postgres")
            with Log(self._urls.redis_url) as log, connect(self._urls.postgres_url) as connection:
                found = compare(client, log, connection, shard, timeout_s=SETTLE_TIMEOUT_S)
        return self._result(definition, crowd, found, rush_s, time.monotonic() - started)

    async def _sell(self, sale: SaleDefinition, client: Client, daemons: Daemons) -> tuple[Crowd, float]:
        async with AsyncClient(self._urls.redis_url, by="demo-shop") as shop:
            crowd = Crowd(
                shop, sale.sale, sale.items[0].sku, buyers=self._buyers, seed=self._seed, hold_ms=sale.hold_ms
            )
            self._phase("selling")
            display = asyncio.create_task(self._display(crowd, daemons))
            opened = time.monotonic()
            await crowd.rush()
            rush_s = time.monotonic() - opened
            await asyncio.to_thread(
                self._kill_leader, daemons
            )  # a short rush may end before the half is noticed
            self._phase("waiting for payments and expiries")
            await crowd.settle()
            await self._sell_what_came_back(crowd, client, sale.sale)
            _until(lambda: self.progress.takeover_s is not None, START_TIMEOUT_S, self._refresh)
            display.cancel()
            self._count(crowd)
        return crowd, rush_s

    async def _sell_what_came_back(self, crowd: Crowd, client: Client, sale: str) -> None:
        """Refused buyers come back for the units of cancelled and expired orders, until everything is sold."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        waiting = crowd.ledger.refused[Code.SOLD_OUT]
        while time.monotonic() < deadline:
            snapshot = await asyncio.to_thread(client.snapshot, sale)
            counters = next(iter(snapshot.state.stock.values()))
            wanted = min(counters.available, waiting)
            if wanted:
                waiting -= wanted
                await crowd.come_back(wanted)
            elif snapshot.hold_count == 0:
                return
            else:
                await asyncio.sleep(LOOK_EVERY_S)

    async def _display(self, crowd: Crowd, daemons: Daemons) -> None:
        while True:
            await asyncio.sleep(0.1)
            self._count(crowd)
            if crowd.ledger.attempts * 2 >= self._buyers:
                await asyncio.to_thread(self._kill_leader, daemons)

    def _kill_leader(self, daemons: Daemons) -> None:
        """kill -9 the projector that leads the shard, once."""
        leader = self.progress.view.holder
        if self.progress.killed is None and leader in PROJECTORS:
            self.progress.killed = leader
            self._killed_at = time.monotonic()
            daemons.kill(leader)

    def _on_fence(self, holder: str | None, at: float) -> None:
        if (
            self._killed_at is not None
            and self.progress.takeover_s is None
            and holder != self.progress.killed
        ):
            self.progress.takeover_s = at - self._killed_at

    def _count(self, crowd: Crowd) -> None:
        ledger = crowd.ledger
        self.progress.attempts, self.progress.accepted = ledger.attempts, ledger.accepted
        self.progress.refused = ledger.refused.total()
        self._refresh()

    def _phase(self, phase: str) -> None:
        self.progress.phase = phase
        self._refresh()

    def _refresh(self) -> None:
        self._show(self.progress)

    def _result(
        self, sale: SaleDefinition, crowd: Crowd, found: Comparison, rush_s: float, seconds: float
    ) -> Result:
        ledger, stock = crowd.ledger, found.state.stock[sale.items[0].sku]
        by_status = Counter(order.status for order in found.tables.orders.values())
        result = Result(
            sale=sale.sale,
            buyers=self._buyers,
            units=self._units,
            attempts=ledger.attempts,
            attempts_per_s=round(ledger.attempts / rush_s),
            accepted=ledger.accepted,
            refused=dict(sorted(ledger.refused.items())),
            sold=stock.sold,
            held=stock.held,
            oversold=max(0, stock.sold + stock.held + stock.returned - self._units),
            events=found.position.seq,
            orders_in_postgres=by_status["held"] + by_status["confirmed"],
            orders_by_status=dict(sorted(by_status.items())),
            acknowledged_lost=lost(ledger, found),
            repeats=ledger.repeats,
            repeats_unlike=ledger.repeats_unlike,
            came_back=ledger.came_back,
            retries=ledger.retries,
            events_projected_per_s=round(self.progress.view.events_per_s_max),
            projector_kills=0 if self.progress.killed is None else 1,
            takeover_s=None if self.progress.takeover_s is None else round(self.progress.takeover_s, 3),
            lag_events=max(0, found.position.seq - found.tables.checkpoint.seq),
            dead_letters=found.tables.parked,
            drift=len(found.drifts),
            state_hash=found.log_hash,
            rush_seconds=round(rush_s, 2),
            seconds=round(seconds, 2),
            broken=[],
        )
        return msgspec.structs.replace(result, broken=broken_promises(result, found))


def _expect(code: Code, wanted: Code) -> None:
    if code is not wanted:
        raise FlashsaleError(f"the demo expected {wanted}, the shop answered {code}")


def _until(condition: Callable[[], bool], timeout_s: float, refresh: Callable[[], None]) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise FlashsaleError(
                "the daemons of the demo did not come up in time: see their logs with --keep"
            )
        refresh()
        time.sleep(LOOK_EVERY_S)
