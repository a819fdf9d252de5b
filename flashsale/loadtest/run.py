"""One load test: buyers arrive whether the gateway is ready or not, and in the end their answers are checked."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec

from flashsale.bench.arrivals import paced
from flashsale.bench.http_wire import Pool
from flashsale.client_history import HistoryWriter, open_history
from flashsale.errors import NotFound, RefusedByState, Unreachable
from flashsale.loadtest.check import Checked, check
from flashsale.loadtest.journey import Ground, Journey
from flashsale.loadtest.measured import KINDS, Measured
from flashsale.loadtest.result import Kind, Result, Second
from flashsale.loadtest.scenarios import Scenario, due
from flashsale.loadtest.shop import Shop
from flashsale.loadtest.slow_postgres import slow_postgres
from flashsale.loadtest.target import Target, new_name

#: Buyers in this process at the same time; more are turned away, which the result tells.
UNDER_WAY_MAX = 20_000
#: After the last arrival, buyers have so long to come to their end.
DRAIN_S = 60.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a scenario."""

    #: buyers who arrive a second, on average
    rate: float
    seconds: float
    connections_max: int
    seed: int


def run(shop: Shop, scenario: Scenario, load: Load, history: Path, say: Callable[[str], None]) -> Result:
    """Run it, and check it. `history`: a new file for what the crowd is told; a slow Postgres must be a private one.

    Raises `BadInput` for a history that is there, `NotFound` and `RefusedByState` for a sale that is not there or not
    open, `Unreachable`.
    """
    asyncio.run(_require_open(shop.target))
    meanwhile: AbstractContextManager[None] = nullcontext()
    if scenario.postgres_is_slow:
        meanwhile = slow_postgres(shop.private_postgres_url, load.seconds * 0.25, load.seconds * 0.75)
    say(f"{scenario.name}: {load.rate:,.0f} buyers a second for {load.seconds:g} s")
    cpu_s, began = time.process_time(), time.perf_counter()
    with open_history(history, "loadtest") as writer, meanwhile:
        measured = asyncio.run(_crowd(shop.target, scenario, load, writer))
    seconds = time.perf_counter() - began
    busy = (time.process_time() - cpu_s) / seconds
    say("checking what was told against the log")
    checked = check(shop, history)
    return _result(scenario, load, measured, checked, seconds=seconds, busy=busy)


async def _require_open(target: Target) -> None:
    pool = Pool(target.address, 1, target.tls)
    reply = await pool.submit(target.page())
    await pool.close()
    if reply is None:
        raise Unreachable(f"no gateway answers at {target.address}")
    if reply.status == 404:
        raise NotFound(f"the gateway knows no sale {target.sale}")
    state = (
        msgspec.json.decode(reply.body).get("state") if reply.status == 200 else f"answered {reply.status}"
    )
    if state != "open":
        raise RefusedByState(f"sale {target.sale} is {state}: open it, then send the crowd")


async def _crowd(target: Target, scenario: Scenario, load: Load, history: HistoryWriter) -> Measured:
    began = time.perf_counter()

    def now() -> float:
        return time.perf_counter() - began

    measured = Measured()
    pool = Pool(target.address, load.connections_max, target.tls)
    ground = Ground(target, scenario, pool, history, measured, now, new_name("load"))
    under_way = set[asyncio.Task[None]]()
    dice = random.Random(load.seed)  # noqa: S311 - the same crowd in every run of a seed, no secret
    try:
        async for due_s in paced(due(scenario, load.rate, load.seconds, dice), now):
            measured.journeys += 1
            if len(under_way) >= UNDER_WAY_MAX:
                measured.turned_away += 1
                continue
            journey = Journey(ground, measured.journeys, random.Random(dice.random()))  # noqa: S311 - the same
            task = asyncio.create_task(journey.walk(due_s))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        if under_way:
            ended, rest = await asyncio.wait(under_way, timeout=DRAIN_S)
            measured.unfinished = len(rest)
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            for task in ended:
                task.result()
    finally:
        await pool.close()
    return measured


def _result(
    scenario: Scenario, load: Load, measured: Measured, checked: Checked, *, seconds: float, busy: float
) -> Result:
    kinds = [_kind(measured, kind) for kind in KINDS if measured.latency[kind].count]
    last = max((*measured.due_in, *measured.answered_in), default=-1)
    return Result(
        scenario=scenario.name,
        rate=load.rate,
        load_seconds=load.seconds,
        seconds=round(seconds, 2),
        buyers=measured.journeys,
        kinds=kinds,
        timeline=[Second(at, measured.due_in[at], measured.answered_in[at]) for at in range(last + 1)],
        turned_away=measured.turned_away,
        unfinished=measured.unfinished,
        busy=round(busy, 2),
        late_p99_ms=measured.late.percentile_ms(99),
        checked=checked,
        broken=[*measured.wrong_first, *checked.broken],
    )


def _kind(measured: Measured, kind: str) -> Kind:
    latency = measured.latency[kind]
    p50, p90, p99, p999, longest = (
        round(latency.percentile_ms(percent), 3) for percent in (50, 90, 99, 99.9, 100)
    )
    return Kind(kind, latency.count, p50, p90, p99, p999, longest, dict(sorted(measured.words[kind].items())))
