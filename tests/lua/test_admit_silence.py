"""admit: a time in which nobody at all was heard makes nobody in the line older."""

from __future__ import annotations

import pytest

from tests.lua.kit import HOUR_MS, Shard
from tests.lua.room_kit import (
    admit,
    admitted,
    crowd,
    join,
    let_all_be_silent,
    let_pass,
    open_room,
    set_room,
)


@pytest.mark.parametrize("silent_ms", [180_000, HOUR_MS, -HOUR_MS])
def test_a_time_in_which_nobody_could_be_heard_makes_nobody_older(shard: Shard, silent_ms: int) -> None:
    """Gateways were away, or the clock was set: whoever waits still waits, and is called in turn."""
    open_room(shard, rate_per_s=2)
    buyers = crowd(shard, 10)
    let_all_be_silent(shard, silent_ms)

    assert admit(shard) == "CALLED 2 2", "nobody is skipped"
    let_pass(shard, 1000)
    assert admit(shard) == "CALLED 4 2"
    join(shard, buyers[9])
    let_pass(shard, 1000)
    assert admit(shard) == "CALLED 6 2"
    assert admitted(shard, *buyers) == buyers[:6], "who was called is there, too"


def test_a_clock_that_is_younger_than_the_room_stops_nobody(shard: Shard) -> None:
    """As that of a machine that boots without one: the room's own beginning would be before all time."""
    open_room(shard, rate_per_s=2)
    room = shard.room_keys.room
    shard.redis.hset(room, mapping={"start_s": 10, "heard_s": shard.now_ms() // 1000 + 3600})

    buyers = crowd(shard, 10)

    assert shard.redis.hget(room, "start_s") == b"0"
    assert admit(shard) == "CALLED 2 2", "nobody is skipped"
    assert admitted(shard, *buyers) == buyers[:2]
    assert len(join(shard, "new", *buyers)) == 11


def test_after_such_a_time_silence_counts_again(shard: Shard) -> None:
    open_room(shard, rate_per_s=2)
    crowd(shard, 10)
    let_all_be_silent(shard, HOUR_MS)
    join(shard, "b8", "b9")
    let_pass(shard, 30_000)
    join(shard, "b8", "b9")
    let_pass(shard, 32_000)

    assert admit(shard) == "CALLED 10 2"


def test_who_waits_keeps_the_place_through_a_time_of_passing_through(shard: Shard) -> None:
    """Then nothing is written of signs of life."""
    open_room(shard, rate_per_s=2)
    crowd(shard, 10)
    set_room(shard, mode="pass-through")
    let_all_be_silent(shard, 180_000)
    join(shard, "b0", "b1")
    set_room(shard, rate_per_s=2)

    assert admit(shard) == "CALLED 2 2"
    assert admitted(shard, "b0", "b1") == ["b0", "b1"]
