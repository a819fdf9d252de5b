"""confirm: a payment is taken, in time or late, and never lost."""

import pytest

from flashsale.events.types import OrderConfirmed, OrderRefundDue
from tests.lua import malformed
from tests.lua.kit import SHORT_HOLD_MS, Shard


def test_a_held_order_is_sold(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.reserve("0-first", "ann", "A", 2)

    result = shard.run("confirm", "0-first", "ann", by="bank")

    assert result.answers == ["CONFIRMED 1-5 0"]
    assert shard.newest() == OrderConfirmed(
        1, result.now_ms, "bank", "0-first", "ann", "A", 2, 3, 0, 2, 0, late=False
    )
    assert shard.snapshot().holds == {}


def test_a_repeat_gets_the_same_answer(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.pay("0-first")
    shard.reserve("0-other")

    assert shard.resolve("confirm", "0-first") == ["CONFIRMED 1-5 0 confirmed"]


def test_an_overdue_order_that_nobody_ended_is_paid_in_time(shard: Shard) -> None:
    shard.sell(("A", 1), hold=SHORT_HOLD_MS)
    shard.reserve("0-first")
    shard.wait_until_overdue()

    assert shard.resolve("confirm", "0-first") == ["CONFIRMED 1-5 0"]
    assert shard.run("expire", 10).answer == "EXPIRED 1-5 0 0"


@pytest.mark.parametrize("order", ["0-unknown", *malformed.ORDER_IDS.values()])
def test_an_order_that_nobody_made_is_not_found(shard: Shard, order: str) -> None:
    shard.sell(("A", 5))

    assert shard.resolve("confirm", order) == ["NOT_FOUND 1-3"]


def test_the_order_of_another_buyer_is_not_found(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.reserve("0-first", "ann")

    for buyer in ("bob", "ANN", "", "ann ", "-ann"):
        assert shard.run("confirm", "0-first", buyer).answer == "NOT_FOUND 1-4"
    assert shard.run("confirm", "0-first", "ann").words == ["CONFIRMED"]


def test_an_order_that_was_refunded_cannot_be_paid(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.pay("0-first")
    shard.refund("0-first")
    shard.reserve("0-second")
    shard.resolve("cancel", "0-second")
    shard.resolve("confirm", "0-second")
    shard.refund("0-second")

    assert shard.resolve("confirm", "0-first", "0-second") == ["WRONG_STATE 1-10 refunded"] * 2


# ----------------------------------------------------------------------------------------------------- late payments


def test_a_late_payment_takes_the_units_again_if_they_are_left(shard: Shard) -> None:
    shard.sell(("A", 2, 2), hold=SHORT_HOLD_MS)
    shard.expire("0-first", "ann", "A", 2)

    assert shard.resolve("confirm", "0-first") == ["CONFIRMED 1-6 1"]
    event = shard.newest()
    assert isinstance(event, OrderConfirmed)
    assert event.late
    assert shard.counters() == (0, 0, 2, 0)
    assert shard.check().units == {("ann", "A"): 2}
    assert shard.resolve("confirm", "0-first") == ["CONFIRMED 1-6 1 confirmed"], (
        "a repeat says that it was late"
    )


def test_a_late_payment_for_units_that_are_gone_is_to_be_refunded(shard: Shard) -> None:
    shard.sell(("A", 2), hold=SHORT_HOLD_MS)
    shard.expire("0-first", "ann", "A", 2)
    shard.pay("0-other", "bob")

    assert shard.resolve("confirm", "0-first") == ["REFUND_DUE 1-8 0"]
    event = shard.newest()
    assert isinstance(event, OrderRefundDue)
    assert (event.available, event.held, event.sold, event.returned) == (1, 0, 1, 0), "nothing moved"
    assert shard.resolve("confirm", "0-first") == ["REFUND_DUE 1-8 0 refund_due"]


def test_a_late_payment_beyond_the_limit_is_to_be_refunded(shard: Shard) -> None:
    shard.sell(("A", 9, 1), hold=SHORT_HOLD_MS)
    shard.expire("0-first")
    shard.pay("0-second")

    assert shard.resolve("confirm", "0-first") == ["REFUND_DUE 1-8 0"]
    assert shard.counters() == (8, 0, 1, 0)


def test_a_late_payment_after_the_sale_closed_is_taken(shard: Shard) -> None:
    shard.sell(("A", 1), hold=SHORT_HOLD_MS)
    shard.expire("0-first")
    shard.run("close")

    assert shard.resolve("confirm", "0-first") == ["CONFIRMED 1-7 1"]


def test_a_payment_of_an_order_that_was_given_up_is_to_be_refunded(shard: Shard) -> None:
    """Its units are not taken again, though they are there: the buyer did not want them any more."""
    shard.sell(("A", 5, 2))
    shard.reserve("0-first", "ann", "A", 2)
    shard.resolve("cancel", "0-first")

    result = shard.run("confirm", "0-first", "ann", by="bank")

    assert result.answers == ["REFUND_DUE 1-6 0"]
    assert shard.newest() == OrderRefundDue(1, result.now_ms, "bank", "0-first", "ann", "A", 2, 5, 0, 0, 0)
    assert shard.check().units == {}
    assert shard.resolve("confirm", "0-first") == ["REFUND_DUE 1-6 0 refund_due"]


def test_a_payment_of_an_order_that_was_given_up_is_never_lost(shard: Shard) -> None:
    shard.sell(("A", 1))
    shard.reserve("0-first", "ann")
    shard.resolve("cancel", "0-first")
    shard.pay("0-other", "bob")
    shard.run("close")

    assert shard.resolve("confirm", "0-first") == ["REFUND_DUE 1-9 0"]
    assert shard.run("confirm", "0-first", "bob").answer == "NOT_FOUND 1-9"
    assert shard.counters() == (0, 0, 1, 0)


# ------------------------------------------------------------------------------------------------------------ batches


def test_late_payments_of_one_batch_share_what_is_left(shard: Shard) -> None:
    shard.sell(("A", 2), hold=SHORT_HOLD_MS)
    shard.expire("0-first", "ann", "A", 1)
    shard.expire("0-second", "bob", "A", 2)
    shard.expire("0-third", "cid", "A", 1)

    answers = shard.resolve("confirm", "0-first", "0-second", "0-third", "0-unknown", "0-first")

    assert answers == [
        "CONFIRMED 1-10 1",
        "REFUND_DUE 1-11 0",
        "CONFIRMED 1-12 1",
        "NOT_FOUND 1-12",
        "CONFIRMED 1-10 1 confirmed",
    ]
    assert shard.counters() == (0, 0, 2, 0)


def test_payments_of_orders_that_were_given_up_leave_the_units_to_the_others_of_their_batch(
    shard: Shard,
) -> None:
    shard.sell(("A", 1), hold=SHORT_HOLD_MS)
    shard.expire("0-late", "bob")
    shard.reserve("0-back", "ann")
    shard.resolve("cancel", "0-back")

    answers = shard.resolve("confirm", "0-back", "0-late", "0-back")

    assert answers == ["REFUND_DUE 1-8 0", "CONFIRMED 1-9 1", "REFUND_DUE 1-8 0 refund_due"]


def test_late_payments_of_one_batch_share_the_limit(shard: Shard) -> None:
    shard.sell(("A", 9, 1), hold=SHORT_HOLD_MS)
    shard.expire("0-first")
    shard.expire("0-second")

    assert shard.resolve("confirm", "0-first", "0-second") == ["CONFIRMED 1-8 1", "REFUND_DUE 1-9 0"]


def test_two_skus_of_one_batch_do_not_mix(shard: Shard) -> None:
    shard.sell(("A", 5), ("B", 5))
    shard.reserve("0-first", "ann", "A", 1)
    shard.reserve("0-second", "ann", "B", 2)

    assert shard.resolve("confirm", "0-second", "0-first") == ["CONFIRMED 1-7 0", "CONFIRMED 1-8 0"]
    assert (shard.counters("A"), shard.counters("B")) == ((4, 0, 1, 0), (3, 0, 2, 0))
