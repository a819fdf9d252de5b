"""The instrument itself: whoever does something else than asked for has no number, and a ratio pairs the rounds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flashsale.bench.meter import cpu_of_tree
from flashsale.bench.place import Place, opened
from flashsale.bench.report import failures, ratios, row
from flashsale.bench.runner import Sample, Series, race
from flashsale.bench.trial import Contender, Latencies, Role, Trial
from flashsale.errors import RefusedByState
from flashsale.servers import Urls


@pytest.fixture
def place(redis_url: str, clean_redis: object, database_url: str, tmp_path: Path) -> Iterator[Place]:
    with opened(Urls(redis_url, database_url), "always", [], tmp_path) as found:
        yield found


@contextmanager
def sells_half(place: Place, count: int) -> Iterator[Trial]:
    key = place.new_key()

    def run() -> Latencies:
        place.redis.incrby(key, count // 2)
        return None

    yield Trial(run, lambda: {"sold": int(place.redis.get(key) or 0)}, {"sold": count})
    place.forget(key)


@contextmanager
def sells_all(place: Place, count: int) -> Iterator[Trial]:
    yield Trial(lambda: [0.001] * count, lambda: {"sold": count, "other": 0}, {"sold": count})


def test_who_sells_half_as_many_has_no_number_and_the_others_go_on(place: Place) -> None:
    liar = Contender("liar", "half", Role.BASELINE, sells_half, 10)
    honest = Contender("honest", "all", Role.FLASHSALE, sells_all, 10)
    found = race(place, [liar, honest], rounds=3, scale=1, say=lambda _: None)

    assert found[0].failed == "found sold: 5, not sold: 10"
    assert row(found[0]).per_s is None
    assert failures({"accepted": found}, None) == ["accepted, half: found sold: 5, not sold: 10"]
    assert (len(found[1].samples), found[1].failed) == (3, None)
    assert (row(found[1]).p50_ms, row(found[1]).p99_ms) == (1.0, 1.0)
    assert row(found[1]).postgres_cpu_us is None, "of a given server the process is unknown"


def test_a_ratio_compares_within_a_round(place: Place) -> None:
    def series(name: str, *seconds: float) -> Series:
        samples = [Sample(10, each, 0.1, None, 0.1, 100) for each in seconds]
        return Series(Contender(name, name, Role.LIMIT, sells_all, 10), samples)

    # The machine was twice as slow in the second round, for both.
    found = ratios({"project": [series("projector", 4, 8, 5), series("copy", 1, 2, 1)]})

    (ratio,) = [one for one in found if one.name == "project_vs_copy"]
    assert (ratio.value, ratio.low, ratio.high) == (0.25, 0.2, 0.25)
    assert (ratio.target, ratio.reached) == (0.25, True)
    assert {one.name for one in found} == {"project_vs_copy"}, "whoever did not run has no ratio"


def test_a_given_redis_of_another_durability_is_refused_and_stays_as_it_is(
    redis_url: str, clean_redis: object, database_url: str, tmp_path: Path
) -> None:
    wanted = "appendfsync always: set them to yes and everysec"
    with (
        pytest.raises(RefusedByState, match=wanted),
        opened(Urls(redis_url, database_url), "everysec", [], tmp_path),
    ):
        pass


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_the_cpu_time_of_a_process_grows_with_its_work() -> None:
    before = cpu_of_tree(os.getpid())
    assert before is not None
    while (now := cpu_of_tree(os.getpid())) is not None and now <= before:
        sum(range(100_000))
