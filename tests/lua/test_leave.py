"""leave: a place, or a pass, is given back."""

from __future__ import annotations

from tests.lua.kit import Shard
from tests.lua.room_kit import admit, admitted, crowd, join, open_room


def test_who_leaves_is_not_called(shard: Shard) -> None:
    open_room(shard, rate_per_s=2)
    crowd(shard, 4)

    assert shard.run("leave", "b0", "b2").answers == ["LEFT 1-4"] * 2

    assert admit(shard) == "CALLED 4 2"
    assert admitted(shard, "b1", "b3") == ["b1", "b3"]


def test_who_comes_back_stands_at_the_end(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 3)
    shard.run("leave", "b0")

    assert join(shard, "b0") == ["WAITING 3 3"]


def test_a_pass_is_given_back(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 1)
    admit(shard)
    assert admitted(shard, "b0") == ["b0"]

    shard.run("leave", "b0")

    assert shard.redis.zcard(shard.room_keys.passes) == 0
    assert join(shard, "b0") == ["WAITING 1 1"]


def test_to_leave_twice_or_without_having_come_changes_nothing(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 2)
    shard.run("leave", "b0")
    before = shard.dump()

    assert shard.run("leave", "b0", "stranger").answers == ["LEFT 1-4"] * 2
    assert shard.dump() == before


def test_where_there_is_no_line_nobody_leaves_it(shard: Shard) -> None:
    assert shard.run("leave", "ann").answers == ["NOT_LOADED 0-0"]
    shard.sell(("A", 5))
    assert shard.run("leave", "ann").answers == ["NO_ROOM 1-3"]


def test_one_may_leave_a_sale_that_is_halted_or_over(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 2)
    shard.run("close")
    assert shard.run("leave", "b0").words == ["LEFT"]
    shard.run("close", fence="1-1000")
    assert shard.run("leave", "b1").words == ["LEFT"]
    assert shard.redis.hlen(shard.room_keys.line) == 0
