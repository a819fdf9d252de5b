"""The sync client on a server that works: one request, many, their order, and what it refuses to send."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsale.client import Client
from flashsale.commands import (
    BATCH_MAX,
    Cancel,
    Close,
    Code,
    Confirm,
    Expire,
    Item,
    Load,
    Open,
    OrderRequest,
    Pause,
    Reconfigure,
    Refund,
    Restock,
    Resume,
)
from flashsale.errors import BadInput
from flashsale.ids import Position
from tests.helpers import wait_until
from tests.integration.client_kit import HOLD_MS, SALE, SKU, Shop, order, request


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """A Redis with nothing in it, not even scripts."""
    shop.redis.script_flush()
    return shop


def held(shop: Shop, number: int = 1) -> str:
    """The id of an order that holds a unit."""
    assert shop.client.reserve(SALE, order(number), "ann", SKU).code is Code.RESERVED
    return order(number)


# ------------------------------------------------------------------------------------------------- one request a call


def test_each_request_may_have_a_trace_id(shop: Shop) -> None:
    shop.open_sale(units=5)
    ids = [f"{number:032x}" for number in range(1, 6)]

    first = shop.client.reserve(SALE, order(1), "ann", SKU, trace_id=ids[0])
    again = shop.client.reserve(SALE, order(1), "ann", SKU, trace_id=ids[4])
    shop.client.confirm(SALE, order(1), trace_id=ids[1])
    shop.client.refund(SALE, order(1), trace_id=ids[2])
    shop.client.reserve(SALE, order(2), "bob", SKU)
    shop.client.cancel(SALE, order(2), trace_id=ids[3])

    assert (again.position, again.repeated) == (first.position, True), "it is no part of what is asked for"
    assert shop.traces() == [*ids[:3], "", ids[3]]


def test_the_life_of_an_order(shop: Shop) -> None:
    shop.open_sale(units=5)

    answer = shop.client.reserve(SALE, order(1), "ann", SKU, 2)
    assert (answer.code, answer.position, answer.repeated) == (Code.RESERVED, Position(1, 4), False)
    assert answer.hold_until_ms > shop.client.snapshot(SALE).now_ms
    assert shop.client.confirm(SALE, order(1)).code is Code.CONFIRMED
    assert shop.client.refund(SALE, order(1), "keep").code is Code.REFUNDED
    assert shop.client.cancel(SALE, order(1)).code is Code.WRONG_STATE
    assert shop.state().orders[order(1)].status == "refunded"


def test_the_life_of_a_sale(shop: Shop) -> None:
    client = shop.client
    requests = [Load((Item(SKU, 5),), HOLD_MS), Open(), Pause(), Resume(), Reconfigure(hold_ms=1_000)]
    codes = [client.control(SALE, item).code for item in [*requests, Restock("r-1", "add", SKU, 2), Close()]]

    assert codes == ["LOADED", "OPENED", "PAUSED", "RESUMED", "RECONFIGURED", "RESTOCKED", "CLOSED"]
    assert shop.state().status == "closed"
    assert {event.by for _, event in shop.log()} == {"tests"}


def test_a_repeat_is_told_from_a_first_answer(shop: Shop) -> None:
    shop.open_sale(units=5)
    first = shop.client.reserve(SALE, order(1), "ann", SKU)
    shop.client.confirm(SALE, order(1))

    again = shop.client.reserve(SALE, order(1), "ann", SKU)

    assert (again.code, again.position, again.detail) == (first.code, first.position, first.detail)
    assert (again.repeated, again.status) == (True, "confirmed")


def test_overdue_holds_are_ended(shop: Shop) -> None:
    shop.open_sale(units=5)
    shop.client.control(SALE, Reconfigure(hold_ms=1_000))
    until_ms = [shop.client.reserve(SALE, order(i), "ann", SKU).hold_until_ms for i in range(3)]
    early = shop.client.expire(SALE, Expire())
    assert (early.answer.code, early.order_ids, early.next_hold_until_ms) == (Code.EXPIRED, [], until_ms[0])

    wait_until(lambda: shop.client.snapshot(SALE).now_ms > until_ms[-1], description="the holds are over")
    swept = shop.client.expire(SALE, Expire(2))

    assert swept.order_ids == [order(0), order(1)]
    assert swept.next_hold_until_ms == until_ms[2]
    assert swept.now_ms > until_ms[-1]
    assert shop.client.expire(SALE, Expire()).order_ids == [order(2)]
    assert shop.client.expire(SALE, Expire()).next_hold_until_ms == 0


def test_a_sale_that_is_not_there_is_an_answer(shop: Shop) -> None:
    assert shop.client.reserve(SALE, order(1), "ann", SKU).code is Code.NOT_LOADED
    assert shop.client.control(SALE, Open()).code is Code.NOT_LOADED
    assert shop.client.expire(SALE, Expire()) == (shop.client.control(SALE, Pause()), [], 0, shop_clock(shop))
    assert not shop.client.snapshot(SALE, everything=True).is_loaded
    assert shop.redis.dbsize() == 0


def shop_clock(shop: Shop) -> object:
    """Any time near now."""
    return pytest.approx(shop.client.snapshot(SALE).now_ms, abs=10_000)


def test_a_request_goes_to_the_shard_that_its_order_id_names(shop: Shop) -> None:
    shop.open_sale(units=5)
    shop.open_sale(units=5, shard=3)
    mine = order(1, shard=3)

    answers = [shop.client.reserve(SALE, mine, "ann", SKU), shop.client.confirm(SALE, mine)]
    answers += [shop.client.cancel(SALE, mine), shop.client.refund(SALE, mine)]

    assert [answer.code for answer in answers] == ["RESERVED", "CONFIRMED", "WRONG_STATE", "REFUNDED"]
    assert shop.client.order(SALE, mine) == shop.state(shard=3).orders[mine]
    assert shop.state(shard=0).orders == {}


def test_an_order_is_read_by_its_id(shop: Shop) -> None:
    shop.open_sale(units=5)
    held(shop)

    found = shop.client.order(SALE, order(1))

    assert found == shop.state().orders[order(1)]
    assert shop.client.order(SALE, order(2)) is None
    assert shop.client.order("another-sale", order(1)) is None


# ---------------------------------------------------------------------------------------------------------- many


def test_no_request_is_no_answer(shop: Shop) -> None:
    assert shop.client.execute(SALE, []) == []


@pytest.mark.parametrize("count", [BATCH_MAX, BATCH_MAX + 1, 10 * BATCH_MAX])
def test_any_number_of_requests_is_decided_in_order(shop: Shop, count: int) -> None:
    """Ten batches are more than one round trip takes."""
    shop.open_sale(units=count - 3)

    answers = shop.client.execute(SALE, [request(i) for i in range(count)])

    assert [answer.code for answer in answers] == [Code.RESERVED] * (count - 3) + [Code.SOLD_OUT] * 3
    assert [answer.position.seq for answer in answers[:-3]] == list(range(4, count + 1))
    assert shop.state().stock[SKU].held == count - 3


def test_a_unit_that_is_freed_is_sold_in_the_same_round(shop: Shop) -> None:
    shop.load_scripts().open_sale(units=2)
    held(shop, 1)
    held(shop, 2)
    shop.client.confirm(SALE, order(2))

    asked: list[OrderRequest] = [request(3), Cancel(order(1)), request(4), Refund(order(2)), request(5)]
    answers = shop.client.execute(SALE, asked)

    assert [answer.code for answer in answers] == [
        "RESERVED",
        "CANCELLED",
        "RESERVED",
        "REFUNDED",
        "SOLD_OUT",
    ]


def test_a_payment_goes_before_whatever_else_comes_with_it(shop: Shop) -> None:
    shop.load_scripts().open_sale(units=5)
    held(shop)

    asked: list[OrderRequest] = [Cancel(order(1)), Refund(order(1)), Confirm(order(1))]
    cancelled, refunded, confirmed = shop.client.execute(SALE, asked)

    assert (confirmed.code, confirmed.position) == (Code.CONFIRMED, Position(1, 5))
    assert (cancelled.code, cancelled.detail) == (Code.WRONG_STATE, "confirmed")
    assert refunded.code is Code.REFUNDED


def test_a_unit_that_is_freed_is_sold_in_the_same_round_though_a_script_was_missing(shop: Shop) -> None:
    shop.open_sale(units=1)
    held(shop)  # the server knows reserve, and not cancel

    sold, cancelled = shop.client.execute(SALE, [request(2), Cancel(order(1))])

    assert (sold.code, cancelled.code) == (Code.RESERVED, Code.CANCELLED)


def test_scripts_that_the_server_forgot_are_loaded_again(shop: Shop) -> None:
    shop.open_sale(units=5)
    for i in range(1, 4):
        shop.redis.script_flush()
        asked: list[OrderRequest] = [request(i), Confirm(order(9)), Cancel(order(9)), Refund(order(9))]
        codes = [answer.code for answer in shop.client.execute(SALE, asked)]
        assert codes == ["RESERVED", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"]
    assert shop.state().stock[SKU].held == 3


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("sale", ["", "A", "a b", "a:b", "x}:ev", "x" * 49])
def test_a_bad_sale_is_refused_before_anything_is_sent(sale: str) -> None:
    with Client("unix:///nowhere/redis.sock") as client:
        asks: list[Callable[[], object]] = [
            lambda: client.reserve(sale, order(1), "ann", SKU),
            lambda: client.execute(sale, []),
            lambda: client.control(sale, Open()),
            lambda: client.expire(sale, Expire()),
            lambda: client.snapshot(sale),
            lambda: client.order(sale, order(1)),
        ]
        for ask in asks:
            with pytest.raises(BadInput, match=r"^sale: "):
                ask()


def test_a_bad_actor_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^by: 'a b' is not accepted"):
        Client("unix:///nowhere/redis.sock", by="a b")
