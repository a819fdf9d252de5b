"""refund: money goes back for paid orders, and their units go back on sale or not."""

import pytest

from flashsale.events.types import OrderRefunded
from tests.lua import malformed
from tests.lua.kit import SHORT_HOLD_MS, Shard


@pytest.mark.parametrize(("units", "after"), [("restock", (5, 0, 0, 0)), ("keep", (3, 0, 0, 2))])
def test_a_paid_order_is_refunded(shard: Shard, units: str, after: tuple[int, int, int, int]) -> None:
    shard.sell(("A", 5))
    shard.pay("0-first", "ann", "A", 2)

    result = shard.run("refund", "0-first", "ann", units, by="desk")

    assert result.answers == [f"REFUNDED 1-6 {units}"]
    event = shard.newest()
    assert isinstance(event, OrderRefunded)
    assert (event.v, event.by, event.order_id, event.quantity, event.units) == (
        2,
        "desk",
        "0-first",
        2,
        units,
    )
    assert shard.counters() == after
    assert shard.check().units == {}


@pytest.mark.parametrize(("units", "other"), [("restock", "keep"), ("keep", "restock")])
def test_a_repeat_gets_the_same_answer_and_the_other_way_is_a_conflict(
    shard: Shard, units: str, other: str
) -> None:
    shard.sell(("A", 5))
    shard.pay("0-first")
    shard.refund("0-first", units)

    assert shard.refund("0-first", units) == f"REFUNDED 1-6 {units} refunded"
    assert shard.refund("0-first", other) == f"CONFLICT 1-6 {units}"


@pytest.mark.parametrize("units", ["restock", "keep"])
def test_a_refund_that_is_due_moves_no_units(shard: Shard, units: str) -> None:
    shard.sell(("A", 1), hold=SHORT_HOLD_MS)
    shard.expire("0-first")
    shard.pay("0-other", "bob")
    shard.resolve("confirm", "0-first")

    assert shard.refund("0-first", units) == "REFUNDED 1-9 none"
    assert shard.counters() == (0, 0, 1, 0)
    for way in ("restock", "keep"):
        assert shard.refund("0-first", way) == "REFUNDED 1-9 none refunded"


@pytest.mark.parametrize("units", ["restock", "keep"])
def test_a_refund_of_what_was_paid_after_it_was_given_up_moves_no_units(shard: Shard, units: str) -> None:
    shard.sell(("A", 1))
    shard.reserve("0-first")
    shard.resolve("cancel", "0-first")
    shard.resolve("confirm", "0-first")

    assert shard.refund("0-first", units) == "REFUNDED 1-7 none"
    assert shard.counters() == (1, 0, 0, 0)
    for way in ("restock", "keep"):
        assert shard.refund("0-first", way) == "REFUNDED 1-7 none refunded"


def test_a_late_payment_can_be_refunded(shard: Shard) -> None:
    shard.sell(("A", 1), hold=SHORT_HOLD_MS)
    shard.expire("0-first")
    shard.resolve("confirm", "0-first")

    assert shard.refund("0-first") == "REFUNDED 1-7 restock"
    assert shard.counters() == (1, 0, 0, 0)


@pytest.mark.parametrize("status", ["held", "cancelled", "expired"])
def test_what_is_not_paid_cannot_be_refunded(shard: Shard, status: str) -> None:
    shard.sell(("A", 1), hold=SHORT_HOLD_MS)
    shard.reserve("0-first")
    if status == "cancelled":
        shard.resolve("cancel", "0-first")
    if status == "expired":
        shard.wait_until_overdue()
        shard.run("expire", 1)

    assert shard.refund("0-first") == f"WRONG_STATE {shard.head()} {status}"


@pytest.mark.parametrize("order", ["0-unknown", *malformed.ORDER_IDS.values()])
def test_an_order_that_nobody_made_is_not_found(shard: Shard, order: str) -> None:
    shard.sell(("A", 5))

    assert shard.refund(order) == "NOT_FOUND 1-3"


def test_the_order_of_another_buyer_is_not_found(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.pay("0-first", "ann")

    assert shard.run("refund", "0-first", "bob", "restock").answer == "NOT_FOUND 1-5"


@pytest.mark.parametrize("units", ["", "none", "RESTOCK", "keep ", "restock\n", "1"])
def test_another_way_than_restock_and_keep_is_refused(shard: Shard, units: str) -> None:
    shard.sell(("A", 5))
    shard.pay("0-first")
    shard.pay("0-second")

    error = shard.error("refund", "0-first", "-", "keep", "0-second", "-", units)

    assert error.startswith("INVALID_ARGUMENT units")


def test_a_batch_is_decided_one_after_the_other(shard: Shard) -> None:
    shard.sell(("A", 9), ("B", 9))
    shard.pay("0-first", "ann", "A", 1)
    shard.pay("0-second", "ann", "B", 2)
    shard.reserve("0-held", "ann", "A", 3)

    result = shard.run(
        "refund",
        *("0-second", "-", "keep"),
        *("0-held", "-", "restock"),
        *("0-first", "-", "restock"),
        *("0-second", "-", "restock"),
        *("0-first", "-", "restock"),
    )

    assert result.answers == [
        "REFUNDED 1-10 keep",
        "WRONG_STATE 1-10 held",
        "REFUNDED 1-11 restock",
        "CONFLICT 1-11 keep",
        "REFUNDED 1-11 restock refunded",
    ]
    assert (shard.counters("A"), shard.counters("B")) == ((6, 3, 0, 0), (7, 0, 0, 2))


def test_units_that_go_back_are_sold_again(shard: Shard) -> None:
    shard.sell(("A", 1))
    shard.pay("0-first")
    assert shard.reserve("0-second", "bob").startswith("SOLD_OUT")
    shard.refund("0-first", "restock")

    assert shard.reserve("0-second", "bob").startswith("RESERVED")


def test_units_that_do_not_go_back_are_not_sold_again(shard: Shard) -> None:
    shard.sell(("A", 1))
    shard.pay("0-first")
    shard.refund("0-first", "keep")

    assert shard.reserve("0-second", "bob") == "SOLD_OUT 1-6 0"
