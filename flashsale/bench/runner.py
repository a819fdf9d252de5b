"""Let contenders run in turn, round after round, and keep what each round cost."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence

import msgspec

from flashsale.bench.meter import Reading
from flashsale.bench.place import Place
from flashsale.bench.trial import Contender


class Sample(msgspec.Struct, frozen=True):
    """One contender in one round."""

    count: int
    seconds: float
    redis_cpu_s: float
    postgres_cpu_s: float | None
    client_cpu_s: float
    #: Redis's memory afterwards minus before, bytes
    redis_memory: int
    latencies_s: tuple[float, ...] = ()
    #: of the HTTP server, where one is measured
    http_cpu_s: float | None = None

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Series(msgspec.Struct):
    """One contender in all rounds."""

    contender: Contender
    samples: list[Sample] = msgspec.field(default_factory=list)
    #: why it has no number; None while every check held
    failed: str | None = None


def race(
    place: Place, contenders: Sequence[Contender], *, rounds: int, scale: float, say: Callable[[str], None]
) -> list[Series]:
    """All contenders, `rounds` times; whoever began a round comes last in the next, so nobody is always warm.

    `scale` multiplies the operations of each. One whose check fails runs no more, and its numbers are dropped.
    """
    series = [Series(contender) for contender in contenders]
    for number in range(rounds):
        first = number % len(series)
        for one in series[first:] + series[:first]:
            if one.failed is None:
                say(f"round {number + 1} of {rounds}: {one.contender.title}")
                _run(place, one, max(1, round(one.contender.size * scale)))
    return series


def _run(place: Place, series: Series, count: int) -> None:
    with series.contender.prepare(place, count) as trial:
        gc.collect()
        before = place.meter.read()
        latencies = trial.run()
        after = place.meter.read()
        found = {name: value for name, value in trial.found().items() if value or name in trial.wanted}
    if found != trial.wanted:
        series.failed = f"found {_text(found)}, not {_text(trial.wanted)}"
        series.samples.clear()
        return
    series.samples.append(sample(before, after, count, tuple(latencies or ())))


def sample(before: Reading, after: Reading, count: int, latencies_s: tuple[float, ...]) -> Sample:
    """What lies between two readings."""
    known = before.postgres_cpu_s is not None and after.postgres_cpu_s is not None
    has_http = before.http_cpu_s is not None and after.http_cpu_s is not None
    return Sample(
        count=count,
        seconds=after.at_s - before.at_s,
        redis_cpu_s=after.redis_cpu_s - before.redis_cpu_s,
        postgres_cpu_s=(after.postgres_cpu_s or 0) - (before.postgres_cpu_s or 0) if known else None,
        client_cpu_s=after.client_cpu_s - before.client_cpu_s,
        redis_memory=after.redis_memory - before.redis_memory,
        latencies_s=latencies_s,
        http_cpu_s=(after.http_cpu_s or 0) - (before.http_cpu_s or 0) if has_http else None,
    )


def _text(counts: object) -> str:
    return str(counts).strip("{}").replace("'", "")
