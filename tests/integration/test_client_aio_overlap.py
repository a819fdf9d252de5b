"""The asyncio client with several calls under way: decided in their order, and nobody hears what is not true."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from flashsale.client import AsyncClient
from flashsale.commands import Answer, Cancel, Code, Confirm, OrderRequest
from flashsale.errors import UnknownOutcome, Unreachable
from tests.fixtures.proxy import Mode, Proxy
from tests.integration.client_kit import (
    SALE,
    SKU,
    Shop,
    ask,
    kinds,
    order,
    outcomes,
    place_of,
    request,
    sentences,
)

#: Two of them make a call that leaves while another one is under way.
BATCH_MAX = 8


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """A Redis that knows the scripts, and a sale of 100 units."""
    shop.open_sale(units=100)
    return shop


@contextmanager
def scripts_held(shop: Shop) -> Iterator[None]:
    """Redis reads script calls, and runs them afterwards."""
    shop.redis.client_pause(60_000, all=False)
    try:
        yield
    finally:
        shop.redis.client_unpause()


async def have_left(
    client: AsyncClient, proxy: Proxy, *requests: OrderRequest
) -> list[asyncio.Future[Answer]]:
    """Have requests leave in a call of their own, unanswered."""
    passed = proxy.counts.requests_passed
    futures = [client.submit(SALE, item) for item in requests]
    while proxy.counts.requests_passed == passed:
        await asyncio.wait(futures, timeout=0.001)
    assert not any(future.done() for future in futures)
    return futures


async def ends(futures: Sequence[asyncio.Future[Answer]]) -> list[Answer | BaseException]:
    return await asyncio.gather(*futures, return_exceptions=True)


# ------------------------------------------------------------------------------------------------- two calls under way


async def test_a_second_call_leaves_while_the_first_is_decided_and_each_caller_gets_their_own_answer(
    shop: Shop, redis_proxy: Proxy
) -> None:
    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        await ask(client, request(0))
        with scripts_held(shop):
            first = await have_left(client, redis_proxy, *(request(number) for number in range(1, 6)))
            second = await have_left(client, redis_proxy, *(request(number) for number in range(6, 9)))
            shop.count_from_here()
        answers = await asyncio.gather(*first, *second)

    assert shop.script_calls == 2
    told = {order(number): place_of(answer) for number, answer in enumerate(answers, 1)}
    assert {order(0), *told} == shop.reserved().keys()
    assert told == {name: place for name, place in shop.reserved().items() if name != order(0)}


async def test_too_few_for_a_call_of_their_own_wait_until_the_first_is_answered(
    shop: Shop, redis_proxy: Proxy
) -> None:
    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        await ask(client, request(0))
        with scripts_held(shop):
            first = await have_left(client, redis_proxy, request(1), request(2))
            waiting = client.submit(SALE, request(3))
            second = await have_left(client, redis_proxy, request(4))
            shop.count_from_here()
        await asyncio.gather(*first, waiting, *second)

    assert shop.script_calls == 2


async def test_callers_that_give_up_while_two_calls_are_under_way_do_not_shift_the_answers_of_others(
    shop: Shop, redis_proxy: Proxy
) -> None:
    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        await ask(client, request(0))
        with scripts_held(shop):
            first = await have_left(client, redis_proxy, *(request(number) for number in range(1, 6)))
            second = await have_left(client, redis_proxy, *(request(number) for number in range(6, 11)))
            for future in (first[0], first[3], second[1]):
                future.cancel()
        found = await ends([*first, *second])
        again = await ask(client, *(request(number) for number in (1, 4, 7)))

    assert [number for number, item in enumerate(found, 1) if not isinstance(item, Answer)] == [1, 4, 7]
    reserved = shop.reserved()
    for number, item in [*enumerate(found, 1), *zip((1, 4, 7), again, strict=True)]:
        if isinstance(item, Answer):
            assert place_of(item) == reserved[order(number)]
    assert shop.state().stock[SKU].held == 11


async def test_two_commands_about_one_order_are_decided_in_the_order_in_which_they_left(
    shop: Shop, redis_proxy: Proxy
) -> None:
    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        await ask(client, request(0))
        with scripts_held(shop):
            first = await have_left(client, redis_proxy, request(1), request(2))
            second = await have_left(client, redis_proxy, Confirm(order(1)), Cancel(order(2)))
        found = await ends([*first, *second])

    assert kinds(found) == [Code.RESERVED, Code.RESERVED, Code.CONFIRMED, Code.CANCELLED]
    assert [name for name, _ in shop.places(order(1))] == ["order.reserved", "order.confirmed"]


async def test_a_closing_client_waits_for_every_call_under_way(shop: Shop, redis_proxy: Proxy) -> None:
    client = AsyncClient(redis_proxy.url, batch_max=BATCH_MAX)
    await ask(client, request(0))
    with scripts_held(shop):
        first = await have_left(client, redis_proxy, request(1), request(2))
        second = await have_left(client, redis_proxy, request(3), request(4))
        waiting = client.submit(SALE, request(5))
        closing = asyncio.create_task(client.close())
        await asyncio.wait([closing], timeout=0.05)
        assert not closing.done()
    await closing

    assert all(future.done() for future in (*first, *second, waiting))
    assert len(shop.reserved()) == 6


# ---------------------------------------------------------------------------------------------------- lost connections


async def test_a_cut_leaves_every_call_under_way_unknown_and_a_retry_finds_what_was_done(
    shop: Shop, redis_proxy: Proxy
) -> None:
    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        await ask(client, request(0))
        with scripts_held(shop):
            first = await have_left(client, redis_proxy, *(request(number) for number in range(1, 6)))
            second = await have_left(client, redis_proxy, *(request(number) for number in range(6, 11)))
            redis_proxy.behave(Mode.CUT_REPLY, times=1)
        lost = await ends([*first, *second])
        again = await ask(client, *(request(number) for number in range(1, 11)))

    assert kinds(lost) == [UnknownOutcome] * 10
    assert len({id(error) for error in lost}) == 10, "an exception of their own for each"
    assert kinds(again) == [Code.RESERVED] * 10
    told = {order(number): place_of(answer) for number, answer in enumerate(again, 1)}
    assert told == {name: place for name, place in shop.reserved().items() if name != order(0)}
    assert shop.state().stock[SKU].held == 11


async def test_what_waited_behind_the_lost_calls_is_served_on_a_new_connection(
    shop: Shop, redis_proxy: Proxy
) -> None:
    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        await ask(client, request(0))
        with scripts_held(shop):
            first = await have_left(client, redis_proxy, request(1), request(2))
            second = await have_left(client, redis_proxy, request(3), request(4))
            waiting = client.submit(SALE, request(5))
            redis_proxy.behave(Mode.CUT_REPLY, times=1)
        found = await ends([*first, *second, waiting])

    assert kinds(found) == [UnknownOutcome] * 4 + [Code.RESERVED]


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_cut_answers_are_true_and_nothing_is_done_twice(
    shop: Shop, redis_proxy: Proxy, seed: int
) -> None:
    chance = random.Random(seed)
    shop.open_sale(units=200, sale="sale-2")
    answered: dict[str, Answer] = {}
    unknown = 0

    async def buy(client: AsyncClient, number: int) -> None:
        nonlocal unknown
        item = request(number)
        while item.order_id not in answered:
            try:
                answered[item.order_id] = await client.submit("sale-2", item)
            except UnknownOutcome:
                unknown += 1

    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        callers = [asyncio.create_task(buy(client, number)) for number in range(400)]
        cuts = 0
        while waiting := [caller for caller in callers if not caller.done()]:
            if cuts < 10:
                redis_proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
                cuts += 1
            await asyncio.wait(waiting, timeout=chance.random() / 100)
        await asyncio.gather(*callers)

    reserved = shop.reserved("sale-2")
    assert unknown > 0
    assert {name: place for name, answer in answered.items() if (place := place_of(answer))} == reserved
    assert len(answered) == 400
    assert len(reserved) == shop.state("sale-2").stock[SKU].held == 200


# --------------------------------------------------------------------------------------------------- forgotten scripts


async def test_a_call_without_its_script_is_not_sent_again_behind_a_later_one_about_the_same_order(
    shop: Shop, redis_proxy: Proxy
) -> None:
    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        await ask(client, request(0), Cancel(order(99)))
        with scripts_held(shop):
            shop.redis.script_flush()
            first = await have_left(client, redis_proxy, request(1), request(2))
            second = await have_left(client, redis_proxy, Cancel(order(1)), Cancel(order(0)))
        found = await ends([*first, *second])

        assert kinds(found) == [Unreachable, Unreachable, Code.NOT_FOUND, Code.CANCELLED]
        assert "NOSCRIPT" in sentences(found).pop()
        assert kinds(await outcomes(client, request(1))) == [Code.RESERVED]
    assert shop.reserved().keys() == {order(0), order(1)}


async def test_calls_without_their_scripts_are_sent_again_in_their_order(
    shop: Shop, redis_proxy: Proxy
) -> None:
    async with AsyncClient(redis_proxy.url, batch_max=BATCH_MAX) as client:
        await ask(client, request(0), Cancel(order(99)))
        with scripts_held(shop):
            shop.redis.script_flush()
            first = await have_left(client, redis_proxy, request(1), request(2))
            second = await have_left(client, redis_proxy, Cancel(order(0)), request(3))
        found = await ends([*first, *second])

    assert kinds(found) == [Code.RESERVED, Code.RESERVED, Code.CANCELLED, Code.RESERVED]
    places = shop.reserved()
    assert places[order(1)] < places[order(2)] < places[order(3)]
