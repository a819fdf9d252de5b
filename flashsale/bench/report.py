"""The results as they are printed: rows of contenders, and the ratios that count."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from flashsale.bench.growth import Curve
from flashsale.bench.machine import Machine
from flashsale.bench.mixed import Mixed
from flashsale.bench.rules import RULES, Rule, redis_bytes, redis_cpu
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
    #: CPU time that the HTTP server's process spends on one; None where none is measured
    http_cpu_us: float | None = None
    #: how much of a core that process, and the process that asks, were busy: at 1, it sets the pace
    http_busy: float | None = None
    client_busy: float | None = None


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
    #: orders over HTTP that arrive by themselves
    http: Mixed | None
    growth: list[Curve]
    ratios: list[Ratio]
    #: contenders whose check failed: they have no number
    failed: list[str]
    seconds: float


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
        redis_cpu_us=_median_us([redis_cpu(sample) for sample in samples]),
        postgres_cpu_us=_median_us(postgres),
        client_cpu_us=_median_us([sample.client_cpu_s / sample.count for sample in samples]),
        redis_bytes=statistics.median(map(redis_bytes, samples)) if samples else None,
        failed=series.failed,
        http_cpu_us=_median_us([s.http_cpu_s / s.count for s in samples if s.http_cpu_s is not None]),
        http_busy=_median([s.http_cpu_s / s.seconds for s in samples if s.http_cpu_s is not None]),
        client_busy=_median([sample.client_cpu_s / sample.seconds for sample in samples]),
    )


def ratios(races: Mapping[str, Sequence[Series]]) -> list[Ratio]:
    """Every ratio whose contenders both ran, and passed."""
    return list(_ratios(races))


def failures(
    races: Mapping[str, Sequence[Series]], crowd: Mixed | None, http: Mixed | None = None
) -> list[str]:
    """Contenders that did something else than they were asked for."""
    found = [
        f"{race}, {series.contender.title}: {series.failed}"
        for race, every in races.items()
        for series in every
        if series.failed is not None
    ]
    crowds = {"mixed": crowd, "http": http}
    return found + [f"{name}: {one.failed}" for name, one in crowds.items() if one and one.failed]


def _ratios(races: Mapping[str, Sequence[Series]]) -> Iterator[Ratio]:
    samples = {
        (race, series.contender.name): series.samples for race, every in races.items() for series in every
    }
    for rule in RULES:
        above = _values(rule, samples.get(rule.above, []))
        below = [1.0] * len(above) if rule.below is None else _values(rule, samples.get(rule.below, []))
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


def _values(rule: Rule, samples: Sequence[Sample]) -> list[float]:
    return [value for sample in samples if (value := rule.value(sample)) is not None]


def _median_us(values: Sequence[float]) -> float | None:
    return _median([value * 1_000_000 for value in values])


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
