"""`flashsale gateway run --storefront`: what a buyer does on its pages, without a browser; tests/browser has one."""

from __future__ import annotations

import pytest

from flashsale.commands import Open, RoomSettings, SetRoom
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.gateway.storefront.previews import STATES
from flashsale.gateway.storefront.purchases import order_of
from flashsale.projections import catalog
from flashsale.projections.database import connect
from tests.acceptance.gateway_kit import Front, a_buyer, as_service
from tests.acceptance.storefront_kit import Visit
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until


@pytest.fixture
def front(stage: tuple[Front, Front]) -> Front:
    """The shop's gateway."""
    return stage[0]


def open_with_a_room(front: Front, database_url: str, sale: str) -> None:
    """A sale of its own, whose doorman calls everybody at once."""
    item = SaleItem(sku="phone", title="Phone", quantity=10, unit_price_minor=1)
    definition = SaleDefinition(sale=sale, title="Drop", currency="EUR", items=(item,), hold_ms=600_000)
    with connect(database_url) as connection:
        catalog.define(connection, definition)
    settings = RoomSettings(rate_per_s=100, active_max=100)
    for request in (definition.load(), SetRoom(settings), Open(at_once=True)):
        front.client.control(sale, request)
    wait_until(lambda: "room" in front.http.get(f"/v1/sales/{sale}").json(), 20, "the gateway knows it")


# ------------------------------------------------------------------------------------------------------ a purchase


def test_a_purchase_is_an_order_of_the_buyer_whom_the_shop_named(front: Front, visit: Visit) -> None:
    buyer = a_buyer()
    browser = visit(buyer)

    sale = browser.open("/sale/drop")
    held = browser.send(sale.buy("few"))

    order = order_of("drop", buyer, 1)
    assert held.path == f"/sale/drop/order/{order}"
    assert (held.kind, held.heading) == ("held", "It’s yours, for now")
    assert f"https://shop.example/pay?sale=drop&amp;order={order}" in held.text
    assert not held.has_form("/pay"), "only the shop can tell that it is paid"
    known = front.client.order("drop", order)
    assert known is not None
    assert (known.buyer, known.sku, known.status) == (buyer, "few", "held")

    front.ask(order, "confirm", as_service())
    receipt = browser.open(held.path)
    assert (receipt.kind, receipt.heading) == ("confirmed", "It’s yours")
    assert str(known.reserved_at) in receipt.text
    assert order in browser.open("/sale/drop").text, "the sale leads to the receipt"


def test_a_reload_and_a_second_click_are_the_same_order(front: Front, visit: Visit) -> None:
    buyer = a_buyer()
    browser, other_tab = visit(buyer), visit(buyer)
    form = browser.open("/sale/drop").buy("phone")
    left = front.available()

    first, second = browser.send(form), other_tab.send(form)

    assert first.path == second.path == browser.open(first.path).path
    assert front.available() == left - 1
    again = other_tab.open("/sale/drop")
    assert "Go to your order" in again.text
    assert again.buy("phone")["number"] == "2", "the next click is the next purchase"


def test_two_tabs_that_want_different_things_get_the_first(front: Front, visit: Visit) -> None:
    browser = visit(a_buyer())
    page = browser.open("/sale/drop")
    first = browser.send(page.buy("phone"))

    second = browser.send(page.buy("few"))

    assert second.path == first.path
    assert "Phone" in second.text


def test_what_is_given_back_can_be_bought_by_the_next(front: Front, visit: Visit) -> None:
    buyer = a_buyer()
    browser, late = visit(buyer), visit(a_buyer())
    held = browser.send(browser.open("/sale/drop").buy("last"))
    assert held.kind == "held"

    refused = late.send({"action": "/sale/drop/buy", "sku": "last", "number": "1"})
    assert "Somebody was faster" in refused.text
    assert refused.path == "/sale/drop"

    cancelled = browser.send(held.form("/cancel"))
    assert (cancelled.path, cancelled.heading) == (held.path, "Given back")
    bought = late.send({"action": "/sale/drop/buy", "sku": "last", "number": "1"})
    assert bought.kind == "held"
    late.send(bought.form("/cancel"))


def test_a_buyer_who_has_the_limit_gets_no_button(visit: Visit) -> None:
    browser = visit(a_buyer())
    assert browser.send(browser.open("/sale/drop").buy("one-each")).kind == "held"

    page = browser.open("/sale/drop")

    assert "as many as one person may have" in page.text
    assert "one-each" not in page.skus
    assert "phone" in page.skus


def test_an_answer_that_is_lost_is_looked_for_and_never_told_as_a_failure(
    front: Front, visit: Visit, network: Proxy
) -> None:
    buyer = a_buyer()
    browser = visit(buyer)
    form = browser.open("/sale/drop").buy("phone")
    network.behave(Mode.RESET, when=order_of("drop", buyer, 1).encode(), times=1)

    lost = browser.send(form)

    assert lost.path == f"/sale/drop/order/{order_of('drop', buyer, 1)}"
    assert (lost.kind, lost.heading) == ("unknown", "We are finding out"), lost.text
    assert lost.reload is not None
    assert browser.open(lost.reload[1]).kind == "unknown", "it did not arrive, and may arrive yet"
    assert browser.send(lost.form("/buy")).kind == "held"
    assert browser.open(lost.reload[1]).kind == "held"


def test_an_answer_that_is_lost_is_looked_for_after_a_page_that_could_not_be_shown(
    visit: Visit, network: Proxy
) -> None:
    buyer = a_buyer()
    browser = visit(buyer)
    network.behave(Mode.RESET)
    trouble = browser.look(f"/sale/drop/order/{order_of('drop', buyer, 1)}?sku=phone")
    network.heal()

    assert (trouble.response.status_code, trouble.heading) == (503, "One moment")
    assert trouble.reload is not None
    assert browser.open(trouble.reload[1]).kind == "unknown"


def test_who_asks_again_after_a_lost_answer_still_has_the_pass(
    front: Front, visit: Visit, network: Proxy, module_database_url: str
) -> None:
    open_with_a_room(front, module_database_url, "queued")
    buyer = a_buyer()
    browser = visit(buyer)
    wait_until(lambda: browser.open("/sale/queued").kind == "called", 20, "it is this buyer's turn")
    form = browser.open("/sale/queued").buy("phone")
    network.behave(Mode.RESET, when=order_of("queued", buyer, 1).encode(), times=1)

    lost = browser.send(form)

    assert lost.kind == "unknown", lost.text
    assert browser.send(lost.form("/buy")).kind == "held"


def test_who_holds_an_order_is_offered_no_button_that_the_waiting_room_refuses(
    front: Front, visit: Visit, module_database_url: str
) -> None:
    open_with_a_room(front, module_database_url, "one-more")
    browser = visit(a_buyer())
    wait_until(lambda: browser.open("/sale/one-more").kind == "called", 20, "it is this buyer's turn")
    held = browser.send(browser.open("/sale/one-more").buy("phone"))

    page = browser.open("/sale/one-more")
    assert (held.kind, page.kind, page.skus) == ("held", "open", set())
    assert "then you can join the line for more" in page.text

    browser.send(held.form("/cancel"))
    wait_until(lambda: browser.open("/sale/one-more").skus == {"phone"}, 20, "the turn comes again")


def test_what_became_of_a_click_can_be_read_without_scripts(
    front: Front, visit: Visit, network: Proxy
) -> None:
    browser = visit(a_buyer())
    held = browser.send(browser.open("/sale/drop").buy("phone"))
    network.behave(Mode.RESET, when=held.path.rpartition("/")[2].encode(), times=1)

    lost = browser.send(held.form("/cancel"))

    assert (lost.path, lost.kind) == (held.path, "held"), lost.text
    assert "The answer got lost" in lost.text
    assert lost.reload is not None
    assert lost.reload[0] >= 15
    assert browser.open(lost.reload[1]).reload == (3, held.path)


def test_an_order_whose_answer_was_lost_is_found(front: Front, visit: Visit, network: Proxy) -> None:
    buyer = a_buyer()
    browser = visit(buyer)
    form = browser.open("/sale/drop").buy("phone")
    network.behave(Mode.CUT_REPLY, when=order_of("drop", buyer, 1).encode(), times=1)

    assert browser.send(form).kind == "held"


@pytest.mark.parametrize(
    ("sale", "kind"),
    [
        ("drop", "open"), ("later", "soon"), ("paused", "paused"), ("closed", "closed"), ("cold", "soon"),
        ("past", "closed"),
    ],
)  # fmt: skip
def test_each_state_of_a_sale_has_its_page(visit: Visit, sale: str, kind: str) -> None:
    page = visit(a_buyer()).open(f"/sale/{sale}")

    assert (page.response.status_code, page.kind) == (200, kind)
    assert (page.reload is None) == (kind == "closed")


# --------------------------------------------------------------------------------------------------------- the demo


def test_at_the_demo_anybody_is_somebody_and_pays_with_a_click(visit: Visit) -> None:
    browser = visit("demo")
    first = browser.http.get("/sale/drop")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie

    held = browser.send(browser.open("/sale/drop").buy("phone"))
    paid = browser.send(held.form("/pay"))

    assert (paid.path, paid.kind) == (held.path, "confirmed")
    assert "/sale/drop" in browser.open("/").text


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_looked_at(visit: Visit, state: str) -> None:
    page = visit("demo").open(f"/sale/later?demo={state}")

    assert page.response.status_code == 200, page.text
    assert page.heading
