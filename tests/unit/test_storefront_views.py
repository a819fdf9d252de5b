"""What a page decides before a template says it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from flashsale.errors import BadInput
from flashsale.events import Order
from flashsale.gateway import problems
from flashsale.gateway.messages import ItemState, OrderState, QueueState, SaleState
from flashsale.gateway.problems import Problem
from flashsale.gateway.storefront.options import StorefrontOptions
from flashsale.gateway.storefront.purchases import PURCHASES_MAX, Purchases, order_of, purchases
from flashsale.gateway.storefront.render import duration, iso, units, utc, waiting_time
from flashsale.gateway.storefront.stories import story
from flashsale.gateway.storefront.views import OrderView, SaleView, sale_kind
from flashsale.ids import Position
from flashsale.projections.reads import OrderRow

SALE = SaleState(
    sale="drop",
    title="Drop",
    currency="EUR",
    state="open",
    opens_ms=0,
    closes_ms=0,
    hold_ms=60_000,
    items=[ItemState("phone", "Phone", 79_900, 5, 1)],
    poll_after_ms=4_000,
    server_time_ms=1_000_000,
)
WAITING = QueueState(
    sale="drop",
    state="waiting",
    place=7,
    ahead=7,
    chance="good",
    poll_after_ms=4_000,
    heartbeat_after_ms=3_000,
)


def with_left(units: int, state: str = "open") -> SaleState:
    item = msgspec.structs.replace(SALE.items[0], available=units)
    return msgspec.structs.replace(SALE, items=[item], state=state)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("defined", "soon"), ("warm", "soon"), ("scheduled", "soon"), ("open", "open"), ("paused", "paused"),
        ("closed", "closed"), ("archived", "closed"), ("halted", "halted"), ("a later release's", "halted"),
    ],
)  # fmt: skip
def test_each_state_has_its_page(state: str, kind: str) -> None:
    assert sale_kind(with_left(5, state), None) == kind


def test_whoever_waits_is_told_how_it_stands_for_them() -> None:
    hopeless = msgspec.structs.replace(WAITING, chance="none")
    admitted = msgspec.structs.replace(WAITING, state="admitted")
    assert sale_kind(SALE, WAITING) == "waiting"
    assert sale_kind(SALE, hopeless) == "out_for_you"
    assert sale_kind(SALE, admitted) == "called"
    assert sale_kind(with_left(0), admitted) == "sold_out"
    assert sale_kind(with_left(0), WAITING) == "waiting", "a unit may come back"
    assert sale_kind(with_left(5, "paused"), WAITING) == "paused"


def test_a_place_is_kept_by_loading_the_page_often_enough() -> None:
    waiting = SaleView(kind="waiting", sale=SALE, queue=WAITING)
    assert (waiting.refresh_ms, waiting.heartbeat_ms, waiting.reload_s) == (4_000, 3_000, 3)
    alone = SaleView(kind="open", sale=SALE)
    assert (alone.refresh_ms, alone.heartbeat_ms, alone.reload_s) == (4_000, 0, 4)
    left = SaleView(kind="left", sale=SALE)
    assert (left.refresh_ms, left.reload_s) == (0, 0)


def test_a_browser_without_scripts_does_not_miss_the_opening() -> None:
    soon = msgspec.structs.replace(SALE, state="scheduled", opens_ms=1_004_200)
    later = msgspec.structs.replace(SALE, state="scheduled", opens_ms=9_000_000)
    assert SaleView(kind="soon", sale=soon).reload_s == 5
    assert SaleView(kind="soon", sale=later).reload_s == 10
    assert SaleView(kind="closed", sale=SALE).reload_s == 0


def test_an_order_is_looked_at_until_nothing_can_change() -> None:
    def refresh_ms(status: str, *, is_recorded: bool) -> int:
        order = OrderState("drop", "0-abcdefgh", "ada", "phone", 1, status, 0)
        told = story(redis_order(status), None, is_recorded=is_recorded)
        return OrderView(sale=SALE, order=order, order_id="0-abcdefgh", story=told).refresh_ms

    assert refresh_ms("held", is_recorded=True) > 0
    assert refresh_ms("confirmed", is_recorded=False) > 0
    assert refresh_ms("confirmed", is_recorded=True) == 0
    assert OrderView(sale=SALE, order=None, order_id="0-abcdefgh").refresh_ms > 0


def redis_order(status: str) -> Order:
    return Order(status, "phone", 1, "ada", 0, Position(1, 4), Position(1, 9))


def test_a_story_has_times_as_soon_as_postgres_tells_them() -> None:
    row = OrderRow("0-abcdefgh", "ada", "phone", 1, "confirmed", 1_000, 61_000, 5_000, Position(1, 9))

    early = story(redis_order("confirmed"), None, is_recorded=False)
    late = story(redis_order("confirmed"), row, is_recorded=True)

    assert [(step.position, step.at_ms, step.done) for step in early] == [
        ("1-4", 0, True), ("1-9", 0, True), ("", 0, False),
    ]  # fmt: skip
    assert [(step.position, step.at_ms, step.done) for step in late] == [
        ("1-4", 1_000, True), ("1-9", 5_000, True), ("", 0, True),
    ]  # fmt: skip
    assert len(story(redis_order("held"), None, is_recorded=True)) == 2


def find(*statuses: str) -> tuple[list[OrderState], int | None, int]:
    """The purchases of a buyer whose orders have these states, the next number, and how many were asked for."""
    known = {
        order_of("drop", "ada", number): OrderState("drop", "0-x", "ada", "phone", 1, status, 0)
        for number, status in enumerate(statuses, 1)
    }
    asked = 0

    async def read(order: str) -> OrderState:
        nonlocal asked
        asked += 1
        if order not in known:
            raise Problem(problems.UNKNOWN_ORDER, "unknown")
        return known[order]

    found = asyncio.run(purchases("drop", "ada", read))
    return found.orders, found.next_number, asked


def test_purchases_are_found_by_their_number() -> None:
    assert find() == ([], 1, 1)
    orders, number, _ = find("cancelled", "held")
    assert [order.status for order in orders] == ["cancelled", "held"]
    assert number == 3
    assert find(*["cancelled"] * PURCHASES_MAX)[1:] == (None, PURCHASES_MAX)


def test_what_is_owned_counts_against_the_limit_and_what_was_given_back_does_not() -> None:
    view = SaleView(kind="open", sale=SALE)
    item = SALE.items[0]
    assert view.may_buy(item)
    for statuses, may in (("cancelled",), True), (("held",), False), (("cancelled", "confirmed"), False):
        orders, number, _ = find(*statuses)
        bought = msgspec.structs.replace(view, purchases=Purchases(orders, number))
        assert bought.may_buy(item) is may


def test_an_outage_is_not_taken_for_no_order() -> None:
    async def read(order: str) -> OrderState:
        raise Problem(problems.UNAVAILABLE, order)

    with pytest.raises(Problem) as told:
        asyncio.run(purchases("drop", "ada", read))
    assert told.value.kind is problems.UNAVAILABLE


def test_of_many_units_a_page_says_that_there_may_be_more() -> None:
    items = [ItemState("phone", "Phone", 1, 1_000, 0), ItemState("case", "Case", 1, 50, 0)]
    assert units(items, None) == "1,050"
    assert units(items, 1_000) == "1,050 or more"
    assert units(items[1:], 1_000) == "50"
    assert units(items[1:], 50) == "50 or more"


def test_how_things_read() -> None:
    assert [duration(ms) for ms in (0, 1_000, 45_000, 180_000, 4_800_000, 7_260_000)] == [
        "1 second", "1 second", "45 seconds", "3 minutes", "80 minutes", "2 h 1 min",
    ]  # fmt: skip
    assert iso(1_803_891_600_000) == "2027-03-01T09:00:00Z"
    assert utc(1_803_891_600_000) == "1 March 2027, 09:00:00 UTC"
    assert waiting_time(WAITING) == "Not known yet"
    for least, most, text in (
        (0, 30_000, "1 to 30 s"),
        (20_000, 20_100, "20 s"),
        (125_000, 245_000, "2 to 5 min"),
    ):
        told = msgspec.structs.replace(WAITING, wait_min_ms=least, wait_max_ms=most)
        assert waiting_time(told) == text


@pytest.mark.parametrize("url", ["shop.example", "javascript:alert(1)", "https://", "/pay"])
def test_pages_lead_to_the_shop_only_by_a_whole_address(url: str) -> None:
    with pytest.raises(BadInput, match="checkout-url"):
        StorefrontOptions(checkout_url=url)
    with pytest.raises(BadInput, match="sign-in-url"):
        StorefrontOptions(sign_in_url=url)


def test_the_shop_is_told_which_order_is_paid() -> None:
    options = StorefrontOptions(checkout_url="https://shop.example/pay/{sale}?o={order}")
    assert options.checkout("drop", "0-abc") == "https://shop.example/pay/drop?o=0-abc"
