"""Offered load: requests arrive when they arrive, not when the shop is ready, until it breaks.

Arrivals are drawn at random beforehand (Poisson), and a latency counts from the moment a request was due, also when
nobody came to send it: a shop that is late makes all who come after it wait, and that is what is measured.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from flashsale.bench.arrivals import arrivals, paced
from flashsale.bench.logs import Logged, logged_sale
from flashsale.bench.orders import order_id
from flashsale.bench.place import SKU, TIMEOUT_MS, Place
from flashsale.bench.statistics import percentile
from flashsale.client import AsyncClient
from flashsale.commands import Answer, Cancel, Code, Confirm, OrderRequest, Reserve
from flashsale.demo.processes import Daemons
from flashsale.errors import FlashsaleError, Unreachable
from flashsale.projections import reads

#: Of 100 requests; the others reserve.
CONFIRM, CANCEL = 20, 10
#: Requests a second that are offered, one step after the other.
RATES = (1_000, 2_000, 4_000, 6_000, 8_000, 12_000, 16_000, 24_000, 32_000, 48_000)
#: A step is broken when its slowest hundredth waits longer …
P99_MAX_MS = 250.0
#: … or when so much of what is offered is not answered within its time.
ANSWERED_MIN = 0.95
#: A backlog is waited for so long; then the step ends as it is.
DRAIN_S = 10.0
CATCH_UP_TIMEOUT_S = 120.0
LOOK_EVERY_S = 0.05


class Step(msgspec.Struct, frozen=True):
    """One rate."""

    offered_per_s: int
    answered_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    #: events that Postgres lacked when the last answer came; None where nobody writes into it
    lag_events: int | None
    held: bool


class Mixed(msgspec.Struct, frozen=True):
    """What came of it."""

    steps: list[Step]
    #: the highest rate that was held; None when not even the first was
    knee_per_s: int | None
    #: counters and orders of the sale, as the crowd was told, as Redis and as Postgres have them; all the same
    checked: dict[str, int]
    failed: str | None = None


def mixed(place: Place, *, seconds: float, scale: float, say: Callable[[str], None]) -> Mixed:
    """Offer more and more until it breaks, with a projector running beside in a process of its own."""
    rates = [max(1, round(rate * min(1.0, scale))) for rate in RATES]
    units = sum(round(rate * seconds) + 1_000 for rate in rates)
    with logged_sale(place, units) as sale, Daemons(place.urls, place.folder) as daemons:
        daemons.start("projector", "bench-projector")
        _until_applied(sale)
        crowd, steps = Crowd(sale.shard.sale), list[Step]()
        for rate in rates:
            say(f"offering {rate:,} requests a second")
            steps.append(asyncio.run(_offer(place, sale, crowd, rate, seconds)))
            _until_applied(sale)
            if not steps[-1].held:
                break
        return _result(sale, crowd, steps)


class Crowd:
    """Decides what each arrival asks for, and remembers what it was told."""

    def __init__(self, sale: str) -> None:
        self.told: Counter[str] = Counter()
        self._sale = sale
        self._held: deque[str] = deque()
        self._numbers = iter(range(10**9))
        self._dice = random.Random(7)  # noqa: S311 - the same crowd in every run, no secret

    def arrivals(self, rate: int, seconds: float) -> list[float]:
        """When requests are due, in seconds from the start."""
        return arrivals(self._dice, rate, seconds)

    def request(self) -> OrderRequest:
        lot = self._dice.random() * 100
        if lot < CONFIRM + CANCEL and self._held:
            kind = Confirm if lot < CONFIRM else Cancel
            return kind(self._held.popleft())
        number = next(self._numbers)
        return Reserve(order_id(number), f"buyer-{number}", SKU)

    def answered(self, request: OrderRequest, answer: Answer) -> None:
        self.told[answer.code] += 1
        if answer.code is Code.RESERVED:
            self._held.append(request.order_id)


def step(
    rate: int, seconds: float, latencies: Sequence[float], in_time: int, lag_events: int | None = None
) -> Step:
    """What came of one rate. `latencies`: of every request, s, from when it was due; `in_time`: answered by its end."""
    p99_ms = percentile(latencies, 99) * 1000
    return Step(
        offered_per_s=rate,
        answered_per_s=in_time / seconds,
        p50_ms=percentile(latencies, 50) * 1000,
        p99_ms=p99_ms,
        max_ms=max(latencies) * 1000,
        lag_events=lag_events,
        held=p99_ms <= P99_MAX_MS and in_time >= len(latencies) * ANSWERED_MIN,
    )


async def _offer(place: Place, sale: Logged, crowd: Crowd, rate: int, seconds: float) -> Step:
    due = crowd.arrivals(rate, seconds)
    latencies: list[float] = []
    in_time = 0
    async with AsyncClient(
        place.urls.redis_url, by="bench", timeout_ms=TIMEOUT_MS, waiting_max=len(due) + 1
    ) as shop:
        began = time.perf_counter()

        def done(due_s: float, request: OrderRequest, future: asyncio.Future[Answer]) -> None:
            nonlocal in_time
            crowd.answered(request, future.result())
            now = time.perf_counter() - began
            latencies.append(now - due_s)
            in_time += now <= seconds

        async for due_s in paced(due, lambda: time.perf_counter() - began):
            request = crowd.request()
            shop.submit(sale.shard.sale, request).add_done_callback(partial(done, due_s, request))
        deadline = time.perf_counter() + DRAIN_S
        while len(latencies) < len(due):
            if time.perf_counter() > deadline:
                raise Unreachable("requests of the benchmark are not answered")
            await asyncio.sleep(0.001)
    return step(rate, seconds, latencies, in_time, _lag(sale))


def _result(sale: Logged, crowd: Crowd, steps: list[Step]) -> Mixed:
    told = crowd.told
    held = told[Code.RESERVED] - told[Code.CONFIRMED] - told[Code.CANCELLED]
    wanted = {"orders": told[Code.RESERVED], "held": held, "sold": told[Code.CONFIRMED]}
    snapshot = sale.client.snapshot(sale.shard.sale)
    stock = snapshot.state.stock[SKU]
    in_redis = {"orders": snapshot.order_count, "held": stock.held, "sold": stock.sold}
    tables = sale.tables()
    in_postgres = {
        "orders": tables["orders"],
        "held": told[Code.RESERVED] - told[Code.CANCELLED] - tables["paid"],
        "sold": tables["sold"],
    }
    fits = wanted == in_redis == in_postgres and set(told) <= {"RESERVED", "CONFIRMED", "CANCELLED"}
    failed = None if fits else f"told {dict(told)}, Redis has {in_redis}, Postgres {in_postgres}"
    knee = max((step.offered_per_s for step in steps if step.held), default=None)
    return Mixed(steps if fits else [], knee if fits else None, wanted, failed)


def _lag(sale: Logged) -> int:
    head = sale.log.head(sale.shard)
    (row,) = reads.checkpoints(sale.connection, sale.shard.sale)
    return (head.seq if head else 0) - row.checkpoint.seq


def _until_applied(sale: Logged) -> None:
    deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
    while _lag(sale):
        if time.monotonic() > deadline:
            raise FlashsaleError("the projector of the benchmark does not catch up")
        time.sleep(LOOK_EVERY_S)
