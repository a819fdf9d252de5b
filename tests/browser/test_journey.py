"""A buyer's way through a sale, in a real browser on real servers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TIMEOUT_MS, OpenPage, Shop, left
from tests.helpers import wait_until

BUY = re.compile("^Buy now$")
HELD, OURS = "It’s yours, for now", "It’s yours"


def heading(page: Page, text: str) -> None:
    """The page says so, by itself, within a few looks."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=TIMEOUT_MS)


def buy(page: Page) -> None:
    page.get_by_role("button", name=BUY).click()


def test_from_the_countdown_to_the_receipt(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(opens_in_ms=9_000)
    page = visit(path)

    heading(page, "Opens in")
    button = page.get_by_role("button", name=BUY)
    expect(button).to_be_disabled()
    expect(page.get_by_role("timer")).to_be_visible()
    expect(button).to_be_enabled(timeout=TIMEOUT_MS)
    button.click()

    heading(page, HELD)
    seconds = page.locator("[data-part=s] b")
    before = seconds.text_content()
    expect(seconds).not_to_have_text(before or "")
    page.get_by_role("button", name="Pay 799.00 EUR").click()

    heading(page, OURS)
    expect(page.get_by_text("Written into the books")).to_be_visible()
    expect(page.locator(".story li")).to_have_count(3)
    expect(page.locator(".story time")).to_have_count(2)
    assert shop.counters(path) == (49, 0, 1)
    page.get_by_role("link", name="Back to the sale").click()
    page.get_by_role("link", name="receipt").click()
    heading(page, OURS)


def test_two_browsers_and_the_last_unit(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(units=1)
    ada, bob = visit(path), visit(path)
    heading(bob, "Open now")

    buy(ada)
    heading(ada, HELD)
    heading(bob, "Sold out")
    expect(bob.get_by_role("button", name=BUY)).to_have_count(0)

    ada.get_by_role("button", name="give it back").click()
    heading(ada, "Given back")
    heading(bob, "Back in stock")
    buy(bob)
    heading(bob, HELD)
    assert shop.counters(path) == (0, 1, 0)


def test_whoever_is_a_moment_late_is_told_so(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(units=1)
    ada, bob = visit(path), visit(path)
    bob.route("**/v1/**", lambda route: route.abort())  # it learns nothing by itself

    buy(ada)
    heading(ada, HELD)
    buy(bob)

    expect(bob.get_by_role("alert")).to_contain_text("Somebody was faster")
    heading(bob, "Sold out")


def test_a_reload_another_tab_and_a_second_click_keep_the_order(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell()
    page = visit(path)
    page.get_by_role("button", name=BUY).dblclick()
    heading(page, HELD)
    order = page.url

    page.reload()
    heading(page, HELD)
    tab = page.context.new_page()
    tab.goto(path)
    tab.get_by_role("link", name="Go to your order").click()
    heading(tab, HELD)

    assert page.url == tab.url == order
    assert shop.counters(path) == (49, 1, 0)


def test_the_number_that_is_left_follows_without_a_reload(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell()
    page = visit(path)
    stock = page.locator("[data-stock]")
    expect(stock).to_have_text("50 left")
    page.evaluate("window.stays = true")

    buy(visit(path))

    expect(stock).to_have_text("49 left")
    assert left(stock.inner_text()) == 49
    assert page.evaluate("window.stays") is True


def test_a_hold_that_runs_out_says_so_by_itself(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(hold_ms=4_000)
    page = visit(path)
    buy(page)
    heading(page, HELD)

    heading(page, "Time ran out")
    wait_until(lambda: shop.counters(path) == (50, 0, 0), 10, "the unit is on sale again")
    page.get_by_role("link", name="See what is left").click()
    buy(page)
    heading(page, HELD)


def test_the_page_outlives_a_gateway_that_is_away(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(units=1)
    page = visit(path)
    page.context.set_offline(True)
    buyer = visit(path)
    buy(buyer)
    heading(buyer, HELD)
    heading(page, "Open now")

    page.context.set_offline(False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    heading(page, "Sold out")


def test_the_whole_way_without_scripts(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(opens_in_ms=6_000)
    page = visit(path, scripts=False)
    heading(page, "Opens in")

    heading(page, "Open now")
    buy(page)
    heading(page, HELD)
    page.get_by_role("button", name="Pay 799.00 EUR").click()

    heading(page, OURS)
    expect(page.get_by_text("Written into the books")).to_be_visible()


def test_without_scripts_a_page_learns_that_something_is_back(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(units=1)
    ada, bob = visit(path), visit(path, scripts=False)
    buy(ada)
    heading(ada, HELD)
    heading(bob, "Sold out")

    ada.get_by_role("button", name="give it back").click()
    heading(bob, "Back in stock")


@pytest.mark.parametrize("scripts", [True, False])
def test_with_the_keyboard_alone(shop: Shop, visit: OpenPage, scripts: bool) -> None:  # noqa: FBT001 - of the table
    page = visit(shop.sell(), scripts=scripts)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=BUY)).to_be_focused()
    page.keyboard.press("Enter")
    heading(page, HELD)
