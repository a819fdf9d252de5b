"""Callers of the asyncio client that give up, and callers whose batch Redis refuses: the others do not notice."""

from __future__ import annotations

import asyncio
import random

import pytest

from flashsale.client import AsyncClient
from flashsale.commands import Answer, Cancel, Code, Confirm, Reserve
from flashsale.errors import Halted, Unreachable
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.proxy import Mode, Proxy
from tests.integration.client_kit import (
    SALE,
    SKU,
    Shop,
    kinds,
    order,
    outcomes,
    place_of,
    request,
    sentences,
    shop_on,
)

# -------------------------------------------------------------------------------------------------- callers that leave


@pytest.mark.parametrize("seed", range(6))
async def test_callers_that_give_up_never_shift_answers_to_others(
    shop: Shop, redis_proxy: Proxy, seed: int
) -> None:
    chance = random.Random(seed)
    shop.open_sale(units=150)
    redis_proxy.behave(Mode.DELAY, when=b"EVALSHA", delay_s=0.01)
    answered: dict[str, Answer] = {}

    async def buy(client: AsyncClient, number: int) -> None:
        patience_s = chance.choice([None, chance.random() / 20])
        answered[order(number)] = await asyncio.wait_for(client.submit(SALE, request(number)), patience_s)

    async with AsyncClient(redis_proxy.url, batch_max=4) as client:
        callers = [asyncio.create_task(buy(client, number)) for number in range(400)]
        while waiting := [caller for caller in callers if not caller.done()]:
            chance.choice(waiting).cancel()
            await asyncio.wait(waiting, timeout=chance.random() / 100)
        await asyncio.gather(*callers, return_exceptions=True)

    reserved = shop.reserved()
    assert 0 < len(answered) < 400, "some had their answer, some did not wait for it"
    for name, answer in answered.items():
        assert place_of(answer) == reserved.get(name)
    assert len(reserved) == shop.state().stock[SKU].held == 150


async def test_a_request_whose_caller_left_before_it_was_sent_may_still_be_done_and_can_be_asked_for(
    shop: Shop,
) -> None:
    shop.open_sale(units=10)
    async with AsyncClient(shop.url) as client:
        client.submit(SALE, request(1)).cancel()
        (found,) = await outcomes(client, request(1))

    assert isinstance(found, Answer)
    assert found.position == shop.reserved()[order(1)]


# ------------------------------------------------------------------------------------------------------ error replies


async def test_damage_that_one_batch_meets_stops_the_callers_of_that_batch_only(shop: Shop) -> None:
    shop.open_sale(units=100)
    async with AsyncClient(shop.url) as client:
        await outcomes(client, *(request(number) for number in range(6)))
        shop.redis.hset(shop.keys().orders, order(0), "rubbish")
        found = await outcomes(
            client, Confirm(order(0)), Confirm(order(1)), Cancel(order(2)), request(7), Cancel(order(3))
        )
        assert kinds(found) == [Halted, Halted, Code.CANCELLED, Code.RESERVED, Code.CANCELLED]
        assert "flashsale doctor" in sentences(found).pop()

        # Nothing of the halted batch was done, and the rest of it is served without the damaged order.
        assert kinds(await outcomes(client, Confirm(order(1)))) == [Code.CONFIRMED]


@pytest.mark.parametrize("name", ["sale", "stock", "orders", "buyers", "events"])
async def test_a_key_of_another_type_halts_reservations(shop: Shop, name: str) -> None:
    shop.open_sale(units=100)
    shop.redis.set(getattr(shop.keys(), name), "something else")
    async with AsyncClient(shop.url) as client:
        assert kinds(await outcomes(client, request(1), request(2))) == [Halted] * 2


async def test_a_full_memory_refuses_reservations_and_lets_payments_through(shop: Shop) -> None:
    shop.open_sale(units=100)
    async with AsyncClient(shop.url) as client:
        await outcomes(client, request(1))
        shop.redis.config_set("maxmemory", 1)
        try:
            found = await outcomes(client, request(2), Confirm(order(1)))
        finally:
            shop.redis.config_set("maxmemory", 0)

    assert kinds(found) == [Unreachable, Code.CONFIRMED]
    assert "Redis refuses to work: OOM" in sentences(found).pop()


async def test_a_replica_refuses_whole_rounds(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop:
        shop.open_sale(units=100)
        async with AsyncClient(private_redis.url) as client:
            shop.redis.replicaof("127.0.0.1", "1")
            found = await outcomes(client, request(1), request(2))
            assert kinds(found) == [Unreachable] * 2
            assert "READONLY" in sentences(found).pop()

            shop.redis.replicaof("NO", "ONE")
            assert kinds(await outcomes(client, Reserve(order(1), "buyer-1", SKU))) == [Code.RESERVED]
