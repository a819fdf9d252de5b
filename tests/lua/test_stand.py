"""stand: how one stands, without joining and without a sign of life."""

from __future__ import annotations

from flashsale.scripts import script
from tests.lua.kit import Shard
from tests.lua.room_kit import admit, admitted, crowd, join, let_pass, open_room, set_room, words


def test_it_tells_who_waits_who_has_a_pass_and_who_is_unknown(shard: Shard) -> None:
    open_room(shard, rate_per_s=1)
    crowd(shard, 2)
    admit(shard)
    admitted(shard, "b0")
    before = shard.dump()

    result = shard.run("stand", "b0", "b1", "stranger")

    expires_ms = shard.redis.zscore(shard.room_keys.passes, "b0")
    assert expires_ms is not None
    assert words(result.answers) == [f"ADMITTED {int(expires_ms)}", "WAITING 1 1", "NOT_FOUND"]
    assert shard.dump() == before


def test_it_is_no_sign_of_life(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 1)
    let_pass(shard, 62_000)

    shard.run("stand", "b0")

    assert admit(shard) == "CALLED 1 0"


def test_before_the_draw_there_is_no_place(shard: Shard) -> None:
    open_room(shard, shuffle=1)
    crowd(shard, 1)

    assert words(shard.run("stand", "b0").answers) == ["WAITING 0 -"]


def test_where_there_is_no_room_it_says_so(shard: Shard) -> None:
    assert shard.run("stand", "ann").answers == ["NOT_LOADED 0-0"]
    shard.sell(("A", 5))
    assert shard.run("stand", "ann", fence="1-99").answers == ["NO_ROOM 1-3"]


def test_redis_takes_it_for_a_reader(shard: Shard) -> None:
    open_room(shard)
    keys = shard.keys_of("stand")

    assert shard.redis.eval_ro(script("stand").source, len(keys), *keys, "0-0", "test", "ann") is not None


def test_it_tells_what_joining_would_tell_of_a_sale_that_is_over(shard: Shard) -> None:
    open_room(shard, rate_per_s=1)
    crowd(shard, 2)
    admit(shard)
    admitted(shard, "b0")
    shard.run("close")

    told = words(shard.run("stand", "b0", "b1", "stranger").answers)

    assert told == join(shard, "b0", "b1", "stranger") == ["CLOSED"] * 3


def test_it_tells_what_joining_would_tell_where_nobody_waits(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 1)
    set_room(shard, mode="pass-through")

    told = shard.run("stand", "b0", "stranger")

    assert words(told.answers) == [f"ADMITTED {told.now_ms + 60_000}"] * 2
