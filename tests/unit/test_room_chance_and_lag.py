"""What a place in the line is worth, and how much of its rate a room may use."""

from __future__ import annotations

import pytest

from flashsale.ids import Position
from flashsale.room.chance import Supply, chance
from flashsale.room.lag import (
    FULL_UNTIL_MS,
    SEEN_MAX,
    SLOWEST_FROM_MS,
    SLOWEST_PERMILLE,
    Lag,
    share_permille,
)


@pytest.mark.parametrize(
    ("ahead", "available", "held", "active", "told"),
    [
        (0, 1, 0, 0, "good"),
        (9, 10, 0, 0, "good"),
        (10, 10, 0, 0, "none"),
        (10, 10, 1, 0, "uncertain"),
        (5, 10, 0, 5, "uncertain"),
        (4, 10, 0, 5, "good"),
        (0, 0, 0, 0, "none"),
        (0, 0, 1, 0, "uncertain"),
        (14, 10, 5, 0, "uncertain"),
        (15, 10, 5, 0, "none"),
    ],
)
def test_each_place(ahead: int, available: int, held: int, active: int, told: str) -> None:
    assert chance(ahead, ahead, Supply(available, held, active)) == told


def test_before_the_line_is_shuffled_only_what_is_true_of_every_place_is_told() -> None:
    assert chance(0, 9, Supply(10, 0, 0)) == "good"
    assert chance(0, 10, Supply(10, 0, 0)) == "uncertain"
    assert chance(0, 10, Supply(0, 0, 0)) == "none"


# ------------------------------------------------------------------------------------------------------------- lag


def at(seq: int) -> Position:
    return Position(1, seq)


def test_lag_is_how_long_the_oldest_event_is_there_that_postgres_lacks() -> None:
    lag = Lag()
    for second in range(10):
        lag.saw(second * 1_000, at(1 + 100 * second))

    assert lag.age_ms(9_000, at(901)) == 0
    assert lag.age_ms(9_000, at(900)) == 0, "not yet seen to be there for long"
    assert Lag().age_ms(9_000, at(0)) == 0


def test_a_postgres_that_is_away_is_ever_farther_behind_while_the_log_goes_on_or_not() -> None:
    lag = Lag()
    for second in range(10):
        lag.saw(second * 1_000, at(1 + 100 * second))
    assert lag.age_ms(9_000, at(250)) == 6_000
    for second in range(10, 20):
        lag.saw(second * 1_000, at(901))
    assert lag.age_ms(19_000, at(250)) == 16_000
    assert lag.age_ms(19_000, at(901)) == 0
    lag.saw(20_000, at(902))
    assert lag.age_ms(21_000, at(901)) == 1_000
    lag.saw(22_000, Position(2, 1))
    assert lag.age_ms(22_000, at(902)) == 0


def test_what_is_remembered_is_bounded_and_lag_rather_too_long() -> None:
    lag = Lag()
    for look in range(3 * SEEN_MAX):
        lag.saw(look * 500, at(1 + look))
    now_ms = 3 * SEEN_MAX * 500
    assert lag.age_ms(now_ms, at(1)) == now_ms - 500
    assert lag.age_ms(now_ms, at(3 * SEEN_MAX - 1)) == now_ms - (SEEN_MAX - 1) * 500
    assert lag.age_ms(now_ms, at(3 * SEEN_MAX)) == 0


def test_a_clock_that_is_set_back_does_not_hide_a_postgres_that_is_away() -> None:
    """Until the old time has come again there would be no lag."""
    hour_ms = 3_600_000
    lag = Lag()
    for second in range(10):
        lag.saw(hour_ms + second * 1_000, at(1 + second))

    for second in range(31):
        lag.saw(second * 1_000, at(10 + second))

    assert lag.age_ms(30_000, at(5)) == 30_000
    assert lag.age_ms(30_000, at(30)) == 9_000
    assert lag.age_ms(30_000, at(40)) == 0


def test_lag_slows_the_line_and_does_not_hold_it() -> None:
    assert share_permille(0) == share_permille(FULL_UNTIL_MS) == 1_000
    shares = [share_permille(lag_ms) for lag_ms in range(FULL_UNTIL_MS, SLOWEST_FROM_MS + 1, 100)]
    assert shares == sorted(shares, reverse=True)
    assert SLOWEST_PERMILLE < share_permille((FULL_UNTIL_MS + SLOWEST_FROM_MS) // 2) < 1_000
    assert shares[-1] == share_permille(10 * SLOWEST_FROM_MS) == SLOWEST_PERMILLE > 0
