"""Every state of the pages, for everybody: WCAG 2.2 AA as far as a machine can tell, on the smallest phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types

from flashsale.gateway.storefront.previews import STATES
from tests.browser.conftest import PHONE, OpenPage, Shop

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CONTRAST = {"runOnly": ["color-contrast"]}
#: A finger's width, in CSS pixels; WCAG 2.2 wants 24.
SMALL = "all => all.map(one => one.getBoundingClientRect().height).filter(height => height && height < 44)"


@pytest.fixture(scope="module")
def preview(shop: Shop) -> str:
    return shop.sell()


@pytest.mark.parametrize("state", STATES)
def test_a_page_is_accessible(visit: OpenPage, preview: str, state: str) -> None:
    page = visit(f"{preview}?demo={state}", reduced_motion="reduce")

    found = Axe().run(page, options=RULES)
    page.emulate_media(color_scheme="dark")
    in_the_dark = Axe().run(page, options=CONTRAST)

    assert found.violations_count == 0, found.generate_report()
    assert in_the_dark.violations_count == 0, in_the_dark.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.eval_on_selector_all("button, a.button", SMALL) == []


@pytest.mark.parametrize("state", ["in-the-draw", "waiting", "held", "paid"])
def test_a_page_fits_when_it_is_zoomed(visit: OpenPage, preview: str, state: str) -> None:
    """1280 pixels at 400 %: WCAG 1.4.10."""
    page = visit(f"{preview}?demo={state}", viewport={"width": 320, "height": 256})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_news_are_told_seldom(visit: OpenPage, preview: str) -> None:
    page = visit(preview)
    assert page.get_by_role("status").count() == 1
    assert page.locator("[aria-live]").count() == 0, (
        "a countdown that is read aloud every second helps nobody"
    )
