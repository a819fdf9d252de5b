"""expire: holds whose time is over end, and their units go back on sale."""

import pytest

from flashsale.events.types import OrderExpired
from tests.lua import malformed
from tests.lua.kit import HOUR_MS, SHORT_HOLD_MS, Shard


def test_an_overdue_hold_ends(shard: Shard) -> None:
    shard.sell(("A", 5), hold=SHORT_HOLD_MS)
    shard.reserve("0-first", "ann", "A", 2)
    shard.wait_until_overdue()

    result = shard.run("expire", 10, by="sweeper")

    assert result.answers == ["EXPIRED 1-5 1 0", "0-first"]
    assert shard.newest() == OrderExpired(1, result.now_ms, "sweeper", "0-first", "ann", "A", 2, 5, 0, 0, 0)
    assert (shard.check().units, shard.snapshot().holds) == ({}, {})


def test_a_hold_whose_time_is_not_over_stays(shard: Shard) -> None:
    shard.sell(("A", 5), hold=HOUR_MS)
    until_ms = shard.reserve("0-first").split(" ")[2]

    assert shard.run("expire", 10).answers == [f"EXPIRED 1-4 0 {until_ms}"]


def test_no_hold_at_all_is_no_event(shard: Shard) -> None:
    shard.sell(("A", 5))

    assert shard.run("expire", 10).answers == ["EXPIRED 1-3 0 0"]


def test_it_ends_no_more_than_it_was_told_the_oldest_first(shard: Shard) -> None:
    shard.sell(("A", 9), hold=SHORT_HOLD_MS)
    for order in ("0-c", "0-a", "0-b"):
        shard.reserve(order, order[2:])
        shard.wait_until_overdue()
    shard.run("reconfigure", "-", "-", HOUR_MS)
    until_ms = shard.reserve("0-later", "dan").split(" ")[2]
    third_ms = shard.snapshot().holds["0-b"]

    assert shard.run("expire", 2).answers == [f"EXPIRED 1-10 2 {third_ms}", "0-c", "0-a"]
    assert shard.run("expire", 2).answers == [f"EXPIRED 1-11 1 {until_ms}", "0-b"]
    assert shard.run("expire", 2).answers == [f"EXPIRED 1-11 0 {until_ms}"]


def test_skus_and_buyers_do_not_mix(shard: Shard) -> None:
    shard.sell(("A", 9, 5), ("B", 9), hold=SHORT_HOLD_MS)
    shard.reserve("0-a", "ann", "A", 2)
    shard.reserve("0-b", "ann", "B", 3)
    shard.reserve("0-c", "bob", "A", 4)
    shard.pay("0-paid", "ann", "A", 1)
    shard.wait_until_overdue()

    assert shard.run("expire", 1000).answers[0] == "EXPIRED 1-12 3 0"
    assert (shard.counters("A"), shard.counters("B")) == ((8, 0, 1, 0), (9, 0, 0, 0))
    assert shard.check().units == {("ann", "A"): 1}


def test_a_thousand_holds_end_in_one_call(shard: Shard) -> None:
    shard.sell(("A", 1000), hold=SHORT_HOLD_MS)
    shard.run("reserve", *(value for i in range(1000) for value in (f"0-order-{i}", f"buyer-{i}", "A", 1)))
    shard.wait_until_overdue()

    assert shard.run("expire", 1000).answers[0] == "EXPIRED 1-2003 1000 0"
    assert shard.counters() == (1000, 0, 0, 0)


def test_a_malformed_number_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    for what, value in (malformed.QUANTITIES | {"too many": "1001"}).items():
        assert shard.error("expire", value).startswith("INVALID_ARGUMENT max"), what


@pytest.mark.parametrize("score", ["-inf", "0", "1.5"])
def test_a_hold_without_its_order_is_damage(shard: Shard, score: str) -> None:
    shard.sell(("A", 5))
    shard.damage("ZADD", shard.keys.holds, score, "0-nobody")

    assert shard.error("expire", 10).startswith("KEY_CORRUPT holds 0-nobody")


@pytest.mark.parametrize("end", ["confirm", "cancel"])
def test_a_hold_of_an_order_that_is_not_held_is_damage(shard: Shard, end: str) -> None:
    shard.sell(("A", 5))
    shard.reserve("0-first")
    shard.resolve(end, "0-first")
    shard.damage("ZADD", shard.keys.holds, 1, "0-first")

    assert shard.error("expire", 10).startswith("KEY_CORRUPT holds 0-first")
