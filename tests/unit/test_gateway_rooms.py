"""What somebody who waits is told, of looks at the room that are seconds apart."""

from __future__ import annotations

from typing import Any

import msgspec

from flashsale.commands import RoomState, Snapshot, Standing
from flashsale.events import Room, ShardState, Stock
from flashsale.gateway.messages import SaleState
from flashsale.gateway.rooms import Rooms
from flashsale.ids import Position

ROOM = Room("open", 50, 500, 120_000, 120_000, shuffle=True, commitment="c" * 64, message="stay", drawn=0)
STATE = RoomState(Position(1, 7), 0, ROOM, tickets=1_000, serving=0, active=0, waiting=1_000)
SALE = SaleState(
    sale="drop", title="Drop", currency="EUR", state="open", opens_ms=0, closes_ms=0, hold_ms=1_000,
    items=[], poll_after_ms=4_000, server_time_ms=0,
)  # fmt: skip
STOCK = {"phone": Stock(300, 100, 0, 0, 0, 400), "case": Stock(200, 0, 0, 0, 0, 200)}
SNAPSHOT = Snapshot(0, Position(1, 7), 0, 0, ShardState(stock=STOCK))


def look(rooms: Rooms, second: int = 0, word: str = "open", mode: str = "open", **changes: Any) -> None:
    """One look, at a line in which 50 people a second are called."""
    room = msgspec.structs.replace(ROOM, mode=mode, drawn=changes.pop("drawn", 0))
    snapshot = msgspec.structs.replace(SNAPSHOT, state=ShardState(stock=changes.pop("stock", STOCK)))
    values = {"now_ms": second * 1_000, "serving": 50 * second, "waiting": 1_000 - 50 * second, **changes}
    state = msgspec.structs.replace(STATE, room=room, **values)
    rooms.saw(msgspec.structs.replace(SALE, state=word), snapshot, state)


def looked(seconds: int = 15) -> Rooms:
    rooms = Rooms()
    for second in range(seconds + 1):
        look(rooms, second)
    return rooms


def test_a_place_has_a_wait_and_a_chance() -> None:
    told = looked().waiting("drop", Standing(900, 950))

    assert (told.ticket, told.place, told.ahead) == (900, 950, 200)
    assert (told.wait_min_ms, told.wait_max_ms) == (4_000, 4_000)
    assert told.chance == "good"
    assert told.message == "stay"
    assert (told.poll_after_ms, told.heartbeat_after_ms) == (4_000, 40_000)
    assert looked().waiting("drop", Standing(1_300, 1_300)).chance == "uncertain"
    assert looked().waiting("drop", Standing(1_349, 1_350)).chance == "none"


def test_those_who_were_called_and_have_not_come_yet_may_buy_first() -> None:
    rooms = looked()
    look(rooms, 15, active=100, called=200)

    assert rooms.waiting("drop", Standing(0, 949)).chance == "good"
    assert rooms.waiting("drop", Standing(0, 950)).chance == "uncertain", (
        "199 ahead, 200 called, 100 with a pass"
    )


def test_those_who_left_take_nothing_away_from_who_waits() -> None:
    """Of a thousand who joined, all but a hundred have said goodbye."""
    rooms = looked()
    look(rooms, 15, waiting=100)
    held = {"phone": Stock(20, 10, 0, 0, 0, 30)}

    told = rooms.waiting("drop", Standing(999, 999))
    assert (told.ahead, told.chance) == (249, "good")
    look(rooms, 15, waiting=100, stock=held)
    assert rooms.waiting("drop", Standing(999, 999)).chance == "none"
    look(rooms, 15, waiting=30, stock=held)
    assert rooms.waiting("drop", Standing(999, 999)).chance == "uncertain", "29 others, and 30 may be left"
    assert rooms.waiting("drop", Standing(1_000, 1_000)).chance == "none", (
        "who came after that look has one more"
    )


def test_whoever_is_called_and_has_no_pass_yet_comes_again_soon() -> None:
    told = looked().waiting("drop", Standing(3, 3))
    assert (told.ahead, told.wait_min_ms, told.heartbeat_after_ms) == (0, 0, 4_000)


def test_a_line_that_is_held_has_no_wait_and_begins_anew_afterwards() -> None:
    for held in ({"word": "paused"}, {"mode": "queue-all"}):
        rooms = looked()
        look(rooms, 16, **held)
        told = rooms.waiting("drop", Standing(900, 950))
        assert (told.ahead, told.wait_min_ms, told.wait_max_ms) == (150, None, None)
        look(rooms, 17)
        assert rooms.waiting("drop", Standing(900, 950)).wait_min_ms is None, "too early to tell"


def test_a_line_that_everybody_has_left_tells_nothing_of_the_next_one() -> None:
    rooms = looked()
    look(rooms, 16, waiting=0)
    assert rooms.waiting("drop", Standing(900, 950)).wait_min_ms is None


def test_before_the_draw_there_is_no_place_and_only_what_is_true_of_all() -> None:
    rooms = Rooms()
    look(rooms, word="scheduled", drawn=None, tickets=500)
    told = rooms.waiting("drop", Standing(3, None))
    assert (told.place, told.ahead, told.wait_min_ms, told.chance) == (None, None, None, "good")
    look(rooms, word="scheduled", drawn=None, tickets=501)
    assert rooms.waiting("drop", Standing(3, None)).chance == "uncertain"


def test_a_room_that_was_not_seen_yet_and_one_that_is_no_more() -> None:
    rooms = looked()
    assert rooms.demand_pass("drop")
    assert not rooms.demand_pass("other")
    assert rooms.waiting("other", Standing(3, 3)).heartbeat_after_ms == 4_000
    rooms.keep([])
    assert not rooms.demand_pass("drop")
    assert list(rooms.of_open_sales()) == []


def test_a_record_that_nobody_wrote_is_no_room() -> None:
    state = msgspec.structs.replace(STATE, room=msgspec.structs.replace(ROOM, rate_per_s=0))
    assert Rooms().saw(SALE, SNAPSHOT, state) is None
