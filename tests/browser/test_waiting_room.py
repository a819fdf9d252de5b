"""The waiting room in a browser: the draw, the line, one's turn, and what becomes of a place."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Shop
from tests.browser.test_journey import HELD, buy, heading


def test_from_the_draw_to_ones_turn(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(opens_in_ms=600_000)
    shop.room(path, rate_per_s=1, active_max=5, message="Hello to all of you")
    page = visit(path)

    heading(page, "You are in")
    expect(page.get_by_text("Hello to all of you")).to_be_visible()
    visit(path)  # somebody else
    ticket = page.get_by_text("You have ticket").locator("b")
    expect(ticket).to_have_text("0")
    page.reload()
    expect(ticket).to_have_text("0")

    shop.open(path)
    heading(page, "It’s your turn")
    buy(page)
    heading(page, HELD)


def test_a_line_that_stands_still_keeps_its_places(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell()
    shop.room(path, mode="queue-all")
    first, second = visit(path), visit(path)

    heading(second, "You are in line")
    expect(second.locator(".ahead b")).to_have_text("1")
    second.reload()
    expect(second.locator(".ahead b")).to_have_text("1")

    first.get_by_role("button", name="Leave the line").click()
    heading(first, "You left the line")
    shop.room(path, mode="open")
    heading(second, "It’s your turn")
    heading(first, "You left the line")


def test_nobody_waits_for_what_cannot_come_back(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell(units=1)
    shop.room(path, mode="queue-all")
    visit(path)
    heading(visit(path), "Sold out for you")


def test_without_scripts_a_place_is_kept_and_the_turn_comes(shop: Shop, visit: OpenPage) -> None:
    path = shop.sell()
    shop.room(path, mode="queue-all")
    page = visit(path, scripts=False)
    heading(page, "You are in line")

    shop.room(path, mode="open")
    heading(page, "It’s your turn")
    buy(page)
    heading(page, HELD)
