"""The asyncio client when replies are lost, servers go away and callers give up: nobody is told what is not true."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import redis

from flashsale.client import AsyncClient
from flashsale.client.wire import REPLY_TIMEOUT_MS
from flashsale.commands import Answer, Code, Confirm
from flashsale.errors import UnknownOutcome, Unreachable
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

#: A reply later than this is lost. Above what a busy machine needs for one.
TIMEOUT_MS = 1_000


# ---------------------------------------------------------------------------------------------------- lost replies


async def test_a_lost_reply_leaves_the_outcome_of_its_round_unknown_and_a_retry_finds_it(
    shop: Shop, redis_proxy: Proxy
) -> None:
    shop.open_sale(units=100)
    async with AsyncClient(redis_proxy.url) as client:
        await client.reserve(SALE, order(0), "buyer-0", SKU)
        redis_proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
        lost = await outcomes(client, *(request(number) for number in range(1, 40)))
        assert kinds(lost) == [UnknownOutcome] * 39
        assert len(shop.reserved()) == 40

        again = await outcomes(client, *(request(number) for number in range(1, 41)))

    assert kinds(again) == [Code.RESERVED] * 40
    assert [answer.repeated for answer in again if isinstance(answer, Answer)] == [True] * 39 + [False]
    told = {order(i): place_of(answer) for i, answer in enumerate(again, 1) if isinstance(answer, Answer)}
    assert {order(0): shop.reserved()[order(0)], **told} == shop.reserved()
    assert shop.state().stock[SKU].held == 41
    assert redis_proxy.counts.replies_cut == 1


async def test_each_caller_of_a_lost_round_has_an_exception_of_its_own(
    shop: Shop, redis_proxy: Proxy
) -> None:
    shop.open_sale(units=100)
    redis_proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
    async with AsyncClient(redis_proxy.url) as client:
        lost = await outcomes(client, request(1), request(2), request(3))

    assert len({id(error) for error in lost}) == 3
    assert len(sentences(lost)) == 1
    assert "retry with the same id" in sentences(lost).pop()


async def test_only_the_round_under_way_is_unknown_the_next_one_goes_on_by_itself(
    shop: Shop, redis_proxy: Proxy
) -> None:
    shop.open_sale(units=100)
    redis_proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
    async with AsyncClient(redis_proxy.url, batch_max=1) as client:  # a round takes eight requests
        found = await outcomes(client, *(request(number) for number in range(20)))

    assert kinds(found) == [UnknownOutcome] * 8 + [Code.RESERVED] * 12
    assert len(shop.reserved()) == 20


async def test_a_request_that_never_arrived_is_unknown_too_and_a_retry_does_it(
    shop: Shop, redis_proxy: Proxy
) -> None:
    shop.open_sale(units=100)
    redis_proxy.behave(Mode.RESET, when=b"EVALSHA", times=1)
    async with AsyncClient(redis_proxy.url) as client:
        assert kinds(await outcomes(client, request(1))) == [UnknownOutcome]
        assert shop.reserved() == {}
        assert kinds(await outcomes(client, request(1))) == [Code.RESERVED]


async def test_a_silent_network_ends_in_a_timeout_and_the_client_goes_on_when_it_heals(
    shop: Shop, redis_proxy: Proxy
) -> None:
    shop.open_sale(units=100)
    async with AsyncClient(redis_proxy.url, timeout_ms=TIMEOUT_MS) as client:
        await client.reserve(SALE, order(0), "buyer-0", SKU)
        redis_proxy.behave(Mode.BLACK_HOLE)
        began = asyncio.get_running_loop().time()
        assert kinds(await outcomes(client, request(1), request(2))) == [UnknownOutcome] * 2
        waited_s = asyncio.get_running_loop().time() - began
        # Now the connection itself cannot be made: nothing was sent.
        assert kinds(await outcomes(client, request(1))) == [Unreachable]

        redis_proxy.heal()
        assert kinds(await outcomes(client, request(1), request(2))) == [Code.RESERVED] * 2

    assert TIMEOUT_MS <= waited_s * 1_000 < REPLY_TIMEOUT_MS
    assert len(shop.reserved()) == 3


async def test_an_answer_that_comes_after_the_timeout_is_nobodys(shop: Shop, redis_proxy: Proxy) -> None:
    shop.open_sale(units=1)
    async with AsyncClient(redis_proxy.url, timeout_ms=TIMEOUT_MS) as client:
        redis_proxy.behave(Mode.DELAY, when=b"EVALSHA", delay_s=TIMEOUT_MS * 2 / 1_000, times=1)
        assert kinds(await outcomes(client, request(1))) == [UnknownOutcome]
        assert kinds(await outcomes(client, request(2))) == [Code.SOLD_OUT]


# ---------------------------------------------------------------------------------------------- servers that go away


async def test_without_a_server_nothing_is_done_and_the_client_works_once_there_is_one(
    clean_redis: redis.Redis, tmp_path: Path
) -> None:
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        async with AsyncClient(server.url) as client:
            refused = await outcomes(client, request(1), request(2))
            assert kinds(refused) == [Unreachable] * 2
            assert "Redis cannot be reached" in sentences(refused).pop()

            server.start()
            assert kinds(await outcomes(client, request(1))) == [Code.NOT_LOADED]


async def test_a_server_killed_between_two_rounds_has_everything_and_the_client_does_not_notice(
    private_redis: PrivateRedis, clean_redis: redis.Redis
) -> None:
    with shop_on(private_redis) as shop:
        shop.open_sale(units=1_000)
        async with AsyncClient(private_redis.url) as client:
            first = await outcomes(client, *(request(number) for number in range(500)))
            private_redis.kill()
            private_redis.start()
            second = await outcomes(client, *(request(number) for number in range(400, 600)))

        answers = [*first, *second]
        assert kinds(answers) == [Code.RESERVED] * 700
        told = {
            order(number): place_of(answer)
            for number, answer in zip([*range(500), *range(400, 600)], answers, strict=True)
            if isinstance(answer, Answer)
        }
        assert told == shop.reserved()
        assert shop.state().stock[SKU].held == 600


@pytest.mark.parametrize("seed", range(3))
async def test_a_server_killed_in_the_middle_of_a_rush_loses_nothing_acknowledged(
    private_redis: PrivateRedis, seed: int
) -> None:
    back = asyncio.Event()
    acknowledged: dict[str, Answer] = {}
    chance = random.Random(seed)
    kill_at = chance.randrange(1, 1_500)

    async def buy(client: AsyncClient, number: int) -> None:
        item = request(number)
        while item.order_id not in acknowledged:
            try:
                acknowledged[item.order_id] = await client.submit(SALE, item)
            except Unreachable:
                await back.wait()
        if len(acknowledged) == kill_at:
            private_redis.kill()
            private_redis.start()
            back.set()

    with shop_on(private_redis) as shop:
        shop.open_sale(units=1_000)
        async with AsyncClient(private_redis.url, batch_max=20) as client:
            await asyncio.gather(*(buy(client, number) for number in range(1_500)))

        told = {name: place for name, answer in acknowledged.items() if (place := place_of(answer))}
        assert told == shop.reserved()
        assert len(acknowledged) == 1_500
        assert shop.state().stock[SKU].held == 1_000
    assert back.is_set()


async def test_a_server_that_forgets_its_scripts_between_two_rounds_is_told_them_again(
    shop: Shop, redis_proxy: Proxy
) -> None:
    shop.open_sale(units=300)
    async with AsyncClient(redis_proxy.url, batch_max=10) as client:
        await outcomes(client, *(request(number) for number in range(100)))
        redis_proxy.behave(Mode.DELAY, when=b"EVALSHA", delay_s=0.05, times=1)
        passed = redis_proxy.counts.requests_passed
        paying = [Confirm(order(number)) for number in range(100)]
        asking = asyncio.gather(outcomes(client, *(request(number) for number in range(100, 300)), *paying))
        while redis_proxy.counts.requests_passed == passed:
            await asyncio.wait([asking], timeout=0.001)
        shop.redis.script_flush()
        (found,) = await asking

    assert kinds(found) == [Code.RESERVED] * 200 + [Code.CONFIRMED] * 100
    stock = shop.state().stock[SKU]
    assert (stock.held, stock.sold) == (200, 100)
