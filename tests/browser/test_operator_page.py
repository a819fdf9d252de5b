"""The operator page in a browser: live, quiet, without barriers, and as its picture shows it."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from flashsale.commands import Confirm, Reserve
from tests.acceptance import operator_kit
from tests.acceptance.operator_kit import Office, token
from tests.browser.conftest import TIMEOUT_MS

ROOT = Path(__file__).parents[2]
PICTURE = "operator-page.png"
BYTES_MAX = 180_000


@pytest.fixture(scope="module")
def office(
    module_redis_url: str, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """An operator page, and a projector behind it."""
    home = tmp_path_factory.mktemp("operator") / "home"
    with operator_kit.running(home, module_redis_url, module_database_url, in_roles=False) as office:
        office.open_sale("mega-drop", units=1_000)
        projector = office.cli.start("projector", "run", "--name", "projector-1")
        yield office
        projector.clean_up()


@pytest.fixture(params=["light", "dark"])
def page(chromium: Browser, office: Office, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Somebody who is logged in. A page may say nothing to its console, of its policy or of a script that failed."""
    said: list[str] = []
    context = chromium.new_context(
        base_url=office.url,
        viewport={"width": 1_280, "height": 800},
        color_scheme=request.param,
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto("/login")
    page.get_by_label("Your token").fill(token("ada"))
    page.get_by_role("button", name="Log in").click()
    yield page
    context.close()
    assert said == []


def sell(office: Office, prefix: str, number: int) -> None:
    orders = [f"0-{prefix}{n:08}" for n in range(number)]
    office.client.execute("mega-drop", [Reserve(order, order[2:], "phone") for order in orders])
    office.client.execute("mega-drop", [Confirm(order) for order in orders[: number * 4 // 5]])


def test_it_is_live_has_no_barriers_and_draws_its_chart(
    office: Office, page: Page, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scheme = str(request.node.callspec.params["page"])
    row = page.locator("#sale-mega-drop")
    before = office.client.snapshot("mega-drop").state.stock["phone"].available
    expect(page.locator("#chart canvas")).to_be_visible(timeout=TIMEOUT_MS)

    sell(office, scheme, 50)

    expect(row).to_contain_text(f"{before - 50}", timeout=TIMEOUT_MS)  # without a reload
    expect(page.locator("#live-age")).to_contain_text("updated")
    assert Axe().run(page).violations_count == 0
    if scheme == "light":
        place = Path(os.environ.get("FLASHSALE_PICTURES", tmp_path)) / PICTURE
        place.write_bytes(few_colours(page.screenshot()))
        assert place.stat().st_size <= BYTES_MAX
        assert f"pictures/{PICTURE}" in (ROOT / "docs/operator-page.md").read_text(encoding="utf-8")
        assert (ROOT / "docs/pictures" / PICTURE).is_file()


def test_what_was_done_is_asked_confirmed_and_told(office: Office, page: Page) -> None:
    page.get_by_role("link", name="mega-drop").first.click()
    assert Axe().run(page).violations_count == 0
    page.get_by_label("why").fill("the price is wrong")
    page.get_by_role("button", name="Pause…").click()
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name="Pause: mega-drop").click()
    expect(page.get_by_role("status")).to_contain_text("mega-drop is paused")
    page.get_by_role("button", name="Resume…").click()
    page.get_by_role("button", name="Resume: mega-drop").click()
    expect(page.get_by_role("status")).to_contain_text("mega-drop is resumed")


def test_it_rests_while_it_is_paused(office: Office, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response("**/live"):
        pass
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#live-age")).to_contain_text("paused")
    asked.clear()
    expect(page.locator("#live-age")).to_contain_text(
        re.compile(r"updated ([6-9]|\d\d) s ago"), timeout=TIMEOUT_MS
    )
    assert asked == []
    with page.expect_response("**/live"):
        page.get_by_role("button", name="Go on").click()


def few_colours(picture: bytes) -> bytes:
    """The same as a small PNG."""
    small = io.BytesIO()
    few = Image.open(io.BytesIO(picture)).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(small, "PNG", optimize=True)
    return small.getvalue()
