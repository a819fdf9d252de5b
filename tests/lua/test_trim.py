"""trim: events leave the log when the caller has them and every group has acknowledged them, and not otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flashsale.commands.sale import trim_of
from flashsale.events import decode, type_name
from flashsale.ids import Position
from tests.lua import malformed
from tests.lua.kit import Argument, Shard

DIGEST = "0" * 40


def proof(shard: Shard, count: int) -> tuple[Argument, ...]:
    """The arguments that prove the log's oldest events."""
    entries: Any = shard.redis.xrange(shard.keys.events, count=count)
    return trim_of([(Position.parse(at), fields[b"e"]) for at, fields in entries]).arguments()


def acknowledge(shard: Shard, count: int, group: str = "projector") -> None:
    """Have a group read so many events, and acknowledge them."""
    read(shard, count, group)
    entries: Any = shard.redis.xrange(shard.keys.events, count=count)
    shard.redis.xack(shard.keys.events, group, *(at for at, _ in entries))


def read(shard: Shard, count: int, group: str = "projector", consumer: str = "p1") -> None:
    """Have a consumer take so many events; the group is made if need be."""
    groups: Any = shard.redis.xinfo_groups(shard.keys.events)
    if group.encode() not in [found["name"] for found in groups]:
        shard.redis.xgroup_create(shard.keys.events, group, "0")
    shard.redis.xreadgroup(group, consumer, {shard.keys.events: ">"}, count=count)


def seqs(shard: Shard) -> list[int]:
    """What the stream still holds."""
    return [position.seq for position, _ in shard.log()]


@pytest.fixture
def selling(shard: Shard) -> Shard:
    """A sale of ten events, all read and acknowledged."""
    shard.sell(("A", 20))
    for number in range(7):
        shard.reserve(f"0-order-{number}", f"buyer-{number}")
    acknowledge(shard, 10)
    return shard


@pytest.mark.parametrize("count", [1, 4, 10])
def test_what_is_proven_and_acknowledged_goes(selling: Shard, count: int) -> None:
    assert selling.run("trim", *proof(selling, count)).answer == f"TRIMMED 1-10 {count}"

    assert seqs(selling) == list(range(count + 1, 11))
    assert selling.snapshot().log_position == Position(1, 10)


def test_the_sale_goes_on_where_it_was(selling: Shard) -> None:
    selling.run("trim", *proof(selling, 10))

    assert selling.reserve("0-order-next", "zoe").startswith("RESERVED 1-11 ")
    assert selling.resolve("confirm", "0-order-0") == ["CONFIRMED 1-12 0"]
    assert [type_name(event) for _, event in selling.log()] == ["order.reserved", "order.confirmed"]


def test_the_rest_can_go_later(selling: Shard) -> None:
    selling.run("trim", *proof(selling, 4))

    assert selling.run("trim", *proof(selling, 6)).answer == "TRIMMED 1-10 6"
    assert seqs(selling) == []


def test_a_thousand_at_once(shard: Shard) -> None:
    shard.sell(("A", 2000))
    shard.run("reserve", *(word for n in range(1000) for word in (f"0-order-{n}", "ann", "A", 1)))
    acknowledge(shard, 1003)

    assert shard.run("trim", *proof(shard, 1000)).answer == "TRIMMED 1-1003 1000"
    assert seqs(shard) == [1001, 1002, 1003]


# ------------------------------------------------------------------------------------------------------- not proven


def test_another_number_of_events_proves_nothing(selling: Shard) -> None:
    up_to, count, digest = proof(selling, 5)

    for wrong in (int(count) - 1, int(count) + 1):
        assert selling.run("trim", up_to, wrong, digest).answer == "NOT_PROVEN 1-10"


def test_one_byte_that_differs_proves_nothing(selling: Shard) -> None:
    entries: Any = selling.redis.xrange(selling.keys.events, count=3)
    events = [(Position.parse(at), fields[b"e"]) for at, fields in entries]
    events[1] = (events[1][0], events[1][1].replace(b"20", b"21", 1))

    assert selling.run("trim", *trim_of(events).arguments()).answer == "NOT_PROVEN 1-10"


def test_bytes_moved_from_one_event_to_the_next_prove_nothing(selling: Shard) -> None:
    entries: Any = selling.redis.xrange(selling.keys.events, count=2)
    (one, first), (two, second) = [(Position.parse(at), fields[b"e"]) for at, fields in entries]

    moved = trim_of([(one, first + second[:1]), (two, second[1:])])
    assert selling.run("trim", *moved.arguments()).answer == "NOT_PROVEN 1-10"


def test_an_archive_that_lacks_an_event_proves_nothing(selling: Shard) -> None:
    entries: Any = selling.redis.xrange(selling.keys.events, count=5)
    events = [(Position.parse(at), fields[b"e"]) for at, fields in entries]
    for missing in range(4):  # without the last it is a shorter proof
        incomplete = [event for number, event in enumerate(events) if number != missing]
        assert selling.run("trim", *trim_of(incomplete).arguments()).answer == "NOT_PROVEN 1-10"


def test_a_place_beyond_the_last_of_them_proves_nothing(selling: Shard) -> None:
    _, count, digest = proof(selling, 10)
    assert selling.run("trim", "1-11", count, digest).answer == "NOT_PROVEN 1-10"


def test_an_entry_of_another_shape_is_never_proven(selling: Shard) -> None:
    entries: Any = selling.redis.xrange(selling.keys.events)
    selling.damage("DEL", selling.keys.events)
    for number, (at, fields) in enumerate(entries):
        more = ("f", "x") if number == 2 else ()
        selling.damage("XADD", selling.keys.events, at, "e", fields[b"e"], *more)
    acknowledge(selling, 10)

    assert selling.run("trim", *proof(selling, 5)).answer == "NOT_PROVEN 1-10"
    assert selling.run("trim", *proof(selling, 2)).answer == "TRIMMED 1-10 2"


# -------------------------------------------------------------------------------------------------- not acknowledged


def test_without_any_group_nothing_goes(shard: Shard) -> None:
    shard.sell(("A", 20))
    assert shard.run("trim", *proof(shard, 3)).answer == "NOT_ACKNOWLEDGED 1-3 - 3"


def test_a_group_that_is_slow_keeps_what_it_has_not_got(selling: Shard) -> None:
    acknowledge(selling, 3, "audit")

    assert selling.run("trim", *proof(selling, 10)).answer == "NOT_ACKNOWLEDGED 1-10 audit 7"
    assert selling.run("trim", *proof(selling, 4)).answer == "NOT_ACKNOWLEDGED 1-10 audit 1"
    assert selling.run("trim", *proof(selling, 3)).answer == "TRIMMED 1-10 3"


def test_a_consumer_that_died_keeps_what_it_had_in_hand(selling: Shard) -> None:
    acknowledge(selling, 10, "audit")
    selling.redis.xgroup_setid(selling.keys.events, "audit", "1-4")
    read(selling, 2, "audit", "the late one")

    # Two in hand, and four that were never handed out again.
    assert selling.run("trim", *proof(selling, 10)).answer == "NOT_ACKNOWLEDGED 1-10 audit 6"
    assert selling.run("trim", *proof(selling, 6)).answer == "NOT_ACKNOWLEDGED 1-10 audit 2"
    assert selling.run("trim", *proof(selling, 4)).answer == "TRIMMED 1-10 4"


def test_a_group_set_back_counts_nothing_twice(selling: Shard) -> None:
    read(selling, 5, "audit")
    selling.redis.xgroup_setid(selling.keys.events, "audit", "0")

    assert selling.run("trim", *proof(selling, 10)).answer == "NOT_ACKNOWLEDGED 1-10 audit 10"


def test_a_group_with_a_strange_name_can_still_be_told(selling: Shard) -> None:
    selling.redis.xgroup_create(selling.keys.events, "my group\n", "0")
    assert selling.run("trim", *proof(selling, 2)).answer == "NOT_ACKNOWLEDGED 1-10 my?group? 2"


# ------------------------------------------------------------------------------------------------- refused as a whole


def test_a_sale_that_is_not_there_is_refused(shard: Shard) -> None:
    assert shard.run("trim", "1-1", 1, DIGEST).answer == "NOT_LOADED 0-0"
    assert shard.run("trim", "1-1", 1, DIGEST, fence="1-1").answer == "LOG_REGRESSED 0-0"


def test_a_log_behind_what_the_caller_has_seen_is_refused(selling: Shard) -> None:
    assert selling.run("trim", *proof(selling, 2), fence="1-11").answer == "LOG_REGRESSED 1-10"


def test_a_log_that_lost_its_tail_is_refused(selling: Shard) -> None:
    arguments = proof(selling, 2)
    selling.damage("DEL", selling.keys.events)
    assert selling.run("trim", *arguments).answer == "LOG_REGRESSED 1-10"


def test_a_log_with_a_foreign_entry_is_left_alone(selling: Shard) -> None:
    arguments = proof(selling, 2)
    selling.damage("XADD", selling.keys.events, "1-99", "e", "forged")
    assert selling.error("trim", *arguments).startswith("KEY_CORRUPT events")


@pytest.mark.parametrize("place", [0, 1, 2], ids=["up_to", "count", "digest"])
def test_malformed_arguments_are_refused(selling: Shard, place: int) -> None:
    good = proof(selling, 2)
    wrong: Mapping[str, Argument] = (
        malformed.FENCES | {"seq of 16 digits": f"1-{10**15}", "epoch of 10 digits": f"{10**9}-1"},
        malformed.QUANTITIES | {"too many": "1001"},
        {"short": "ab", "upper case": "A" * 40, "other letters": "g" * 40, "long": "a" * 41, "NUL": "a" * 39 + "\0"},
    )[place]  # fmt: skip
    for what, value in wrong.items():
        arguments = [*good[:place], value, *good[place + 1 :]]
        assert selling.error("trim", *arguments).startswith("INVALID_ARGUMENT"), what
    for number in (2, 4):
        assert selling.error("trim", *(*good, "x")[:number]).startswith("INVALID_ARGUMENT ARGV")
    assert selling.error("trim", *good, by="").startswith("INVALID_ARGUMENT by")


def test_it_works_when_memory_is_full(selling: Shard) -> None:
    selling.redis.config_set("maxmemory", 1)
    try:
        assert selling.run("trim", *proof(selling, 2)).answer == "TRIMMED 1-10 2"
    finally:
        selling.redis.config_set("maxmemory", 0)


def test_what_is_left_is_whole(selling: Shard) -> None:
    before = selling.dump()[selling.keys.events.encode()][1]
    selling.run("trim", *proof(selling, 6))

    after = selling.dump()[selling.keys.events.encode()][1]
    assert after == before[6:]
    assert all(decode(fields[b"e"]) for _, fields in after)
