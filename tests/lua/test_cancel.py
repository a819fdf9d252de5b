"""cancel: unpaid orders are given up, and their units go back on sale."""

import pytest

from flashsale.events.types import OrderCancelled
from tests.lua import malformed
from tests.lua.kit import SHORT_HOLD_MS, Shard


def test_the_units_go_back_on_sale(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.reserve("0-first", "ann", "A", 2)

    result = shard.run("cancel", "0-first", "ann", by="gateway")

    assert result.answers == ["CANCELLED 1-5 0"]
    assert shard.newest() == OrderCancelled(1, result.now_ms, "gateway", "0-first", "ann", "A", 2, 5, 0, 0, 0)
    assert (shard.check().units, shard.snapshot().holds) == ({}, {})


def test_only_what_was_given_up_goes_back_to_the_limit(shard: Shard) -> None:
    shard.sell(("A", 5, 3))
    shard.reserve("0-first", "ann", "A", 1)
    shard.reserve("0-second", "ann", "A", 2)
    shard.resolve("cancel", "0-first")

    assert shard.check().units == {("ann", "A"): 2}
    assert shard.reserve("0-third", "ann", "A", 2) == "LIMIT 1-6 2"


def test_a_repeat_gets_the_same_answer(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.reserve("0-first")
    shard.resolve("cancel", "0-first")
    shard.reserve("0-other")

    assert shard.resolve("cancel", "0-first") == ["CANCELLED 1-5 0 cancelled"]
    assert shard.counters() == (4, 1, 0, 0)


@pytest.mark.parametrize("order", ["0-unknown", *malformed.ORDER_IDS.values()])
def test_an_order_that_nobody_made_is_not_found(shard: Shard, order: str) -> None:
    shard.sell(("A", 5))

    assert shard.resolve("cancel", order) == ["NOT_FOUND 1-3"]


def test_the_order_of_another_buyer_is_not_found(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.reserve("0-first", "ann")

    for buyer in ("bob", "", "ann\n"):
        assert shard.run("cancel", "0-first", buyer).answer == "NOT_FOUND 1-4"


def test_what_is_paid_must_be_refunded_instead(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.pay("0-first")
    assert shard.resolve("cancel", "0-first") == ["WRONG_STATE 1-5 confirmed"]

    shard.refund("0-first")
    assert shard.resolve("cancel", "0-first") == ["WRONG_STATE 1-6 refunded"]


def test_what_has_expired_cannot_be_given_up(shard: Shard) -> None:
    shard.sell(("A", 1), hold=SHORT_HOLD_MS)
    shard.expire("0-first")
    assert shard.resolve("cancel", "0-first") == ["WRONG_STATE 1-5 expired"]

    shard.reserve("0-other", "bob")
    shard.resolve("confirm", "0-first")
    assert shard.resolve("cancel", "0-first") == ["WRONG_STATE 1-7 refund_due"]


def test_what_was_paid_after_it_was_given_up_waits_for_its_refund(shard: Shard) -> None:
    shard.sell(("A", 1))
    shard.reserve("0-first")
    shard.resolve("cancel", "0-first")
    shard.resolve("confirm", "0-first")
    assert shard.resolve("cancel", "0-first") == ["WRONG_STATE 1-6 refund_due"]

    shard.refund("0-first")
    assert shard.resolve("cancel", "0-first") == ["WRONG_STATE 1-7 refunded"]


def test_an_overdue_order_that_nobody_ended_can_be_given_up(shard: Shard) -> None:
    shard.sell(("A", 1), hold=SHORT_HOLD_MS)
    shard.reserve("0-first")
    shard.wait_until_overdue()

    assert shard.resolve("cancel", "0-first") == ["CANCELLED 1-5 0"]


def test_a_batch_is_decided_one_after_the_other(shard: Shard) -> None:
    shard.sell(("A", 5), ("B", 5))
    shard.reserve("0-first", "ann", "A", 1)
    shard.reserve("0-second", "ann", "B", 2)
    shard.reserve("0-third", "ann", "A", 3)
    shard.pay("0-paid", "bob")

    answers = shard.resolve("cancel", "0-third", "0-unknown", "0-second", "0-paid", "0-third", "0-first")

    assert answers == [
        "CANCELLED 1-10 0",
        "NOT_FOUND 1-10",
        "CANCELLED 1-11 0",
        "WRONG_STATE 1-11 confirmed",
        "CANCELLED 1-10 0 cancelled",
        "CANCELLED 1-12 0",
    ]
    assert (shard.counters("A"), shard.counters("B")) == ((4, 0, 1, 0), (5, 0, 0, 0))
    assert shard.check().units == {("bob", "A"): 1}
