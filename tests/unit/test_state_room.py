"""The fold of a waiting room: settings as they were set last, and one draw, from what was committed to."""

from __future__ import annotations

import pytest

from flashsale.events import AnyEvent, InvariantBroken, Room, fold
from tests.unit.history import CLOSED, COMMITMENT, OPEN, PAUSED, SEED, WARM, at, drawn, room_set


def test_the_last_settings_hold_and_the_draw_stays() -> None:
    state = fold(at([*OPEN, room_set(), drawn(), room_set(7, message="Sorry")]))

    assert state.room == Room(
        "open", 7, 10, 20, 30, shuffle=True, commitment=COMMITMENT, message="Sorry", drawn=3, seed=SEED
    )
    assert state.status == "open"


def test_a_sale_begins_without_a_room() -> None:
    assert fold(at(OPEN)).room is None


@pytest.mark.parametrize("count", [0, 3])
def test_a_draw_may_reveal_its_seed_whatever_was_drawn(count: int) -> None:
    state = fold(at([*OPEN, room_set(), drawn(count)]))
    assert state.room is not None
    assert (state.room.drawn, state.room.seed) == (count, SEED)


def test_a_seed_that_was_lost_draws_nothing() -> None:
    state = fold(at([*OPEN, room_set(), drawn(0, "")]))
    assert state.room is not None
    assert (state.room.drawn, state.room.seed) == (0, "")


def test_before_the_draw_another_seed_may_be_committed_to() -> None:
    state = fold(at([*OPEN, room_set(committed="f" * 64), room_set()]))
    assert state.room is not None
    assert state.room.commitment == COMMITMENT


BROKEN: list[tuple[list[AnyEvent], AnyEvent, str, str]] = [
    ([], room_set(), "S1", "sale.room_set while empty"),
    ([*OPEN, CLOSED], room_set(), "S1", "sale.room_set while closed"),
    ([*OPEN, room_set(), PAUSED], drawn(), "S1", "sale.line_drawn while paused"),
    (OPEN, drawn(), "R1", "no waiting room"),
    ([*OPEN, room_set(), drawn()], drawn(), "R1", "a second time"),
    ([*OPEN, room_set()], drawn(3, "f" * 64), "R1", "not the one that was committed to"),
    ([*OPEN, room_set()], drawn(3, ""), "R1", "3 places are drawn without a seed"),
    ([*OPEN, room_set(), drawn()], room_set(committed="f" * 64), "R1", "after the draw"),
]


@pytest.mark.parametrize(("before", "event", "rule", "why"), BROKEN, ids=[case[3] for case in BROKEN])
def test_what_does_not_follow_is_refused(
    before: list[AnyEvent], event: AnyEvent, rule: str, why: str
) -> None:
    with pytest.raises(InvariantBroken, match=why) as caught:
        fold(at([*before, event]))
    assert caught.value.rule == rule


def test_a_line_may_be_drawn_when_the_clock_has_opened_the_sale() -> None:
    assert fold(at([*WARM, room_set(), drawn()])).room is not None
