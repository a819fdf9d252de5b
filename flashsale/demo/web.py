"""The demo for a browser: a storefront on real servers, with simulated buyers, round after round, until it is ended."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from flashsale.client import AsyncClient, Client
from flashsale.commands import Close, Code, SetRoom
from flashsale.definition import SaleDefinition
from flashsale.demo.example import define_example
from flashsale.demo.processes import Daemons
from flashsale.demo.visitors import Visitors, room_of
from flashsale.errors import FlashsaleError, RefusedByState
from flashsale.operator.people import Person, PersonTokens
from flashsale.projections.database import connect
from flashsale.servers import Urls
from flashsale.warm import warm

GATEWAY, OPERATOR, PROJECTOR, SWEEPER = "web-gateway", "web-operator", "web-projector", "web-sweeper"
#: As long as anybody plays.
TOKEN_LIFETIME_S = 86_400
#: From the address on the terminal to the opening: time to open it in a browser.
OPENS_AFTER_MS = 40_000
#: Time for a person to pay, and to see a hold run out without falling asleep.
HOLD_MS = 60_000
#: When nothing has been left, and nothing held, for so long, the next round begins.
QUIET_S = 20.0
LOOK_EVERY_S = 0.5
START_TIMEOUT_S = 60


class WebDemo:
    """It runs until Ctrl-C. `tell` gets a line for the terminal now and then."""

    def __init__(
        self, urls: Urls, log_dir: Path, *, listen: str, units: int, tell: Callable[[str], None]
    ) -> None:
        self._urls, self._log_dir = urls, log_dir
        self._listen, self._units, self._tell = listen, units, tell

    def run(self) -> None:
        """Raises `RefusedByState` when the address is taken, and `FlashsaleError` when a daemon ends."""
        with Daemons(self._urls, self._log_dir) as daemons, Client(self._urls.redis_url, by="demo") as client:
            daemons.start("projector", PROJECTOR)
            daemons.start("sweeper", SWEEPER)
            daemons.start("gateway", GATEWAY, "--demo-auth", "--storefront", "--listen", self._listen)
            url = self._url_of(daemons, GATEWAY)
            self._open_operator_page(daemons)
            while True:
                sale = self._prepare(client)
                self._wait_for_page(f"{url}/sale/{sale.sale}")
                self._tell(f"{sale.title} opens in {OPENS_AFTER_MS // 1000} s: {url}/sale/{sale.sale}")
                asyncio.run(self._round(sale, client, daemons))
                client.control(sale.sale, Close())
                self._tell("everything is sold and paid; all sales: " + url)

    def _open_operator_page(self, daemons: Daemons) -> None:
        """Beside the shop, on a port of its own, for one person who may act."""
        secret, keys = secrets.token_urlsafe(48), self._log_dir / "operator.keys"
        keys.touch(mode=0o600)
        keys.write_text(secret)
        daemons.launch(
            OPERATOR, "flashsale", "operator", "run", "--listen", "127.0.0.1:0",
            FLASHSALE_GATEWAY_KEYS_FILE=str(keys),
        )  # fmt: skip
        token = PersonTokens([secret]).issue(Person("operator", "demo"), TOKEN_LIFETIME_S)
        self._tell(f"operator page: {self._url_of(daemons, OPERATOR)}  token: {token}")

    def _url_of(self, daemons: Daemons, name: str) -> str:
        """Where a server answers, as its log tells."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if served := re.search(r'"url":\s*"(http://[^"]+)"', daemons.log(name)):
                return served[1]
            if GATEWAY in daemons.dead():
                raise RefusedByState(
                    f"nobody can be served on {self._listen}: choose another address with --listen"
                )
            time.sleep(LOOK_EVERY_S / 10)
        raise FlashsaleError(f"{name} of the demo did not come up in time")

    def _wait_for_page(self, url: str) -> None:
        """The gateway learns of a new sale within seconds; nobody shall follow the address before."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=START_TIMEOUT_S):  # noqa: S310 - our own address
                    return
            except OSError:
                time.sleep(LOOK_EVERY_S)
        raise FlashsaleError("the gateway of the demo does not show its sale")

    def _prepare(self, client: Client) -> SaleDefinition:
        opens_ms = int(time.time() * 1000) + OPENS_AFTER_MS
        sale = define_example(self._urls.postgres_url, units=self._units, hold_ms=HOLD_MS, opens_ms=opens_ms)
        with connect(self._urls.postgres_url) as connection:
            answer = warm(client, connection, sale)
        room = client.control(sale.sale, SetRoom(room_of(self._units)))
        if (answer.code, room.code) != (Code.LOADED, Code.ROOM_SET):
            raise FlashsaleError(f"the demo has no sale: the shop answered {answer.code} and {room.code}")
        return sale

    async def _round(self, sale: SaleDefinition, client: Client, daemons: Daemons) -> None:
        """From before the opening until everything is sold, paid and quiet."""
        async with AsyncClient(self._urls.redis_url, by="demo-visitors") as shop:
            crowd = asyncio.create_task(Visitors(shop, sale).come())
            try:
                await self._until_quiet(sale.sale, client, daemons, crowd)
            finally:
                crowd.cancel()
                await asyncio.gather(crowd, return_exceptions=True)

    async def _until_quiet(
        self, sale: str, client: Client, daemons: Daemons, crowd: asyncio.Task[None]
    ) -> None:
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET_S:
            await asyncio.sleep(LOOK_EVERY_S)
            if dead := daemons.dead():
                raise FlashsaleError(f"{dead[0]} has ended: its log has more, with --keep")
            if crowd.done():
                crowd.result()
            snapshot = await asyncio.to_thread(client.snapshot, sale)
            if snapshot.hold_count or any(stock.available for stock in snapshot.state.stock.values()):
                quiet_since = time.monotonic()
