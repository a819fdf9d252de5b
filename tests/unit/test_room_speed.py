"""How fast a line moves, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsale.room.speed import HISTORY_MS, SPAN_MS, Speed

BEGAN_MS = 1_790_000_000_000


def moving(serving: Callable[[int], float], seconds: int) -> Speed:
    """A line in which so many places had been called at each second."""
    speed = Speed()
    for second in range(seconds + 1):
        speed.saw(BEGAN_MS + second * 1_000, int(serving(second)))
    return speed


def test_an_even_line_has_one_speed() -> None:
    speed = moving(lambda s: 50 * s, 60)
    assert speed.range_per_s() == (50, 50)
    assert speed.wait_ms(1_000) == (20_000, 20_000)


def test_a_line_that_slowed_down_has_a_range() -> None:
    speed = moving(lambda s: 100 * min(s, 30) + 10 * max(0, s - 30), 60)
    assert speed.range_per_s() == (10, 100)
    assert speed.wait_ms(1_000) == (10_000, 100_000)


def test_it_is_told_in_whole_seconds_that_hold_the_truth() -> None:
    assert moving(lambda s: 3 * s, 30).wait_ms(10) == (3_000, 4_000)


@pytest.mark.parametrize("seconds", [0, 1, SPAN_MS // 1_000 - 1])
def test_too_early_to_tell(seconds: int) -> None:
    assert moving(lambda s: 50 * s, seconds).wait_ms(100) == (None, None)


def test_a_line_that_stands_still_tells_nothing() -> None:
    assert moving(lambda _: 7, 60).wait_ms(100) == (None, None)


def test_a_line_that_stood_still_for_a_while_has_no_longest_wait() -> None:
    assert moving(lambda s: 50 * max(0, s - 20), 60).wait_ms(100) == (2_000, None)


def test_more_than_a_minute_ago_is_forgotten() -> None:
    assert moving(lambda s: 0 if s < 20 else 50 * (s - 20), 20 + HISTORY_MS // 1_000).wait_ms(100) == (
        2_000,
        2_000,
    )


@pytest.mark.parametrize(
    ("later_ms", "serving"),
    [(31_000, 0), (-1_000, 2_000), (31_000 + HISTORY_MS + 1, 2_000)],
    ids=["anew", "clock", "gap"],
)
def test_another_line_and_another_clock_begin_anew(later_ms: int, serving: int) -> None:
    speed = moving(lambda s: 50 * s, 30)
    speed.saw(BEGAN_MS + later_ms, serving)
    assert speed.range_per_s() is None


def test_forgetting() -> None:
    speed = moving(lambda s: 50 * s, 30)
    speed.forget()
    assert speed.range_per_s() is None


@given(
    st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 500)), max_size=200), st.integers(0, 2_000_000)
)
def test_the_least_is_never_more_than_the_most(steps: list[tuple[int, int]], ahead: int) -> None:
    speed, now_ms, serving = Speed(), BEGAN_MS, 0
    for later_ms, called in steps:
        now_ms, serving = now_ms + later_ms, serving + called
        speed.saw(now_ms, serving)
    least_ms, most_ms = speed.wait_ms(ahead)
    if most_ms is not None:
        assert least_ms is not None
        assert 0 <= least_ms <= most_ms
