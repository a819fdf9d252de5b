"""Which event is the next one: no gap, and an epoch that was founded on all that came before."""

import pytest

from flashsale.events import AnyEvent, continues
from flashsale.events.types import EpochStarted
from flashsale.ids import START, Position
from tests.unit import history as h


def founded(epoch: int, seq: int) -> EpochStarted:
    return EpochStarted(1, 1, "x", epoch, seq)


@pytest.mark.parametrize(
    ("before", "position", "event", "expected"),
    [
        (START, Position(1, 1), h.loaded(), True),
        (Position(1, 4), Position(1, 5), h.PAUSED, True),
        (Position(3, 4), Position(3, 5), h.PAUSED, True),
        (Position(1, 4), Position(1, 6), h.PAUSED, False),
        (Position(1, 4), Position(1, 4), h.PAUSED, False),
        (Position(1, 4), Position(1, 3), h.PAUSED, False),
        # an epoch begins with the event that says so, and only there
        (Position(1, 4), Position(2, 1), founded(1, 4), True),
        (Position(1, 4), Position(5, 1), founded(1, 4), True),
        (Position(1, 4), Position(2, 1), h.PAUSED, False),
        (Position(1, 4), Position(2, 1), h.loaded(), False),
        (Position(1, 4), Position(2, 2), founded(1, 4), False),
        (Position(1, 4), Position(1, 5), founded(1, 4), False),
        (Position(2, 4), Position(1, 1), founded(2, 4), False),
        (Position(2, 4), Position(2, 1), founded(2, 4), False),
        # it was founded on another end than this one
        (Position(1, 4), Position(2, 1), founded(1, 3), False),
        (Position(1, 4), Position(2, 1), founded(1, 5), False),
        (Position(1, 4), Position(3, 1), founded(2, 4), False),
        # nobody had stored an event of what was lost
        (START, Position(2, 1), h.loaded(), True),
        (START, Position(2, 1), h.PAUSED, False),
        (START, Position(2, 1), founded(0, 0), False),
        (START, Position(1, 1), founded(0, 0), False),
        (START, Position(2, 2), h.loaded(), False),
    ],
)
def test_what_continues_a_log(
    before: Position, position: Position, event: AnyEvent, *, expected: bool
) -> None:
    assert continues(before, position, event) is expected
