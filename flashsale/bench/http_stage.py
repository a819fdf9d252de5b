"""Where HTTP is measured: one gateway, the same server with nothing behind it, and two sales."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, islice
from typing import NamedTuple

import msgspec

from flashsale.bench.http_servers import Served, page_of, start_bare, start_gateway
from flashsale.bench.http_wire import packed
from flashsale.bench.logs import Logged, logged_sale
from flashsale.bench.open_files import allow_files
from flashsale.bench.place import SKU, Place
from flashsale.demo.processes import Daemons
from flashsale.gateway.messages import SaleState
from flashsale.gateway.sale_state import page
from flashsale.gateway.tokens import Caller, Tokens

#: More than any run sells.
UNITS = 100_000_000
TOKEN_S = 24 * 3600
#: Connections that are kept at once, and what else a process has open.
FILES = 2_500


class Stage(NamedTuple):
    """What every contender meets."""

    place: Place
    gateway: Served
    bare: Served
    #: one that has units for everybody, and one that has none left
    sale: str
    gone: str
    logged: tuple[Logged, Logged]
    tokens: Tokens
    #: of the page of `gone`, at whatever pace the gateway asks for
    etags: str
    #: of buyers and their keys: nobody asks twice
    numbers: Iterator[int]

    def orders(self) -> int:
        """In Redis, of both sales."""
        return sum(one.client.snapshot(one.shard.sale).order_count for one in self.logged)

    def order_requests(self, sale: str, number: int, path: str = "") -> list[bytes]:
        """Orders of so many buyers, each with a token of their own."""
        host, body = str(self.gateway.address), b'{"sku":"%b","quantity":1}' % SKU.encode()
        path = path or f"/v1/sales/{sale}/orders"
        found = []
        for buyer in islice(self.numbers, number):
            headers = {"Authorization": self._token(buyer), "Idempotency-Key": f"cart-{buyer}"}
            found.append(packed("POST", host, path, headers, body))
        return found

    def page_requests(self, number: int, path: str = "", etags: str = "") -> list[bytes]:
        """The page of `gone`, which does not change, for everybody; with ETags, for those who have it."""
        path = path or f"/v1/sales/{self.gone}"
        headers = {"If-None-Match": etags} if etags else {}
        return [packed("GET", str(self.gateway.address), path, headers)] * number

    def feed_requests(self, number: int) -> list[bytes]:
        """The feed of the sale that sells, for so many buyers."""
        host, path = str(self.gateway.address), f"/v1/sales/{self.sale}/feed"
        return [
            packed("GET", host, path, {"Authorization": self._token(buyer)})
            for buyer in islice(self.numbers, number)
        ]

    def sell(self) -> None:
        """One unit of that sale."""
        self.logged[0].sell(1, next(self.numbers))

    def _token(self, buyer: int) -> str:
        return "Bearer " + self.tokens.issue(Caller("buyer", f"buyer-{buyer}"), TOKEN_S)


@contextmanager
def staged(place: Place) -> Iterator[Stage]:
    """The servers, and both sales. Raises `FlashsaleError` when something does not come up."""
    allow_files(FILES)
    with ExitStack() as stack:
        logged = stack.enter_context(logged_sale(place, UNITS)), stack.enter_context(logged_sale(place, 1))
        sale, gone = (one.shard.sale for one in logged)
        logged[1].sell(1)
        daemons = stack.enter_context(Daemons(place.urls, place.folder))
        secret = secrets.token_urlsafe(48)
        gateway = start_gateway(daemons, place.folder, secret)
        for one in (sale, gone):
            shown = asyncio.run(page_of(gateway, one))
        bare = start_bare(daemons, place.folder, shown.body)
        numbers = count(1_000_000)
        yield Stage(place, gateway, bare, sale, gone, logged, Tokens([secret]), _etags(shown.body), numbers)


def _etags(body: bytes) -> str:
    """Those that a page has while nothing but the pace changes: a gateway that is busy asks for another."""
    state = msgspec.json.decode(body, type=SaleState)
    paces = {round(state.poll_after_ms * factor) for factor in (0.25, 0.5, 1, 2, 4)}
    return ", ".join(page(msgspec.structs.replace(state, poll_after_ms=pace)).etag for pace in paces)
