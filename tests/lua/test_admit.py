"""admit: those whose turn it is are called, at the rate of the room and no faster, whoever asks."""

from __future__ import annotations

import pytest

from flashsale.events.types import SaleLineDrawn
from flashsale.room import Shuffle
from tests.lua import malformed
from tests.lua.kit import HOUR_MS, Shard
from tests.lua.room_kit import (
    admit,
    admitted,
    crowd,
    join,
    let_pass,
    number,
    open_room,
    room,
    set_room,
)
from tests.lua.scenes import SEED

# ------------------------------------------------------------------------------------------------------ the draw


def test_the_first_call_after_the_opening_draws_the_line_and_reveals_the_seed(shard: Shard) -> None:
    shard.load(("A", 5))
    set_room(shard, shuffle=1)
    crowd(shard, 20)
    assert admit(shard) == "HELD warm"
    assert room(shard).drawn is None
    shard.run("open", 0)

    admit(shard)

    assert shard.newest() == SaleLineDrawn(1, shard.newest().at_ms, "test", 20, SEED)
    assert (room(shard).drawn, room(shard).seed) == (20, SEED)
    head = shard.head()
    admit(shard)
    assert shard.head() == head, "once"


def test_the_places_that_were_drawn_are_called_in_their_order(shard: Shard) -> None:
    open_room(shard, shuffle=1, rate_per_s=4)
    buyers = crowd(shard, 30)
    crowd(shard, 5, first=30)
    first = Shuffle("sale", 35, SEED)

    assert admit(shard) == "CALLED 4 4"

    assert set(admitted(shard, *buyers)) == {f"b{first.ticket_at(place)}" for place in range(4)} - {
        f"b{n}" for n in range(30, 35)
    }


def test_without_a_shuffle_the_first_come_are_the_first(shard: Shard) -> None:
    open_room(shard, rate_per_s=2)
    buyers = crowd(shard, 5)

    admit(shard)

    assert admitted(shard, *buyers) == ["b0", "b1"]
    assert shard.newest() == SaleLineDrawn(1, shard.newest().at_ms, "test", 0, SEED)


@pytest.mark.parametrize("lost", ["room", "commitment"])
def test_a_seed_that_was_lost_or_not_committed_to_draws_nothing(shard: Shard, lost: str) -> None:
    open_room(shard, shuffle=1)
    crowd(shard, 3)
    if lost == "room":
        shard.redis.delete(*shard.room_keys)
        crowd(shard, 3)
    else:
        shard.redis.hset(shard.room_keys.room, "commitment", "f" * 64)

    admit(shard)

    assert shard.newest() == SaleLineDrawn(1, shard.newest().at_ms, "test", 0, "")
    assert room(shard).drawn == 0
    assert join(shard, "new")[0].split(" ")[1:] == ["3", "3"]


def test_a_line_is_not_drawn_on_a_log_that_lost_its_tail(shard: Shard) -> None:
    open_room(shard, shuffle=1)
    crowd(shard, 3)
    shard.damage("XTRIM", shard.keys.events, "MAXLEN", 0)
    shard.damage("XSETID", shard.keys.events, "1-3")

    assert admit(shard) == "LOG_REGRESSED"


# ------------------------------------------------------------------------------------------------------ the rate


def test_so_many_a_second_are_called(shard: Shard) -> None:
    open_room(shard, rate_per_s=1)
    crowd(shard, 100)

    assert admit(shard) == "CALLED 1 1", "the first second is given at once"
    let_pass(shard, 1000)
    assert admit(shard) == "CALLED 2 1"
    let_pass(shard, 10_000)
    assert admit(shard) == "CALLED 4 2", "after a silence, two seconds' worth and no crowd"


def test_more_doormen_call_nobody_more(shard: Shard) -> None:
    open_room(shard, rate_per_s=5, active_max=1000)
    crowd(shard, 100)
    started_ms = shard.now_ms()

    for _ in range(50):
        admit(shard)

    elapsed_ms = shard.now_ms() - started_ms
    assert 5 <= number(shard, "serving") <= 5 + 5 * elapsed_ms // 1000 + 1


def test_a_share_of_the_rate_adds_up(shard: Shard) -> None:
    open_room(shard, rate_per_s=1, active_max=1000)
    crowd(shard, 100)
    admit(shard)
    served = number(shard, "serving")

    for _ in range(10):
        let_pass(shard, 1000)
        admit(shard, 250)

    # A quarter of a person a second, and what the test itself took.
    assert number(shard, "serving") - served == 2
    let_pass(shard, 1000)
    assert admit(shard, 0).endswith(" 0")


def test_time_in_which_nobody_waited_lets_no_crowd_in(shard: Shard) -> None:
    open_room(shard, rate_per_s=1)
    for _ in range(5):
        admit(shard)
        let_pass(shard, 1000)
    admit(shard)
    crowd(shard, 50)

    assert admit(shard) == "CALLED 0 0"


def test_a_clock_that_is_set_back_stops_nobody(shard: Shard) -> None:
    open_room(shard, rate_per_s=1)
    crowd(shard, 50)
    admit(shard)
    let_pass(shard, -HOUR_MS)

    assert admit(shard) == "CALLED 1 0"
    let_pass(shard, 1000)
    assert admit(shard) == "CALLED 2 1"


# ------------------------------------------------------------------------------------------- who is there, and room


def test_who_has_gone_without_a_word_is_skipped(shard: Shard) -> None:
    open_room(shard, rate_per_s=2)
    crowd(shard, 10)
    let_pass(shard, 62_000)
    join(shard, "b3", "b7", "b8")

    assert admit(shard) == "CALLED 8 2"
    assert admitted(shard, "b3", "b7", "b8") == ["b3", "b7"]


def test_no_more_are_called_than_may_shop(shard: Shard) -> None:
    open_room(shard, rate_per_s=50, active_max=3)
    buyers = crowd(shard, 20)

    assert admit(shard) == "CALLED 3 3"
    let_pass(shard, 1000)
    assert admit(shard) == "CALLED 3 0", "their passes are kept for them"
    assert admitted(shard, *buyers) == ["b0", "b1", "b2"]
    let_pass(shard, 1000)
    assert admit(shard) == "CALLED 3 0"
    shard.run("leave", "b1")
    let_pass(shard, 1000)
    assert admit(shard) == "CALLED 4 1"


def test_who_is_called_and_does_not_come_is_waited_for_half_a_minute(shard: Shard) -> None:
    open_room(shard, rate_per_s=50, active_max=3)
    crowd(shard, 20)
    admit(shard)
    let_pass(shard, 16_000)
    assert admit(shard) == "CALLED 3 0"
    let_pass(shard, 16_000)
    assert admit(shard) == "CALLED 6 3"


def test_passes_that_expired_make_room(shard: Shard) -> None:
    open_room(shard, rate_per_s=50, active_max=2)
    buyers = crowd(shard, 6)
    admit(shard)
    assert admitted(shard, *buyers) == ["b0", "b1"]
    past_ms = shard.now_ms() - 1
    shard.redis.zadd(shard.room_keys.passes, {"b0": past_ms, "b1": past_ms})
    let_pass(shard, 1000)

    assert admit(shard) == "CALLED 4 2"
    assert shard.redis.zcard(shard.room_keys.passes) == 0


def test_passes_that_ended_are_taken_away_in_bites(shard: Shard) -> None:
    """As after a long pause: Redis serves nobody else meanwhile. Those that are good stay."""
    open_room(shard, active_max=2)
    now_ms = shard.now_ms()
    shard.redis.zadd(shard.room_keys.passes, {f"gone-{n}": now_ms - n for n in range(8_000)})
    shard.redis.zadd(shard.room_keys.passes, {"ann": now_ms + HOUR_MS})
    crowd(shard, 3)

    assert admit(shard) == "CALLED 1 1", "those that ended take nobody's place meanwhile"
    left = []
    for _ in range(3):
        left.append(shard.redis.zcard(shard.room_keys.passes))
        admit(shard)

    assert left == [5_001, 2_001, 1]
    assert shard.redis.zrange(shard.room_keys.passes, 0, -1) == [b"ann"]


def test_where_most_have_gone_one_call_looks_at_a_bounded_number_of_tickets(shard: Shard) -> None:
    open_room(shard, rate_per_s=100, active_max=1000)
    admit(shard)
    shard.redis.hset(shard.room_keys.room, "tickets", 5000)
    join(shard, "last")
    let_pass(shard, 1000)

    assert admit(shard) == "CALLED 2000 0"
    assert admit(shard) == "CALLED 4000 0", "the rest of what is due is not lost"
    assert admit(shard) == "CALLED 5001 1"


# ------------------------------------------------------------------------------------------------------ held


def test_it_is_held_while_the_sale_does_not_sell(shard: Shard) -> None:
    shard.load(("A", 5), opens=9_000_000_000_000)
    set_room(shard)
    crowd(shard, 3)
    assert admit(shard) == "HELD scheduled"
    shard.run("open", 1)
    shard.run("pause")
    assert admit(shard) == "HELD paused"
    shard.run("resume")
    assert admit(shard) == "CALLED 3 3"
    shard.run("close")
    assert admit(shard) == "HELD closed"


@pytest.mark.parametrize("mode", ["queue-all", "pass-through"])
def test_it_is_held_by_the_mode_and_the_line_is_drawn_all_the_same(shard: Shard, mode: str) -> None:
    open_room(shard, shuffle=1)
    crowd(shard, 3)
    set_room(shard, mode=mode, shuffle=1)

    assert admit(shard) == f"HELD {mode}"
    assert room(shard).drawn == 3
    head = shard.head()
    assert admit(shard) == f"HELD {mode}"
    assert shard.head() == head


def test_it_is_held_while_there_is_nothing_to_sell(shard: Shard) -> None:
    shard.sell(("A", 1), ("B", 1))
    shard.reserve("0-order-a", "eve", "A")
    set_room(shard, rate_per_s=1)
    crowd(shard, 20)
    assert admit(shard) == "CALLED 1 1", "of B there is one"
    assert admitted(shard, "b0") == ["b0"]
    shard.reserve("0-order-b", "b0", "B")
    let_pass(shard, 1000)

    assert admit(shard) == "HELD no-stock"
    shard.resolve("cancel", "0-order-b")
    assert admit(shard) == "CALLED 2 1"


def test_a_sale_without_a_room_says_so(shard: Shard) -> None:
    shard.sell(("A", 5))

    assert shard.run("admit", 1000).answers == ["NO_ROOM 1-3"]


def test_a_malformed_share_is_refused(shard: Shard) -> None:
    open_room(shard)
    for what, share in (malformed.COUNTS | {"1001": "1001"}).items():
        assert shard.error("admit", share).startswith("INVALID_ARGUMENT share"), what


@pytest.mark.parametrize(
    ("field", "value"),
    [("served_ms", "x"), ("carry", "-1"), ("called", "1.5"), ("called_before", ""), ("called_ms", "9" * 14)],
)
def test_a_damaged_counter_is_corrupt(shard: Shard, field: str, value: str) -> None:
    open_room(shard)
    crowd(shard, 3)
    shard.damage("HSET", shard.room_keys.room, field, value)

    assert shard.error("admit", 1000).startswith(f"KEY_CORRUPT room {field}")


@pytest.mark.parametrize("drawn", ["", "5", "x 5eed", "5 zz", "-1 ", "99999999999999 "])
def test_a_damaged_draw_is_corrupt(shard: Shard, drawn: str) -> None:
    open_room(shard)
    crowd(shard, 3)
    shard.damage("HSET", shard.keys.sale, "drawn", drawn)

    assert shard.error("admit", 1000).startswith("KEY_CORRUPT sale drawn")
