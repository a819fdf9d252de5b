"""The asyncio client's limits and life: what it refuses before it sends, what it knows, how it ends."""

from __future__ import annotations

import asyncio

import pytest

from flashsale.client import AsyncClient, Client, Fences
from flashsale.commands import Code, Confirm
from flashsale.errors import BadInput, Overloaded, Unreachable
from tests.integration.client_kit import SALE, SKU, Shop, ask, kinds, order, request

# ------------------------------------------------------------------------------------------ limits, fences, bad input


async def test_too_many_waiting_requests_are_refused_at_once(shop: Shop) -> None:
    shop.open_sale(units=100)
    async with AsyncClient(shop.url, waiting_max=10) as client:
        waiting = [client.submit(SALE, request(number)) for number in range(10)]
        with pytest.raises(Overloaded):
            client.submit(SALE, request(10))
        urgent = client.submit(SALE, Confirm(order(11)))
        await asyncio.gather(*waiting, urgent)

        assert (await client.reserve(SALE, order(12), "buyer-12", SKU)).code is Code.RESERVED
    assert order(10) not in shop.reserved()


async def test_clients_that_share_fences_know_what_the_other_has_seen(shop: Shop) -> None:
    shop.open_sale(units=100)
    fences = Fences()
    async with AsyncClient(shop.url, fences=fences) as one, AsyncClient(shop.url, fences=fences) as other:
        await ask(one, *(request(number) for number in range(10)))
        assert fences.of(SALE, 0) == shop.state().position

        shop.redis.flushall()  # a failover to a replica that has only the beginning of the log
        with Client(shop.url) as ignorant:
            Shop(shop.url, shop.redis, ignorant).open_sale(units=100)
        assert (await other.reserve(SALE, order(11), "buyer-11", SKU)).code is Code.LOG_REGRESSED
        assert shop.reserved() == {}


async def test_a_refusal_raises_the_fence_as_well(shop: Shop) -> None:
    shop.open_sale(units=1)
    shop.client.reserve(SALE, order(1), "buyer-1", SKU)
    async with AsyncClient(shop.url) as client:
        assert (await client.reserve(SALE, order(2), "buyer-2", SKU)).code is Code.SOLD_OUT
        assert client.fences.of(SALE, 0) == shop.state().position


@pytest.mark.parametrize(
    ("sale", "order_id", "buyer", "quantity"),
    [
        ("Sale 1", "0-order-01", "ann", 1),
        ("sale-1", "no-shard", "ann", 1),
        ("sale-1", "0-order-01", "ann{x}", 1),
        ("sale-1", "0-order-01", "ann", 0),
        ("sale-1", "0-order-01", "ann", 1.0),
    ],
)
async def test_bad_input_is_refused_before_anything_is_sent(
    shop: Shop, sale: str, order_id: str, buyer: str, quantity: int
) -> None:
    connections = shop.connections_received
    async with AsyncClient(shop.url) as client:
        with pytest.raises(BadInput):
            await client.reserve(sale, order_id, buyer, SKU, quantity)

    assert shop.connections_received == connections


@pytest.mark.parametrize("options", [{"batch_max": 0}, {"waiting_max": 0}, {"batch_max": -1}])
def test_a_client_that_could_send_nothing_is_not_made(options: dict[str, int]) -> None:
    with pytest.raises(BadInput):
        AsyncClient("unix:///nowhere", **options)  # type: ignore[arg-type]  # any number option


# ------------------------------------------------------------------------------------------------ the client's life


async def test_closing_sends_what_waits_and_refuses_what_comes_later(shop: Shop) -> None:
    shop.open_sale(units=3_000)
    client = AsyncClient(shop.url, batch_max=100)
    waiting = [client.submit(SALE, request(number)) for number in range(2_000)]
    closing = asyncio.create_task(client.close())
    await asyncio.wait(waiting[:1])

    with pytest.raises(Unreachable, match="closed"):
        await client.reserve(SALE, order(3_000), "buyer", SKU)
    assert set(kinds(await asyncio.gather(*waiting))) == {Code.RESERVED}
    await closing
    with pytest.raises(Unreachable, match="closed"):
        await client.reserve("sale-2", order(3_001), "buyer", SKU)
    await client.close()
    assert len(shop.reserved()) == 2_000


def test_a_client_is_refused_in_a_second_event_loop(shop: Shop) -> None:
    shop.open_sale(units=10)

    async def first() -> AsyncClient:
        async with AsyncClient(shop.url) as client:
            await client.reserve(SALE, order(1), "buyer-1", SKU)
            # Left open on purpose: a client that was closed is refused for that.
            client_of_first = AsyncClient(shop.url)
            client_of_first.submit(SALE, request(2))
            await client.reserve(SALE, order(3), "buyer-3", SKU)
            return client_of_first

    async def second(client: AsyncClient) -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await client.reserve(SALE, order(4), "buyer-4", SKU)

    with asyncio.Runner() as one:
        client = one.run(first())
        asyncio.run(second(client))
        one.run(client.close())

    assert set(shop.reserved()) == {order(1), order(2), order(3)}


async def test_who_closes_it_a_second_time_meanwhile_is_told_when_it_is_closed(shop: Shop) -> None:
    shop.open_sale(units=10)
    client = AsyncClient(shop.url)
    waiting = client.submit(SALE, request(1))

    async with asyncio.timeout(10):
        await asyncio.gather(client.close(), client.close())
    assert (await waiting).code is Code.RESERVED
