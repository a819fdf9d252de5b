"""How often a crowd may ask."""

import pytest

from flashsale.gateway.polling import FAR_MS, heartbeat_after_ms, line_poll_after_ms, poll_after_ms


@pytest.mark.parametrize(
    ("state", "left", "until_open_ms", "least_ms", "most_ms"),
    [
        ("open", 1_000, 0, 3_000, 5_000),
        ("open", 0, 0, 3_000, 5_000),
        ("paused", 10, 0, 3_000, 5_000),
        ("scheduled", 10, 59_000, 3_000, 5_000),
        ("scheduled", 10, 3_600_000, 5_001, 60_000),
        ("closed", 10, 0, 30_000, 60_000),
        ("archived", 0, 0, 30_000, 60_000),
        ("halted", 0, 0, 3_000, 5_000),
    ],
)
def test_each_state_has_its_pace(
    state: str, left: int, until_open_ms: int, least_ms: int, most_ms: int
) -> None:
    assert least_ms <= poll_after_ms(state, left, until_open_ms, late_ms=0) <= most_ms


def test_faster_for_the_last_units_and_slower_under_load() -> None:
    usual_ms = poll_after_ms("open", 10, 0, late_ms=0)
    assert poll_after_ms("open", 9, 0, late_ms=0) < usual_ms
    assert usual_ms < poll_after_ms("open", 10, 0, late_ms=60) < poll_after_ms("open", 10, 0, late_ms=300)


def test_whoever_is_far_back_in_a_line_asks_more_seldom() -> None:
    paces = [line_poll_after_ms(4_000, wait_ms) for wait_ms in (None, 0, 10_000, 60_000, 600_000, 6_000_000)]
    assert paces == sorted(paces)
    assert (paces[0], paces[-1]) == (4_000, FAR_MS)
    assert line_poll_after_ms(60_000, 600_000) == 60_000, "never more often than the crowd"


def test_a_place_is_kept_though_a_sign_of_life_is_lost_and_whoever_is_called_comes_at_once() -> None:
    assert 0 < heartbeat_after_ms(120_000, page_ms=4_000, is_called=False) < 120_000 / 2
    assert heartbeat_after_ms(120_000, page_ms=4_000, is_called=True) == 4_000
    assert heartbeat_after_ms(10_000, page_ms=60_000, is_called=True) < 10_000 / 2
