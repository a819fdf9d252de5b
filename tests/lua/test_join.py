"""join: a place in the line, kept by asking again, and the pass of who was called."""

from __future__ import annotations

import pytest

from flashsale.room import Shuffle
from tests.lua import malformed
from tests.lua.kit import Argument, Shard
from tests.lua.room_kit import (
    admit,
    admitted,
    crowd,
    join,
    let_pass,
    name_in_line,
    number,
    open_room,
    room,
    set_room,
    words,
)
from tests.lua.scenes import SEED


def test_tickets_count_from_nought_and_are_kept(shard: Shard) -> None:
    open_room(shard)

    assert join(shard, "ann", "bob", "ann") == ["WAITING 0 0", "WAITING 1 1", "WAITING 0 0"]
    assert join(shard, "bob") == ["WAITING 1 1"]
    assert join(shard, "cid") == ["WAITING 2 2"]


def test_it_tells_of_no_place_while_places_are_not_drawn(shard: Shard) -> None:
    open_room(shard, shuffle=1)

    assert join(shard, "ann", "bob") == ["WAITING 0 -", "WAITING 1 -"]


def test_the_draw_gives_every_place_once_as_anybody_can_check(shard: Shard) -> None:
    open_room(shard, shuffle=1, rate_per_s=1, active_max=1)
    buyers = crowd(shard, 101)
    admit(shard, 0)

    places = Shuffle("sale", 101, SEED)
    assert join(shard, *buyers) == [f"WAITING {n} {places.place_of(n)}" for n in range(101)]
    assert join(shard, "late") == ["WAITING 101 101"], "who comes later stands behind"


@pytest.mark.parametrize("count", [101, 99, 9])
def test_the_places_are_those_of_the_draw_that_the_log_tells_of(shard: Shard, count: int) -> None:
    """A replica drew the line once more and a recovery found the first draw: the table of the other one is none."""
    open_room(shard, shuffle=1, rate_per_s=1, active_max=1)
    buyers = crowd(shard, 100)
    admit(shard, 0)
    shard.damage("HSET", shard.keys.sale, "drawn", f"{count} {SEED}")

    places = Shuffle("sale", count, SEED)
    assert join(shard, *buyers) == [f"WAITING {n} {places.place_of(n)}" for n in range(100)]


def test_who_is_called_gets_one_pass(shard: Shard) -> None:
    open_room(shard, rate_per_s=2)
    crowd(shard, 3)
    assert admit(shard) == "CALLED 2 2"

    first = shard.run("join", "b0", "b2", "b0")

    expires_ms = first.now_ms + 60_000
    assert words(first.answers) == [f"ADMITTED {expires_ms}", "WAITING 2 2", f"ADMITTED {expires_ms}"]
    assert join(shard, "b0") == [f"ADMITTED {expires_ms}"], "asking again makes it no longer"
    assert shard.redis.hkeys(shard.room_keys.line) == [name_in_line("b1"), name_in_line("b2")]
    assert join(shard, "b1")[0].startswith("ADMITTED")


def test_no_more_shop_at_once_than_may(shard: Shard) -> None:
    open_room(shard, rate_per_s=50, active_max=50)
    buyers = crowd(shard, 50)
    admit(shard)
    set_room(shard, active_max=20)

    assert len(admitted(shard, *buyers)) == 20
    waiting = [answer for answer in join(shard, *buyers) if answer.startswith("WAITING")]
    assert len(waiting) == 30

    shard.run("leave", *buyers[:5])
    assert len(admitted(shard, *buyers[5:])) == 20, "a pass that is given back is for somebody else"


def test_a_pass_that_has_expired_is_none(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 2)
    admit(shard)
    join(shard, "b0")
    shard.redis.zadd(shard.room_keys.passes, {"b0": shard.now_ms() - 1})

    assert join(shard, "b0") == ["WAITING 2 2"]


def test_who_is_called_and_was_away_too_long_goes_to_the_end(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 3)
    admit(shard)
    let_pass(shard, 62_000)

    assert join(shard, "b1") == ["WAITING 3 3"]
    assert join(shard, "b1") == ["WAITING 3 3"]


def test_a_place_that_was_not_called_is_kept_however_long_one_is_away(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 3)
    let_pass(shard, 3_600_000)

    assert join(shard, "b2") == ["WAITING 2 2"]
    assert admit(shard) == "CALLED 3 1", "and is called, once its owner is back"
    assert admitted(shard, "b2") == ["b2"]


@pytest.mark.parametrize("why", ["queue-all", "paused", "halted"])
def test_nobody_gets_a_pass_while(shard: Shard, why: str) -> None:
    open_room(shard)
    crowd(shard, 2)
    admit(shard)
    if why == "queue-all":
        set_room(shard, mode="queue-all")
    elif why == "paused":
        shard.run("pause")
    else:
        shard.run("pause", fence="1-1000")

    assert join(shard, "b0", "new") == ["WAITING 0 0", "WAITING 2 2"]

    shard.redis.hdel(shard.keys.sale, "lost")
    if why == "queue-all":
        set_room(shard)
    elif why == "paused":
        shard.run("resume")
    assert admitted(shard, "b0") == ["b0"]


def test_who_passes_through_takes_no_place_and_loses_none(shard: Shard) -> None:
    open_room(shard)
    crowd(shard, 2)
    set_room(shard, mode="pass-through")
    before = shard.dump()

    result = shard.run("join", "new", "b1")

    assert result.answers == [f"ADMITTED {result.position} {result.now_ms + 60_000}"] * 2
    assert shard.dump() == before
    set_room(shard)
    assert join(shard, "b1", "new") == ["WAITING 1 1", "WAITING 2 2"]


def test_a_sale_without_a_room_says_so(shard: Shard) -> None:
    shard.sell(("A", 5))

    assert shard.run("join", "ann", "bob").answers == ["NO_ROOM 1-3"] * 2


def test_a_sale_that_is_not_there_has_no_line(shard: Shard) -> None:
    assert shard.run("join", "ann").answers == ["NOT_LOADED 0-0"]
    assert shard.run("join", "ann", fence="1-1").answers == ["LOG_REGRESSED 0-0"]
    assert shard.dump() == {}


@pytest.mark.parametrize("state", ["warm", "scheduled"])
def test_people_come_before_the_opening(shard: Shard, state: str) -> None:
    shard.load(("A", 5), opens=9_000_000_000_000 if state == "scheduled" else 0)
    set_room(shard)

    assert join(shard, "ann") == ["WAITING 0 0"]


def test_nobody_waits_for_what_is_over(shard: Shard) -> None:
    open_room(shard)
    shard.run("close")

    assert join(shard, "ann", "bob") == ["CLOSED"] * 2


def test_a_room_has_a_last_ticket(shard: Shard) -> None:
    open_room(shard)
    shard.redis.hset(shard.room_keys.room, "tickets", 2**24 - 1)

    last = f"WAITING {2**24 - 1} {2**24 - 1}"
    assert join(shard, "ann", "bob", "ann") == [last, "ROOM_FULL", last]


def test_where_strings_may_not_be_so_long_it_is_refused_before_anything_is_written(shard: Shard) -> None:
    open_room(shard)
    limit = str(shard.redis.config_get("proto-max-bulk-len")["proto-max-bulk-len"])
    shard.redis.config_set("proto-max-bulk-len", 2**20)
    try:
        shard.redis.hset(shard.room_keys.room, "tickets", 2**18 - 1)
        assert join(shard, "ann") == [f"WAITING {2**18 - 1} {2**18 - 1}"]
        assert "out of range" in shard.error("join", "bob")
    finally:
        shard.redis.config_set("proto-max-bulk-len", limit)


def test_a_room_that_redis_lost_goes_on_behind_what_was_drawn(shard: Shard) -> None:
    open_room(shard, shuffle=1)
    crowd(shard, 7)
    admit(shard)
    shard.redis.delete(*shard.room_keys)

    assert join(shard, "b3", "new") == ["WAITING 7 7", "WAITING 8 8"]
    assert admit(shard).startswith("CALLED 9 2")
    assert room(shard).drawn == 7


def test_a_thousand_at_once(shard: Shard) -> None:
    open_room(shard, shuffle=1)

    assert join(shard, *[f"b{n}" for n in range(1000)])[-1] == "WAITING 999 -"
    assert number(shard, "tickets") == 1000
    assert shard.redis.strlen(shard.room_keys.seen) == 4000


def test_a_malformed_buyer_is_refused(shard: Shard) -> None:
    open_room(shard)
    for what, buyer in malformed.BUYERS.items():
        assert shard.error("join", "ann", buyer).startswith("INVALID_ARGUMENT buyer"), what


@pytest.mark.parametrize("name", ["join", "leave", "stand"])
def test_a_batch_has_one_to_a_thousand_buyers(shard: Shard, name: str) -> None:
    open_room(shard)
    for buyers in ((), ("ann",) * 1001):
        assert shard.error(name, *buyers).startswith("INVALID_ARGUMENT ARGV")
    assert shard.error_raw(name).startswith("INVALID_ARGUMENT")


@pytest.mark.parametrize("name", ["join", "leave", "stand", "roomstate"])
def test_other_keys_are_refused(shard: Shard, name: str) -> None:
    open_room(shard)
    own = shard.keys_of(name)
    argv: tuple[Argument, ...] = () if name == "roomstate" else ("0-0", "test", "ann")
    for keys in ((), own[:-1], (*own, "other"), own[::-1], (own[0], *own[2:], own[1]), shard.keys):
        assert shard.error_raw(name, *argv, keys=keys).startswith("INVALID_ARGUMENT KEYS")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("join", key) for key in ("room", "line", "seen", "passes")),
        *(("leave", key) for key in ("line", "seen", "passes")),
        *(("admit", key) for key in ("room", "seen", "passes")),
    ],
)
def test_a_key_of_another_type_stops_it_before_it_writes(shard: Shard, name: str, key: str) -> None:
    open_room(shard)
    crowd(shard, 3)
    shard.damage("DEL", getattr(shard.room_keys, key))
    foreign = ("HSET", "a", "b") if key == "seen" else ("SET", "foreign")
    shard.damage(foreign[0], getattr(shard.room_keys, key), *foreign[1:])

    assert shard.error(name, *((1000,) if name == "admit" else ("b1", "new"))).startswith("WRONGTYPE")


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("room", "start_s"),
        ("room", "tickets"),
        ("room", "serving"),
        ("line", name_in_line("b1")),
        ("sale", "door"),
    ],
)
def test_a_damaged_record_is_corrupt(shard: Shard, key: str, field: str | bytes) -> None:
    open_room(shard)
    crowd(shard, 3)
    name = {**shard.keys._asdict(), **shard.room_keys._asdict()}[key]
    for value in ("", "abc", "-1", "1.5", "1e3", "1\n", "9" * 14):
        shard.damage("HSET", name, field, value)
        assert shard.error("join", "b1").startswith("KEY_CORRUPT")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("join", key) for key in ("tickets", "serving", "line", "drawn")),
        *(("admit", key) for key in ("tickets", "serving", "drawn")),
        *(("stand", key) for key in ("line", "drawn")),
        ("leave", "line"),
    ],
)
def test_more_tickets_than_are_given_are_corrupt(shard: Shard, name: str, key: str) -> None:
    """What is looked at, and the string of seconds, would be as long as such a number says."""
    open_room(shard)
    crowd(shard, 3)
    record: dict[str, tuple[Argument, ...]] = {
        "line": (shard.room_keys.line, name_in_line("b1"), 2**24 + 1),
        "drawn": (shard.keys.sale, "drawn", f"{2**24 + 1} {SEED}"),
    }
    shard.damage("HSET", *record.get(key, (shard.room_keys.room, key, 2**24 + 1)))

    assert shard.error(name, *((1000,) if name == "admit" else ("b1", "new"))).startswith("KEY_CORRUPT")
