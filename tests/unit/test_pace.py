"""The pace of a projector: so many events a second over time, in bursts of a batch."""

from __future__ import annotations

import time

import pytest

from flashsale.projections.pace import Pace


class Clock:
    """Notes the waits it is asked for, and how long the test itself takes."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []
        self._began_s = time.monotonic()

    def wait(self, seconds: float) -> None:
        """Note it; no time passes."""
        self.waits_s.append(seconds)

    @property
    def passed_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_a_limit_nothing_is_waited_for(clock: Clock) -> None:
    pace = Pace(None, clock.wait)
    pace.spend(1_000_000)

    assert clock.waits_s == []


def test_a_batch_is_paid_for_with_its_share_of_a_second(clock: Clock) -> None:
    Pace(200, clock.wait).spend(50)

    assert clock.waits_s == [pytest.approx(0.25)]


def test_nothing_applied_costs_nothing(clock: Clock) -> None:
    Pace(200, clock.wait).spend(0)

    assert clock.waits_s == []


def test_batches_that_come_too_early_wait_for_those_before_them(clock: Clock) -> None:
    pace = Pace(100, clock.wait)
    for _ in range(4):
        pace.spend(50)

    for i, waited_s in enumerate(clock.waits_s, 1):
        assert 0.5 * i - clock.passed_s <= waited_s <= 0.5 * i


def test_a_wait_that_was_cut_short_is_not_forgiven(clock: Clock) -> None:
    pace = Pace(10, clock.wait)
    pace.spend(100)
    pace.spend(1)

    assert 10.1 - clock.passed_s <= clock.waits_s[1] <= 10.1


def test_time_that_was_not_used_is_not_saved_up() -> None:
    pace = Pace(1_000, time_passes := Passing())
    pace.spend(20)
    pace.spend(20)

    assert time_passes.waits_s == [pytest.approx(0.02), pytest.approx(0.02)]


class Passing(Clock):
    """Lets twice the time pass that it is asked for."""

    def __call__(self, seconds: float) -> None:
        """Note it, and be late."""
        self.waits_s.append(seconds)
        until_s = time.monotonic() + 2 * seconds
        while time.monotonic() < until_s:
            pass


@pytest.mark.parametrize("rate", [None, 100])
def test_idling_is_a_wait_whatever_the_rate(clock: Clock, rate: int | None) -> None:
    Pace(rate, clock.wait).idle(0.2)

    assert clock.waits_s == [0.2]
