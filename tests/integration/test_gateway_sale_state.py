"""The pages of a gateway, as its one task makes them. On real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec
import pytest
import redis

from flashsale.client import Client, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.gateway import sale_state
from flashsale.gateway import sales as sales_module
from flashsale.gateway.catalogue import Catalogue
from flashsale.gateway.messages import SaleState
from flashsale.gateway.rooms import Rooms
from flashsale.gateway.sale_state import Page, SaleStates
from flashsale.gateway.sales import Sales

PHONE = SaleItem(sku="phone", title="Phone", quantity=50, unit_price_minor=1)
CASE = SaleItem(sku="case", title="Case", quantity=49, unit_price_minor=1)


def defined(sale: str, title: str = "Drop") -> SaleDefinition:
    return SaleDefinition(sale=sale, title=title, currency="EUR", items=(PHONE, CASE), hold_ms=600_000)


@pytest.fixture(autouse=True)
def _warm_and_quick(redis_url: str, clean_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sale is in Redis, and looked at more often than every half second."""
    monkeypatch.setattr(sales_module, "READ_EVERY_S", 0.01)
    monkeypatch.setattr(sale_state, "LOOK_EVERY_S", 0.01)
    with Client(redis_url, by="test") as client:
        client.control("drop", defined("drop").load())


@asynccontextmanager
async def looking(
    redis_url: str, read: Callable[[], Catalogue], available_max: int | None = None
) -> AsyncIterator[SaleStates]:
    """Pages that are made again and again."""
    reads = AsyncReads(redis_url, Fences())
    sales = Sales(read, Fences())
    states = SaleStates(sales, reads, Rooms(), available_max=available_max)
    tasks = [asyncio.create_task(work) for work in (sales.keep_read(), states.keep_looking())]
    async with asyncio.timeout(20):
        yield states
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await reads.close()


def test_the_page_of_a_sale_that_is_over_is_made_once(redis_url: str) -> None:
    """There may be thousands, and a look is taken twice a second."""
    title, read = "Past", 0

    def from_postgres() -> Catalogue:
        """Made anew each time, as it is there."""
        nonlocal read
        read += 1
        definitions = {"drop": defined("drop"), "past": defined("past", title)}
        return Catalogue(definitions, {}, frozenset(["past"]))

    async def look() -> None:
        nonlocal title
        async with looking(redis_url, from_postgres) as states:

            async def looked() -> Mapping[str, Page]:
                """The pages, when the sales were read again twice, and looked at again."""
                wanted = read + 2
                while read < wanted or not states.pages:
                    await states.next_look()
                await states.next_look()
                return states.pages

            before, after = await looked(), await looked()
            title = "As it was called later"
            renamed = await looked()

        assert b'"archived"' in before["past"].body
        assert after["past"] is before["past"]
        assert after["drop"] is not before["drop"]
        assert title.encode() in renamed["past"].body

    asyncio.run(look())


@pytest.mark.parametrize(("most", "told"), [(None, [50, 49]), (50, [50, 49]), (40, [40, 40])])
def test_of_many_units_only_so_many_are_told(redis_url: str, most: int | None, told: list[int]) -> None:
    def from_postgres() -> Catalogue:
        return Catalogue({"drop": defined("drop")}, {}, frozenset())

    async def look() -> None:
        async with looking(redis_url, from_postgres, most) as states:
            while not states.pages:
                await states.next_look()
            page = msgspec.json.decode(states.pages["drop"].body, type=SaleState)
        assert [item.available for item in page.items] == told
        assert page.available_max == most

    asyncio.run(look())
