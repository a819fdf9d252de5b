"""Who runs in the races of the read side."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flashsale.bench.consumers import consumer, copy, wanted_tables, write_batch, write_events
from flashsale.bench.logs import Logged, logged_sale
from flashsale.bench.place import Place
from flashsale.bench.trial import Contender, Latencies, Prepare, Role, Trial
from flashsale.errors import FlashsaleError
from flashsale.projections.projector import Projector
from flashsale.replay import Replay, Replayed, Request

#: A projector that has not applied its events by then stands still.
APPLY_TIMEOUT_S = 600


def project(_place: Place) -> list[Contender]:
    """A log of reservations and payments into Postgres: archive, orders and stock."""
    return [
        Contender("per_event", "one event a transaction", Role.BASELINE, consumer(write_events), 600),
        Contender(
            "executemany", "executemany, 1,000 a transaction", Role.BASELINE, consumer(write_batch), 6_000
        ),
        Contender("projector", "flashsale projector, one shard", Role.FLASHSALE, projected(1), 16_000),
        Contender("projector_two", "flashsale projector, two shards", Role.FLASHSALE, projected(2), 16_000),
        Contender("copy", "limit: binary COPY into event_log", Role.LIMIT, copy, 30_000),
    ]


def replay(_place: Place) -> list[Contender]:
    """The tables of a sale anew from its archive."""
    return [
        Contender("replay", "flashsale replay, compared and swapped", Role.FLASHSALE, replayed, 40_000),
        Contender("copy", "limit: binary COPY into event_log", Role.LIMIT, copy, 40_000),
    ]


def projected(shards: int) -> Prepare:
    """The projector, in this process; a sale has one shard, so two shards are two sales."""

    @contextmanager
    def prepare(place: Place, count: int) -> Iterator[Trial]:
        orders = max(1, count // 2 // shards)
        with ExitStack() as stack:
            sales = [stack.enter_context(logged_sale(place, orders)) for _ in range(shards)]
            projector = Projector(*place.urls, "bench")
            stack.callback(projector.close)
            # It leads its shards and waits for news when the clock starts, as in a running shop.
            step_until(projector, sales)
            for sale in sales:
                sale.sell(orders)
            wanted = [wanted_tables(sale, orders) for sale in sales]

            def run() -> Latencies:
                step_until(projector, sales)
                return None

            def found() -> dict[str, int]:
                return _sum([sale.tables() for sale in sales])

            yield Trial(run, found, _sum(wanted))

    return prepare


@contextmanager
def replayed(place: Place, count: int) -> Iterator[Trial]:
    """Built beside the live tables, compared row by row with them, swapped."""
    orders = max(1, count // 2)
    with logged_sale(place, orders) as sale:
        sale.sell(orders)
        projector = Projector(*place.urls, "bench", batch_max=10_000)
        step_until(projector, [sale])
        projector.close()
        engine = Replay(sale.connection, sale.log, lambda: projector, _Nobody())
        done: list[Replayed] = []

        def run() -> Latencies:
            done.append(engine.run(Request(sale=sale.shard.sale)))
            return None

        def found() -> dict[str, int]:
            swapped = sum(one.outcome == "swapped" for one in done)
            return sale.tables() | {"swapped": swapped, "differing": sum(one.differing for one in done)}

        try:
            yield Trial(run, found, wanted_tables(sale, orders) | {"swapped": 1, "differing": 0})
        finally:
            engine.finish(sale.shard.sale)


def step_until(projector: Projector, sales: list[Logged]) -> None:
    """Step until each log is applied to its end. Raises when that does not come to be."""
    heads = {sale.shard: sale.log.head(sale.shard) for sale in sales}
    deadline = time.monotonic() + APPLY_TIMEOUT_S
    events = sum(head.seq for head in heads.values() if head)
    while projector.totals.events < events:
        projector.step()
        if time.monotonic() > deadline:
            raise FlashsaleError("the projector of the benchmark stands still")


class _Nobody:
    """Looks on, and says nothing."""

    def begin(self, sale: str, done: int, total: int) -> None: ...
    def chunk(self, events: int) -> None: ...
    def say(self, sentence: str) -> None: ...


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    return {name: sum(one[name] for one in counts) for name in counts[0]}
