"""What an operation costs as the work grows. Each curve should be flat."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice

import msgspec

from flashsale.bench.logs import logged_sale
from flashsale.bench.orders import pairs
from flashsale.bench.place import SKU, TIMEOUT_MS, Place
from flashsale.bench.project import step_until
from flashsale.bench.runner import Sample, sample
from flashsale.client import AsyncClient
from flashsale.commands import Code, Reserve
from flashsale.errors import FlashsaleError
from flashsale.projections.projector import Projector

ORDERS = (1_000, 10_000, 100_000, 1_000_000)
SKUS = (1, 10, 100, 1_000)
SALES = (1, 10, 50, 200)
#: Events in the archive; more with `--archived`.
ARCHIVED_MAX = 200_000
#: Orders that are timed at each point, and the callers who place them.
TIMED = 20_000
CALLERS = 10_000
#: Requests given to the sync client at once, to fill a sale.
BULK = 4_096


class Point(msgspec.Struct, frozen=True):
    """One place of a curve."""

    size: int
    per_s: float
    redis_cpu_us: float
    postgres_cpu_us: float | None
    client_cpu_us: float


class Curve(msgspec.Struct, frozen=True):
    """How the cost goes with one size."""

    name: str
    title: str
    points: list[Point]

    @property
    def flatness(self) -> float:
        """Operations a second at the largest size ÷ at the smallest."""
        return self.points[-1].per_s / self.points[0].per_s


def growth(place: Place, *, scale: float, archived_max: int, say: Callable[[str], None]) -> list[Curve]:
    """All curves. `scale` divides nothing but the sizes: a scale of 0.1 ends at a tenth of the orders."""
    orders = [max(1, round(size * min(1.0, scale))) for size in ORDERS]
    timed = max(1, round(TIMED * min(1.0, scale)))
    return [
        Curve("orders", "orders in a sale", list(_orders(place, orders, timed, say))),
        Curve("skus", "SKUs in a sale", list(_skus(place, timed, say))),
        Curve("sales", "sales at the same time", list(_sales(place, timed, say))),
        Curve("archived", "events in the archive", list(_archived(place, archived_max, timed, say))),
    ]


def _orders(place: Place, sizes: Sequence[int], timed: int, say: Callable[[str], None]) -> Iterator[Point]:
    with place.open_sale(sizes[-1] + timed * len(sizes)) as sale, place.client() as client:
        placed = 0
        for size in sizes:
            say(f"{size:,} orders in a sale")
            while placed < size:
                part = pairs(min(BULK, size - placed), placed)
                client.execute(sale, [Reserve(*pair, SKU) for pair in part])
                placed += len(part)
            requests = [(sale, Reserve(*pair, SKU)) for pair in pairs(timed, placed)]
            yield _point(size, _timed(place, requests))
            placed += timed


def _skus(place: Place, timed: int, say: Callable[[str], None]) -> Iterator[Point]:
    for size in SKUS:
        say(f"{size:,} SKUs in a sale")
        with place.open_sale({f"sku-{number}": timed for number in range(size)}) as sale:
            requests = [
                (sale, Reserve(*pair, f"sku-{number % size}")) for number, pair in enumerate(pairs(timed))
            ]
            yield _point(size, _timed(place, requests))


def _sales(place: Place, timed: int, say: Callable[[str], None]) -> Iterator[Point]:
    for size in SALES:
        say(f"{size:,} sales at the same time")
        with ExitStack() as stack:
            sales = [stack.enter_context(place.open_sale(timed)) for _ in range(size)]
            requests = [
                (sales[number % size], Reserve(*pair, SKU)) for number, pair in enumerate(pairs(timed))
            ]
            yield _point(size, _timed(place, requests))


def _archived(place: Place, archived_max: int, timed: int, say: Callable[[str], None]) -> Iterator[Point]:
    sizes = [max(2, archived_max // 100), max(2, archived_max // 10), archived_max]
    with logged_sale(place, archived_max + timed * len(sizes)) as sale:
        projector = Projector(*place.urls, "bench")
        try:
            placed = 0
            for size in sizes:
                say(f"{size:,} events in the archive")
                more = max(0, size // 2 - placed)
                sale.sell(more, placed)
                step_until(projector, [sale])
                placed += more
                sale.sell(timed // 2, placed)
                gc.collect()
                before = place.meter.read()
                step_until(projector, [sale])
                after = place.meter.read()
                placed += timed // 2
                if sale.tables()["paid"] != placed:
                    raise FlashsaleError("the projector of the benchmark left orders out")
                yield _point(size, sample(before, after, timed // 2 * 2, ()))
        finally:
            projector.close()


def _timed(place: Place, requests: Sequence[tuple[str, Reserve]]) -> Sample:
    """All requests through the asyncio client. Raises unless every one is answered RESERVED."""
    told: Counter[str] = Counter()

    async def sell() -> None:
        queue = iter(requests)
        async with AsyncClient(place.urls.redis_url, by="bench", timeout_ms=TIMEOUT_MS) as shop:

            async def work() -> None:
                for sale, request in queue:
                    told[(await shop.submit(sale, request)).code] += 1

            async with asyncio.TaskGroup() as group:
                for _ in islice(requests, CALLERS):
                    group.create_task(work())

    gc.collect()
    before = place.meter.read()
    asyncio.run(sell())
    after = place.meter.read()
    if told != {Code.RESERVED: len(requests)}:
        raise FlashsaleError(f"the benchmark expected RESERVED, the shop answered {dict(told)}")
    return sample(before, after, len(requests), ())


def _point(size: int, took: Sample) -> Point:
    us = 1_000_000 / took.count
    return Point(
        size=size,
        per_s=took.rate,
        redis_cpu_us=took.redis_cpu_s * us,
        postgres_cpu_us=None if took.postgres_cpu_s is None else took.postgres_cpu_s * us,
        client_cpu_us=took.client_cpu_s * us,
    )
