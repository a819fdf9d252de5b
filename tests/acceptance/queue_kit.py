"""Sales with waiting rooms behind a gateway, and people who wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from flashsale.client import Client
from flashsale.commands import Code, Open, RoomSettings, SetRoom
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.projections import catalog
from flashsale.projections.database import connect
from tests.acceptance.gateway_kit import Front, a_buyer, as_buyer
from tests.helpers import wait_until

#: Nobody waits longer than the doorman takes.
FAST: dict[str, Any] = {"rate_per_s": 1_000, "active_max": 1_000}


class RoomSale(NamedTuple):
    """A sale of phones with a room."""

    units: int
    settings: Mapping[str, Any]
    is_open: bool = True


#: Each is for the test that names it.
SALES: Mapping[str, RoomSale] = {
    "still": RoomSale(100, FAST | {"mode": "queue-all"}),
    "fast": RoomSale(100, FAST),
    "pausing": RoomSale(100, FAST),
    "scarce": RoomSale(1, FAST),
    "told": RoomSale(100, FAST | {"mode": "queue-all"}),
    "narrow": RoomSale(100, FAST | {"active_max": 1}),
    "rated": RoomSale(10_000, {"rate_per_s": 10, "active_max": 10_000}),
    "drawn": RoomSale(100, {"rate_per_s": 1, "active_max": 1}, is_open=False),
    "lagging": RoomSale(100, FAST),
    "free": RoomSale(100, FAST | {"mode": "pass-through"}),
    "shutting": RoomSale(100, FAST | {"mode": "pass-through"}),
}


def prepare_rooms(redis_url: str, database_url: str) -> None:
    """Every sale of `SALES`, with its room."""
    with connect(database_url) as connection, Client(redis_url, by="test") as client:
        for sale, (units, settings, is_open) in SALES.items():
            item = SaleItem(sku="phone", title="Phone", quantity=units, unit_price_minor=1)
            definition = SaleDefinition(
                sale=sale, title="Drop", currency="EUR", items=(item,), hold_ms=600_000
            )
            catalog.define(connection, definition)
            assert client.control(sale, definition.load()).code is Code.LOADED
            assert client.control(sale, SetRoom(RoomSettings(**settings))).code is Code.ROOM_SET
            if is_open:
                client.control(sale, Open(at_once=True))


class Person:
    """A buyer at a sale's door."""

    def __init__(self, front: Front, sale: str, name: str | None = None) -> None:
        self.front, self.sale = front, sale
        self.name = name or a_buyer()
        self.headers = as_buyer(self.name)

    def join(self) -> dict[str, Any]:
        """How they stand, after they have joined or shown that they are there."""
        return told(self.request("POST"))

    def look(self) -> dict[str, Any]:
        return told(self.request("GET"))

    def request(self, method: str) -> httpx.Response:
        return self.front.http.request(method, f"/v1/sales/{self.sale}/queue", headers=self.headers)

    def let_in(self) -> str:
        """Wait, as a front end does, until there is a pass."""
        wait_until(lambda: self.join()["state"] == "admitted", 20, f"{self.name} is let in")
        shown = self.look()["pass"]
        assert isinstance(shown, str)
        return shown

    def order(self, shown: str | None = None, key: str = "cart-1") -> httpx.Response:
        """Place an order, with a pass or without."""
        headers = self.headers | {"Idempotency-Key": key} | ({"Flashsale-Pass": shown} if shown else {})
        return self.front.http.post(f"/v1/sales/{self.sale}/orders", json={"sku": "phone"}, headers=headers)


def told(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    content: dict[str, Any] = response.json()
    return content


def room(front: Front, sale: str) -> dict[str, Any]:
    """The room as the page of the sale has it."""
    found: dict[str, Any] = front.http.get(f"/v1/sales/{sale}").json()["room"]
    return found
