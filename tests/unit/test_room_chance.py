"""What a place in the line is worth, and how much of its rate a room may use."""

from __future__ import annotations

import pytest

from flashsale.room.chance import Supply, chance
from flashsale.room.lag import FULL_UNTIL_MS, SLOWEST_FROM_MS, SLOWEST_PERMILLE, share_permille


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


def test_lag_slows_the_line_and_does_not_hold_it() -> None:
    assert share_permille(0) == share_permille(FULL_UNTIL_MS) == 1_000
    shares = [share_permille(lag_ms) for lag_ms in range(FULL_UNTIL_MS, SLOWEST_FROM_MS + 1, 100)]
    assert shares == sorted(shares, reverse=True)
    assert SLOWEST_PERMILLE < share_permille((FULL_UNTIL_MS + SLOWEST_FROM_MS) // 2) < 1_000
    assert shares[-1] == share_permille(10 * SLOWEST_FROM_MS) == share_permille(None) == SLOWEST_PERMILLE > 0
