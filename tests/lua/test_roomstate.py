"""roomstate: the room's settings and counters at one moment."""

from __future__ import annotations

import pytest

from flashsale.commands import RoomState, parse_room_state
from flashsale.errors import Halted
from flashsale.events import Room
from flashsale.scripts import script
from tests.lua.kit import Shard
from tests.lua.room_kit import COMMITMENT, admit, admitted, crowd, open_room
from tests.lua.scenes import SEED


def state(shard: Shard) -> RoomState:
    """What the script says, as a reader gets it."""
    keys = shard.keys_of("roomstate")
    return parse_room_state(shard.redis.eval_ro(script("roomstate").source, len(keys), *keys))


def test_it_tells_settings_and_counters(shard: Shard) -> None:
    open_room(shard, shuffle=1, rate_per_s=3, message="Soon: keep this page open")
    buyers = crowd(shard, 10)
    room = Room(
        "open",
        3,
        100,
        60_000,
        60_000,
        shuffle=True,
        commitment=COMMITMENT,
        message="Soon: keep this page open",
    )
    found = state(shard)
    assert (found.room, found.tickets, found.serving, found.active, found.waiting) == (room, 10, 0, 0, 10)
    assert found.settings is not None
    assert found.settings.rate_per_s == 3

    admit(shard)
    assert state(shard).called == 3
    assert len(admitted(shard, *buyers[:9])) + len(admitted(shard, buyers[9])) == 3

    found = state(shard)
    assert (found.tickets, found.serving, found.active, found.waiting) == (10, 3, 3, 7)
    assert found.called == 0
    assert found.room is not None
    assert (found.room.drawn, found.room.seed) == (10, SEED)
    assert found.room == shard.snapshot().state.room
    assert str(found.position) == shard.head()


def test_expired_passes_do_not_count(shard: Shard) -> None:
    open_room(shard)
    now_ms = shard.now_ms()
    shard.redis.zadd(shard.room_keys.passes, {"ann": now_ms - 1, "bob": now_ms + 60_000})

    assert state(shard).active == 1


def test_who_left_is_not_counted_among_those_who_wait(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 5)
    shard.run("leave", "b1", "b3")

    assert (state(shard).tickets, state(shard).waiting) == (5, 3)


@pytest.mark.parametrize("sale", ["none", "without a room"])
def test_where_there_is_no_room_there_is_nothing(shard: Shard, sale: str) -> None:
    if sale != "none":
        shard.sell(("A", 5))

    found = state(shard)
    assert found == RoomState(found.position, found.now_ms, None, 0, 0, 0, 0)


def test_arguments_are_refused(shard: Shard) -> None:
    open_room(shard)
    assert shard.error_raw("roomstate", "all").startswith("INVALID_ARGUMENT ARGV")


GOOD_DOOR = f"open 1 1 1 1 1 {COMMITMENT} "


@pytest.mark.parametrize(
    ("door", "drawn"),
    [
        *(
            (door, "")
            for door in ("open", GOOD_DOOR[1:-1], GOOD_DOOR.replace("1 1 1", "1 x 1"), "1 2 3 4 5 6 7 8")
        ),
        *((GOOD_DOOR, drawn) for drawn in ("5", "x ab", "5 zz", "5 ab ab")),
        ("open 1 1 1 1 1 \xff ", ""),
    ],
)
def test_a_record_that_no_script_wrote_is_a_halt(door: str, drawn: str) -> None:
    with pytest.raises(Halted, match="flashsale did not write"):
        parse_room_state([b"1-1", 1, door.encode("latin-1"), drawn.encode(), 1, 1, 1, 1, 1])
