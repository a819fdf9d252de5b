"""Feeds of a gateway: what they say when there is nothing to say, and how long they last. On real servers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest
import redis
from starlette.applications import Starlette
from starlette.routing import Route

from flashsale.address import Address
from flashsale.client import Client, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.commands import Open
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.gateway import feed
from flashsale.gateway.callers import Callers
from flashsale.gateway.catalogue import Catalogue
from flashsale.gateway.feed import Feeds
from flashsale.gateway.rooms import Rooms
from flashsale.gateway.sale_state import SaleStates
from flashsale.gateway.sales import Sales
from flashsale.gateway.server import Server, listen
from flashsale.projections import catalog
from flashsale.projections.database import connect
from flashsale.settings import Settings
from tests.fixtures.sse import HEARTBEAT, Event, blocks
from tests.helpers import wait_until

ITEM = SaleItem(sku="phone", title="Phone", quantity=10, unit_price_minor=1)
DEFINITION = SaleDefinition(sale="drop", title="Drop", currency="EUR", items=(ITEM,), hold_ms=600_000)
ADA = {"Authorization": "Demo buyer:ada"}


@pytest.fixture
def url(redis_url: str, clean_redis: redis.Redis, database_url: str) -> Iterator[str]:
    """Where one sale can be followed."""
    with connect(database_url) as connection, Client(redis_url, by="test") as client:
        catalog.define(connection, DEFINITION)
        client.control("drop", DEFINITION.load())
        client.control("drop", Open(at_once=True))
    servers: list[Server] = []

    def read() -> Catalogue:
        with connect(database_url) as connection:
            return Catalogue({one.sale: one for one in catalog.every(connection)}, {}, frozenset())

    async def serve() -> None:
        fences = Fences()
        reads = AsyncReads(redis_url, fences)
        sales = Sales(read, fences)
        states = SaleStates(sales, reads, Rooms())
        feeds = Feeds(Callers.configured(Settings(), demo=True), sales, states, feeds_max=10)
        servers.append(Server(Starlette(routes=[Route("/feed/{sale}", feeds.follow)]), connections_max=20))
        works = (sales.keep_read(), states.keep_looking(), feeds.keep_telling())
        tasks = [asyncio.create_task(work) for work in works]
        while not states.pages:
            await states.next_look()
        await servers[0].serve([listener])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await reads.close()

    with listen(Address("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=lambda: asyncio.run(serve()))
        serving.start()
        try:
            wait_until(lambda: servers and servers[0].started, 10, "it serves")
            yield "http://{}:{}/feed/drop".format(*listener.getsockname()[:2])
        finally:
            servers[0].should_exit = True
            serving.join(20)


def test_it_says_that_it_lives_when_there_is_nothing_to_say(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.2)
    with httpx.stream("GET", url, headers=ADA, timeout=10) as response:
        told = blocks(response)
        assert isinstance(next(told), Event)
        assert [next(told), next(told)] == [HEARTBEAT, HEARTBEAT]


def test_it_ends_so_that_its_token_is_looked_at_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(feed, "FEED_S", 0.5)
    with httpx.stream("GET", url, headers=ADA, timeout=10) as response:
        told = list(blocks(response))
    assert isinstance(told[0], Event)
    assert set(told[1:]) <= {HEARTBEAT}
