"""Orders and pages over HTTP: one gateway, against its own server with nothing behind it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from flashsale.bench.arrivals import arrivals, poisson
from flashsale.bench.bare_http import POST_PATH, STATIC_PATH
from flashsale.bench.http_crowd import LOST, Offered, SteadyCrowd, offer
from flashsale.bench.http_feeds import feeds
from flashsale.bench.http_servers import Served
from flashsale.bench.http_stage import Stage, staged
from flashsale.bench.mixed import Mixed, Step, step
from flashsale.bench.place import Place
from flashsale.bench.runner import Series, race
from flashsale.bench.trial import Contender, Latencies, Prepare, Role, Trial

#: Orders a second that are offered, one step after the other.
RATES = (500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000, 12_000, 16_000, 24_000)


class OverHttp(NamedTuple):
    """What came of it."""

    races: Mapping[str, list[Series]]
    offered: Mixed


def over_http(
    place: Place, *, rounds: int, seconds: float, scale: float, say: Callable[[str], None]
) -> OverHttp:
    """The race, then feeds, then more and more orders until it breaks, then half of what it held."""
    with staged(place) as stage:
        races = {"http": race(place, _contenders(stage), rounds=rounds, scale=scale, say=say)}
        races["http_feeds"] = race(place, [feeds(stage)], rounds=rounds, scale=scale, say=say)
        offered = _until_it_breaks(stage, seconds, scale, say)
        if offered.knee_per_s:
            rate = max(1, offered.knee_per_s // 2)
            half = Contender(
                "half_knee",
                f"orders that arrive by themselves, {rate:,} a second",
                Role.FLASHSALE,
                _at_rate(stage, rate),
                max(1, round(rate * seconds / scale)),
            )
            races["http_half"] = race(place, [half], rounds=rounds, scale=scale, say=say)
    return OverHttp(races, offered)


def _contenders(stage: Stage) -> list[Contender]:
    limit, flashsale = Role.LIMIT, Role.FLASHSALE
    bare, gateway = stage.bare, stage.gateway
    return [
        Contender(
            "bare_post",
            "limit: the server's bare POST",
            limit,
            _asking(stage, bare, lambda number: stage.order_requests("", number, POST_PATH), 201),
            6_000,
        ),
        Contender(
            "order",
            "order, accepted",
            flashsale,
            _asking(stage, gateway, lambda number: stage.order_requests(stage.sale, number), 201, sells=True),
            4_000,
        ),
        Contender(
            "sold_out",
            "order, sold out",
            flashsale,
            _asking(stage, gateway, lambda number: stage.order_requests(stage.gone, number), 409),
            4_000,
        ),
        Contender(
            "static",
            "limit: a static reply",
            limit,
            _asking(stage, bare, lambda number: stage.page_requests(number, STATIC_PATH), 200),
            8_000,
        ),
        Contender(
            "poll", "page of a sale", flashsale, _asking(stage, gateway, stage.page_requests, 200), 8_000
        ),
        Contender(
            "poll_304",
            "page of a sale, not modified",
            flashsale,
            _asking(stage, gateway, lambda number: stage.page_requests(number, etags=stage.etags), 304),
            8_000,
        ),
    ]


def _asking(
    stage: Stage, served: Served, requests: Callable[[int], list[bytes]], status: int, *, sells: bool = False
) -> Prepare:
    """Everybody at once, each asking again when answered. All are told `status`."""

    @contextmanager
    def prepare(place: Place, number: int) -> Iterator[Trial]:
        asked, told, before = requests(number), Counter[str](), stage.orders()
        with asyncio.Runner() as runner, place.meter.watching(served.pid):
            crowd = runner.run(SteadyCrowd.opened(served.address))
            yield Trial(
                lambda: runner.run(crowd.ask(asked, told)),
                lambda: {**told, "orders": stage.orders() - before},
                {str(status): number, "orders": number if sells else 0},
            )
            runner.run(crowd.close())

    return prepare


def _at_rate(stage: Stage, rate: int) -> Prepare:
    """Orders that arrive by themselves."""

    @contextmanager
    def prepare(place: Place, number: int) -> Iterator[Trial]:
        asked, before = stage.order_requests(stage.sale, number), stage.orders()
        due = list(islice(poisson(random.Random(rate), rate), number))  # noqa: S311 - the same in every round
        told = Counter[str]()

        def run() -> Latencies:
            offered = asyncio.run(offer(stage.gateway.address, asked, due))
            told.update(offered.told)
            return offered.latencies

        with place.meter.watching(stage.gateway.pid):
            yield Trial(
                run,
                lambda: {**told, "orders": stage.orders() - before},
                {"201": number, "orders": number},
            )

    return prepare


def _until_it_breaks(stage: Stage, seconds: float, scale: float, say: Callable[[str], None]) -> Mixed:
    """Offer more orders a second, step by step."""
    dice = random.Random(7)  # noqa: S311 - the same crowd in every run, no secret
    before, told, steps = stage.orders(), Counter[str](), list[Step]()
    for rate in (max(1, round(rate * min(1.0, scale))) for rate in RATES):
        say(f"offering {rate:,} orders a second")
        due = arrivals(dice, rate, seconds) or [0.0]
        asked = stage.order_requests(stage.sale, len(due))
        offered = asyncio.run(offer(stage.gateway.address, asked, due))
        told += offered.told
        steps.append(_step(rate, seconds, offered))
        if not steps[-1].held:
            break
    sold = stage.orders() - before
    fits = set(told) <= {"201", LOST} and told["201"] <= sold <= told.total()
    failed = None if fits else f"told {dict(told)}, Redis has {sold} orders"
    knee = max((one.offered_per_s for one in steps if one.held), default=None)
    return Mixed(steps if fits else [], knee if fits else None, {"orders": sold}, failed)


def _step(rate: int, seconds: float, offered: Offered) -> Step:
    in_time = sum(at <= seconds for at in offered.answered)
    return step(rate, seconds, offered.latencies, in_time)
