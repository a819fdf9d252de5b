"""A shop with everything that works behind its pages, and Debian's chromium in front of them."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from flashsale.commands import Code, Open, RoomSettings, SetRoom
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.projections import catalog
from flashsale.projections.database import connect
from tests.acceptance.gateway_kit import Front, running
from tests.fixtures.processes import Cli
from tests.helpers import wait_until

#: A phone of the smallest common width.
PHONE = {"width": 360, "height": 740}
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Pages are looked at again every few seconds, on a machine that may be busy with other tests.
TIMEOUT_MS = 20_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@dataclass
class Shop:
    """A gateway with --demo-auth and a storefront, a projector and a sweeper; and the means to sell something."""

    front: Front
    database_url: str
    sold: int = 0

    def sell(self, units: int = 50, *, limit: int = 2, hold_ms: int = 120_000, opens_in_ms: int = 0) -> str:
        """Another sale; returns the path of its page, which the gateway has."""
        self.sold += 1
        sale = f"drop-{self.sold}"
        item = SaleItem(
            sku="phone-15", title="Phone 15, 256 GB", quantity=units, unit_price_minor=79_900, limit=limit
        )
        opens_ms = int(time.time() * 1000) + opens_in_ms if opens_in_ms else 0
        definition = SaleDefinition(
            sale=sale, title="Mega drop", currency="EUR", items=(item,), hold_ms=hold_ms, opens_ms=opens_ms
        )
        with connect(self.database_url) as connection:
            catalog.define(connection, definition)
        assert self.front.client.control(sale, definition.load()).code is Code.LOADED
        path = f"/sale/{sale}"
        if not opens_in_ms:
            self.open(path)
        wait_until(lambda: self.front.http.get(path).status_code == 200, 20, "the gateway knows the sale")
        return path

    def room(self, path: str, *, rate_per_s: int = 5, active_max: int = 50, **more: Any) -> None:
        """Give a sale a waiting room, or other settings of it, and wait until the gateway's page tells of it."""
        sale = path.rpartition("/")[2]
        settings = RoomSettings(rate_per_s=rate_per_s, active_max=active_max, **more)
        assert self.front.client.control(sale, SetRoom(settings)).code is Code.ROOM_SET

        def is_told() -> bool:
            room = self.front.http.get(f"/v1/sales/{sale}").json()["room"]
            return room is not None and room["mode"] == settings.mode

        wait_until(is_told, 20, "the gateway has seen the room")

    def open(self, path: str) -> None:
        """Now, whatever its clock says."""
        assert self.front.client.control(path.rpartition("/")[2], Open(at_once=True)).code is Code.OPENED

    def counters(self, path: str) -> tuple[int, int, int]:
        """Units available, held and sold, as Redis has them."""
        stock = self.front.client.snapshot(path.rpartition("/")[2]).state.stock["phone-15"]
        return stock.available, stock.held, stock.sold


@pytest.fixture(scope="module")
def shop(
    module_redis_url: str, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """One for all tests of a module."""
    home = tmp_path_factory.mktemp("shop")
    options = ("--storefront", "--demo-auth")
    with (
        ExitStack() as stack,
        running(home / "gateway", module_redis_url, module_database_url, *options, in_roles=False) as front,
    ):
        env = {"FLASHSALE_REDIS_URL": module_redis_url, "FLASHSALE_POSTGRES_URL": module_database_url}
        cli = Cli(home, env)
        for daemon in ("projector", "sweeper"):
            stack.callback(cli.start(daemon, "run", "--name", f"{daemon}-1").clean_up)
        yield Shop(front, module_database_url)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's browser. Without it these tests fail: they are run by name, by whoever wants them."""
    found = os.environ.get("FLASHSALE_TEST_CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.fail("these tests drive a browser: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


OpenPage = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, shop: Shop) -> Iterator[OpenPage]:
    """Opens a page as a new buyer with a browser of their own: `visit(path, scripts=False, dark=True, …)`.

    A page may say nothing to its console, of its policy or of a script that failed; but that the network is away.
    """
    said: list[str] = []
    with ExitStack() as stack:

        def hear(message: ConsoleMessage) -> None:
            if "net::ERR" not in message.text:
                said.append(message.text)

        def open_page(path: str, *, scripts: bool = True, dark: bool = False, **more: Any) -> Page:
            given: dict[str, Any] = {"viewport": PHONE} | more
            context = chromium.new_context(
                base_url=shop.front.url,
                java_script_enabled=scripts,
                color_scheme="dark" if dark else "light",
                locale="en-GB",
                timezone_id="Europe/Berlin",
                **given,
            )
            stack.callback(context.close)
            context.set_default_timeout(TIMEOUT_MS)
            page = context.new_page()
            page.on("console", hear)
            page.on("pageerror", lambda error: said.append(str(error)))
            page.goto(path)
            return page

        yield open_page
    assert said == []


def left(text: str) -> int:
    """The number that a line like `49 left` says."""
    found = re.search(r"[\d,]+", text)
    assert found is not None, text
    return int(found[0].replace(",", ""))
