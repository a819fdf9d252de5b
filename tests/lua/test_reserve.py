"""reserve: units are held for buyers while stock lasts."""

import pytest

from flashsale.events.types import OrderReserved
from tests.lua import malformed
from tests.lua.kit import HOUR_MS, Shard


def test_it_holds_units_and_says_until_when(shard: Shard) -> None:
    shard.sell(("A", 5))

    result = shard.run("reserve", "0-first", "ann", "A", 2, by="gateway")

    until_ms = result.now_ms + HOUR_MS
    assert result.answers == [f"RESERVED 1-4 {until_ms}"]
    assert result.position == "1-4"
    assert shard.newest() == OrderReserved(
        1, result.now_ms, "gateway", "0-first", "ann", "A", 2, 3, 2, 0, 0, until_ms
    )
    assert shard.snapshot().holds == {"0-first": until_ms}


def test_exactly_the_stock_is_sold(shard: Shard) -> None:
    shard.sell(("A", 3))

    answers = [shard.reserve(f"0-order-{i}", f"buyer-{i}").partition(" ")[0] for i in range(5)]

    assert answers == ["RESERVED"] * 3 + ["SOLD_OUT"] * 2
    assert shard.counters() == (0, 3, 0, 0)
    assert shard.reserve("0-late", "zoe") == "SOLD_OUT 1-6 0"


def test_more_units_than_are_left_are_refused_and_fewer_are_not(shard: Shard) -> None:
    shard.sell(("A", 3))

    assert shard.reserve("0-much", "ann", "A", 4) == "SOLD_OUT 1-3 3"
    assert shard.reserve("0-less", "ann", "A", 3).startswith("RESERVED")


def test_a_sku_that_is_not_on_sale_is_unknown(shard: Shard) -> None:
    shard.sell(("A", 3))

    assert shard.reserve("0-first", "ann", "B") == "UNKNOWN_SKU 1-3"


# ------------------------------------------------------------------------------------------- the same request again


@pytest.mark.parametrize("end", ["held", "confirmed", "cancelled", "expired", "refund_due", "refunded"])
def test_a_repeat_gets_the_same_answer_and_the_present_status(shard: Shard, end: str) -> None:
    shard.sell(("A", 1), hold=30)
    answer = shard.reserve("0-first")
    if end in {"confirmed", "refunded"}:
        shard.resolve("confirm", "0-first")
    if end == "refunded":
        shard.refund("0-first")
    if end == "cancelled":
        shard.resolve("cancel", "0-first")
    if end in {"expired", "refund_due"}:
        shard.wait_until_overdue()
        shard.run("expire", 1)
    if end == "refund_due":
        shard.reserve("0-other", "bob")
        shard.resolve("confirm", "0-first")

    assert shard.reserve("0-first") == f"{answer} {end}"


@pytest.mark.parametrize("other", [("bob", "A", 1), ("ann", "B", 1), ("ann", "A", 2), ("ann", "X", 1)])
def test_the_same_id_with_another_content_is_a_conflict(shard: Shard, other: tuple[str, str, int]) -> None:
    shard.sell(("A", 5), ("B", 5))
    shard.reserve("0-first", "ann", "A", 1)

    assert shard.reserve("0-first", *other) == "CONFLICT 1-5"


def test_a_refused_request_may_come_again_and_win(shard: Shard) -> None:
    """Only what was sold is remembered: a refusal took nothing."""
    shard.sell(("A", 1))
    shard.reserve("0-first", "bob")
    assert shard.reserve("0-again") == "SOLD_OUT 1-4 0"
    shard.resolve("cancel", "0-first")

    assert shard.reserve("0-again").startswith("RESERVED 1-6")


# ----------------------------------------------------------------------------------------------- the limit of a buyer


def test_a_buyer_gets_no_more_than_the_limit(shard: Shard) -> None:
    shard.sell(("A", 9, 3), ("B", 9))

    assert shard.reserve("0-first", "ann", "A", 2).startswith("RESERVED")
    assert shard.reserve("0-second", "ann", "A", 2) == "LIMIT 1-5 2"
    assert shard.reserve("0-third", "ann", "A", 1).startswith("RESERVED")
    assert shard.reserve("0-fourth", "ann", "A", 1) == "LIMIT 1-6 3"
    assert shard.reserve("0-other", "ann", "B", 9).startswith("RESERVED"), "a limit is that of its SKU"
    assert shard.reserve("0-else", "bob", "A", 3).startswith("RESERVED"), "and of its buyer"


def test_one_order_beyond_the_limit_is_refused(shard: Shard) -> None:
    shard.sell(("A", 9, 3))

    assert shard.reserve("0-first", "ann", "A", 4) == "LIMIT 1-3 0"


@pytest.mark.parametrize("way", ["cancel", "expire", "refund"])
def test_units_that_go_back_no_longer_count(shard: Shard, way: str) -> None:
    shard.sell(("A", 9, 1), hold=30)
    shard.reserve("0-first")
    if way == "refund":
        shard.resolve("confirm", "0-first")
        assert shard.reserve("0-second").startswith("LIMIT"), "what is paid counts"
        shard.refund("0-first", "keep")
    elif way == "cancel":
        shard.resolve("cancel", "0-first")
    else:
        shard.wait_until_overdue()
        assert shard.reserve("0-second").startswith("LIMIT"), "what is overdue counts until it is ended"
        shard.run("expire", 1)

    assert shard.reserve("0-second").startswith("RESERVED")


# --------------------------------------------------------------------------------------------------------- the window


def test_a_warm_sale_that_a_person_opens_is_not_open(shard: Shard) -> None:
    shard.load(("A", 5))

    assert shard.reserve("0-first") == "NOT_OPEN 1-2 0"


def test_a_sale_opens_by_the_clock_of_redis(shard: Shard) -> None:
    opens_ms = shard.now_ms() + HOUR_MS
    shard.load(("A", 5), opens=opens_ms)
    assert shard.reserve("0-first") == f"NOT_OPEN 1-2 {opens_ms}"

    soon_ms = shard.now_ms() + 30
    shard.run("reconfigure", soon_ms, "-", "-")
    shard.wait_until_ms(soon_ms)

    assert shard.reserve("0-first").startswith("RESERVED 1-4")
    assert shard.types() == ["sale.loaded", "stock.loaded", "sale.reconfigured", "order.reserved"]


def test_a_sale_closes_by_the_clock_of_redis(shard: Shard) -> None:
    shard.sell(("A", 5))
    answer = shard.reserve("0-first")
    soon_ms = shard.now_ms() + 30
    shard.run("reconfigure", "-", soon_ms, "-")
    shard.wait_until_ms(soon_ms)

    assert shard.reserve("0-second") == "CLOSED 1-5"
    assert shard.reserve("0-first") == f"{answer} held"


@pytest.mark.parametrize("state", ["", "WARM", "ajar"])
def test_a_state_that_nobody_knows_stops_it(shard: Shard, state: str) -> None:
    shard.sell(("A", 5))
    shard.damage("HSET", shard.keys.sale, "state", state)

    assert shard.error("reserve", "0-first", "ann", "A", 1).startswith("KEY_CORRUPT sale state")


def test_a_damaged_order_stops_its_repeat(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.damage("HSET", shard.keys.orders, "0-first", "held A")

    assert shard.error("reserve", "0-first", "ann", "A", 1).startswith("KEY_CORRUPT orders 0-first")


# -------------------------------------------------------------------------------------------------- malformed requests


def test_a_malformed_quantity_is_refused(shard: Shard) -> None:
    shard.sell(("A", 1_000_000_000))
    for what, value in malformed.QUANTITIES.items():
        assert shard.error("reserve", "0-first", "ann", "A", value).startswith("INVALID_ARGUMENT quantity"), (
            what
        )


def test_a_malformed_order_id_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    for what, value in malformed.ORDER_IDS.items():
        assert shard.error("reserve", value, "ann", "A", 1).startswith("INVALID_ARGUMENT order 1"), what


def test_a_malformed_buyer_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    for what, value in malformed.BUYERS.items():
        assert shard.error("reserve", "0-first", value, "A", 1).startswith("INVALID_ARGUMENT order 1"), what


def test_a_malformed_sku_is_one_that_is_not_on_sale(shard: Shard) -> None:
    shard.sell(("A", 5))
    for what, value in malformed.IDS.items():
        assert shard.reserve("0-first", "ann", value) == "UNKNOWN_SKU 1-3", what


def test_one_malformed_request_refuses_the_batch(shard: Shard) -> None:
    shard.sell(("A", 5))

    error = shard.error("reserve", "0-first", "ann", "A", 1, "0-second", "bo b", "A", 1)

    assert error.startswith("INVALID_ARGUMENT order 2")
    assert shard.counters() == (5, 0, 0, 0)


def test_what_an_id_may_hold_comes_through_whole(shard: Shard) -> None:
    sku, buyer, order = "Az09._-" + "x" * 57, "Az09._@+-" + "y" * 119, "999-Az09_-" + "z" * 42
    shard.sell((sku, 5))

    assert shard.reserve(order, buyer, sku, 5).startswith("RESERVED")
    assert shard.check().orders[order].buyer == buyer
