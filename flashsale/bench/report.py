"""The results as they are printed: rows of contenders, and the ratios that count."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from flashsale.bench.growth import Curve
from flashsale.bench.machine import Machine
from flashsale.bench.mixed import Mixed
from flashsale.bench.runner import Sample, Series
from flashsale.bench.statistics import Spread, percentile, spread


class Row(msgspec.Struct, frozen=True):
    """One contender: medians over the rounds."""

    name: str
    title: str
    role: str
    rounds: int
    #: operations in a round
    count: int
    #: None, as everything below, when a check failed: `failed` says which
    per_s: Spread | None
    #: of all rounds together; None where an operation has no time of its own
    p50_ms: float | None
    p99_ms: float | None
    #: CPU time of one operation
    redis_cpu_us: float | None
    #: None also when the server was given: its process is unknown
    postgres_cpu_us: float | None
    client_cpu_us: float | None
    #: that Redis keeps of one operation
    redis_bytes: float | None
    failed: str | None = None


class Group(msgspec.Struct, frozen=True):
    """One race."""

    name: str
    title: str
    rows: list[Row]


class Ratio(msgspec.Struct, frozen=True):
    """Two contenders of the same round; over the rounds, the middle one and both ends."""

    name: str
    what: str
    value: float
    low: float
    high: float
    target: float | None
    stretch: float | None
    #: whether less is better: a target is then a bound from above
    less_is_better: bool
    #: None where nobody set a target
    reached: bool | None


class Report(msgspec.Struct, frozen=True):
    """All of it; `--json` prints exactly this."""

    what: str
    durability: str
    rounds: int
    scale: float
    machine: Machine
    groups: list[Group]
    mixed: Mixed | None
    growth: list[Curve]
    ratios: list[Ratio]
    #: contenders whose check failed: they have no number
    failed: list[str]
    seconds: float


class _Rule(NamedTuple):
    name: str
    what: str
    #: the race and the contender above and below the line; without the latter, the value itself
    above: tuple[str, str]
    below: tuple[str, str] | None
    value: Callable[[Sample], float]
    target: float | None = None
    stretch: float | None = None
    less_is_better: bool = False


def _rate(sample: Sample) -> float:
    return sample.rate


def _redis_cpu(sample: Sample) -> float:
    return sample.redis_cpu_s / sample.count


def _bytes(sample: Sample) -> float:
    return sample.redis_memory / sample.count


_SOLD, _REFUSED = ("accepted", "async_10000"), ("sold_out", "async_10000")
_PROJECTOR, _COPY = ("project", "projector"), ("project", "copy")

#: Names and targets that stay, so that one release can be held against another.
RULES = (
    _Rule(
        "accepted_vs_row_lock", "accepted, asyncio ÷ Postgres row lock",
        _SOLD, ("accepted", "row_lock"), _rate, 20, 40,
    ),
    _Rule(
        "accepted_vs_row_lock_one_statement", "accepted, asyncio ÷ row lock in one statement",
        _SOLD, ("accepted", "row_lock_one_statement"), _rate,
    ),
    _Rule("accepted_vs_skip_locked", "accepted, asyncio ÷ SKIP LOCKED", _SOLD, ("accepted", "skip_locked"), _rate),
    _Rule(
        "accepted_vs_counter_and_stream", "accepted, asyncio ÷ DECR, then XADD",
        _SOLD, ("accepted", "counter_and_stream"), _rate,
    ),
    _Rule(
        "accepted_vs_script_per_request", "accepted, asyncio ÷ one Lua call a request",
        _SOLD, ("accepted", "script_per_request"), _rate, 6, 12,
    ),
    _Rule(
        "accepted_vs_xadd", "accepted, asyncio ÷ XADD of the same bytes",
        _SOLD, ("accepted", "xadd"), _rate, 0.3, 0.5,
    ),
    _Rule(
        "accepted_vs_xadd_redis_py", "accepted, asyncio ÷ the same XADD through redis-py",
        _SOLD, ("accepted", "xadd_redis_py"), _rate,
    ),
    _Rule(
        "accepted_bulk_vs_xadd", "accepted, sync in bulk ÷ XADD of the same bytes",
        ("accepted", "sync_bulk"), ("accepted", "xadd"), _rate,
    ),
    _Rule("refused_vs_get", "sold out, asyncio ÷ GET", _REFUSED, ("sold_out", "get"), _rate, 0.3, 0.6),
    _Rule(
        "refused_vs_get_redis_py", "sold out, asyncio ÷ the same GET through redis-py",
        _REFUSED, ("sold_out", "get_redis_py"), _rate,
    ),
    _Rule("refused_vs_row_lock", "sold out, asyncio ÷ Postgres row lock", _REFUSED, ("sold_out", "row_lock"), _rate),
    _Rule(
        "refused_bulk_vs_get", "sold out, sync in bulk ÷ GET",
        ("sold_out", "sync_bulk"), ("sold_out", "get"), _rate,
    ),
    _Rule(
        "over_limit_vs_get", "over the limit, asyncio ÷ GET",
        ("over_limit", "async_10000"), ("over_limit", "get"), _rate,
    ),
    _Rule(
        "server_cpu_vs_xadd", "Redis CPU of an accepted order ÷ of an XADD",
        _SOLD, ("accepted", "xadd"), _redis_cpu, 4, 2.5, less_is_better=True,
    ),
    _Rule(
        "always_vs_everysec", "accepted, asyncio: fsync always ÷ everysec",
        _SOLD, ("accepted", "async_10000_everysec"), _rate, 0.8, 0.95,
    ),
    _Rule(
        "bytes_per_held_order", "Redis bytes of a held order, all keys and its event",
        _SOLD, None, _bytes, 450, 300, less_is_better=True,
    ),
    _Rule("bytes_per_event", "Redis bytes of its event alone", ("accepted", "xadd"), None, _bytes, less_is_better=True),
    _Rule("project_vs_copy", "projector ÷ COPY into event_log", _PROJECTOR, _COPY, _rate, 0.25, 0.45),
    _Rule(
        "project_vs_per_event", "projector ÷ one event a transaction",
        _PROJECTOR, ("project", "per_event"), _rate, 20, 40,
    ),
    _Rule("project_vs_executemany", "projector ÷ executemany", _PROJECTOR, ("project", "executemany"), _rate),
    _Rule(
        "project_two_vs_copy", "projector, two shards ÷ COPY into event_log",
        ("project", "projector_two"), _COPY, _rate,
    ),
    _Rule("replay_vs_copy", "replay ÷ COPY into event_log", ("replay", "replay"), ("replay", "copy"), _rate, 0.5, 1.0),
)  # fmt: skip


def row(series: Series) -> Row:
    """One contender's line."""
    samples = series.samples
    latencies = [took for sample in samples for took in sample.latencies_s]
    postgres = [s.postgres_cpu_s / s.count for s in samples if s.postgres_cpu_s is not None]
    return Row(
        name=series.contender.name,
        title=series.contender.title,
        role=series.contender.role,
        rounds=len(samples),
        count=samples[-1].count if samples else 0,
        per_s=spread(sample.rate for sample in samples),
        p50_ms=percentile(latencies, 50) * 1_000 if latencies else None,
        p99_ms=percentile(latencies, 99) * 1_000 if latencies else None,
        redis_cpu_us=_median_us([_redis_cpu(sample) for sample in samples]),
        postgres_cpu_us=_median_us(postgres),
        client_cpu_us=_median_us([sample.client_cpu_s / sample.count for sample in samples]),
        redis_bytes=statistics.median(map(_bytes, samples)) if samples else None,
        failed=series.failed,
    )


def ratios(races: Mapping[str, Sequence[Series]]) -> list[Ratio]:
    """Every ratio whose contenders both ran, and passed."""
    return list(_ratios(races))


def failures(races: Mapping[str, Sequence[Series]], crowd: Mixed | None) -> list[str]:
    """Contenders that did something else than they were asked for."""
    found = [
        f"{race}, {series.contender.title}: {series.failed}"
        for race, every in races.items()
        for series in every
        if series.failed is not None
    ]
    return found + ([f"mixed: {crowd.failed}"] if crowd and crowd.failed else [])


def _ratios(races: Mapping[str, Sequence[Series]]) -> Iterator[Ratio]:
    samples = {
        (race, series.contender.name): series.samples for race, every in races.items() for series in every
    }
    for rule in RULES:
        above = [rule.value(sample) for sample in samples.get(rule.above, [])]
        below = [1.0] * len(above)
        if rule.below is not None:
            below = [rule.value(sample) for sample in samples.get(rule.below, [])]
        if not above or len(above) != len(below) or not all(below):
            continue
        found = spread(a / b for a, b in zip(above, below, strict=True))
        assert found is not None
        reached = None
        if rule.target is not None:
            reached = found.median <= rule.target if rule.less_is_better else found.median >= rule.target
        yield Ratio(
            name=rule.name,
            what=rule.what,
            value=found.median,
            low=found.low,
            high=found.high,
            target=rule.target,
            stretch=rule.stretch,
            less_is_better=rule.less_is_better,
            reached=reached,
        )


def _median_us(values: Sequence[float]) -> float | None:
    return statistics.median(values) * 1_000_000 if values else None
