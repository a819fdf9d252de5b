"""The asyncio client when nothing goes wrong: many callers, few script calls, and to each their own answer."""

from __future__ import annotations

import asyncio
import random

from flashsale.client import AsyncClient
from flashsale.commands import BATCH_MAX, Cancel, Code, Confirm, OrderRequest, Refund
from flashsale.ids import Position
from tests.fixtures.proxy import Mode, Proxy
from tests.integration.client_kit import SALE, SKU, Shop, ask, kinds, order, place_of, request

#: Long enough for a test to queue its requests while the reply is under way.
DELAY_S = 0.1


# ------------------------------------------------------------------------------------------------ whose answer it is


async def test_each_of_many_callers_gets_the_answer_to_its_own_request(shop: Shop) -> None:
    shop.open_sale(units=700)
    requests = [request(number) for number in range(2_000)]
    random.Random(7).shuffle(requests)

    async with AsyncClient(shop.url) as client:
        answers = await ask(client, *requests)

    told = {item.order_id: place_of(answer) for item, answer in zip(requests, answers, strict=True)}
    assert {name: place for name, place in told.items() if place} == shop.reserved()
    assert kinds(answers).count(Code.SOLD_OUT) == 1_300
    assert shop.state().stock[SKU].held == 700


async def test_each_of_many_requests_keeps_its_own_trace_id(shop: Shop) -> None:
    shop.open_sale(units=100)
    ids = [f"{number:032x}" if number % 3 else "" for number in range(60)]
    async with AsyncClient(shop.url) as client:
        await asyncio.gather(
            *(
                client.reserve(SALE, order(number), f"buyer-{number}", SKU, trace_id=trace)
                for number, trace in enumerate(ids)
            )
        )
        await asyncio.gather(
            client.confirm(SALE, order(1), trace_id=ids[1]),
            client.confirm(SALE, order(2)),
            client.cancel(SALE, order(4), trace_id=ids[4]),
        )
        await client.refund(SALE, order(1), trace_id=ids[5])

    assert shop.traces() == [*ids, ids[1], "", ids[4], ids[5]]


async def test_every_kind_of_answer_goes_to_the_one_who_asked_for_it(shop: Shop) -> None:
    shop.open_sale(units=100, limit=1)
    async with AsyncClient(shop.url) as client:
        await ask(client, *(request(number, buyer=f"greedy-{number}") for number in range(30)))
        questions: list[tuple[OrderRequest, Code]] = []
        for number in range(30):
            questions += [
                (request(100 + number), Code.RESERVED),
                (request(200 + number, buyer=f"greedy-{number}"), Code.LIMIT),
                (request(300 + number, sku="case"), Code.UNKNOWN_SKU),
                (request(number, buyer="other"), Code.CONFLICT),
                (Confirm(order(number)), Code.CONFIRMED),
                (Cancel(order(400 + number)), Code.NOT_FOUND),
                (Refund(order(400 + number)), Code.NOT_FOUND),
            ]
        random.Random(7).shuffle(questions)
        answers = await ask(client, *(question for question, _ in questions))

    assert kinds(answers) == [expected for _, expected in questions]


async def test_the_same_request_twice_in_one_round_has_one_effect(shop: Shop) -> None:
    shop.open_sale(units=5)
    async with AsyncClient(shop.url) as client:
        first, *others = await ask(client, *[request(1)] * 10)

    assert not first.repeated
    assert {(other.code, other.position, other.status) for other in others} == {
        (Code.RESERVED, first.position, "held")
    }
    assert shop.state().stock[SKU].held == 1


async def test_one_client_serves_several_sales_and_shards(shop: Shop) -> None:
    places = [("sale-1", 0), ("sale-1", 3), ("sale-2", 0)]
    for sale, shard in places:
        shop.open_sale(units=50, sale=sale, shard=shard)
    connections = shop.connections_received

    async with AsyncClient(shop.url) as client:
        asked = [(sale, shard, request(number, shard)) for number in range(100) for sale, shard in places]
        answers = await asyncio.gather(*(client.submit(sale, item) for sale, _, item in asked))

    assert shop.connections_received - connections == len(places)
    for place in places:
        told = {
            item.order_id: place_of(answer)
            for (sale, shard, item), answer in zip(asked, answers, strict=True)
            if (sale, shard) == place
        }
        assert len(told) == 100
        assert {name: found for name, found in told.items() if found} == shop.reserved(*place)
        assert shop.state(*place).stock[SKU].held == 50


# ------------------------------------------------------------------------------------------------- rounds and batches


async def test_callers_share_script_calls(shop: Shop) -> None:
    shop.open_sale(units=10)
    async with AsyncClient(shop.url) as client:
        await client.reserve(SALE, order(0), "buyer-0", SKU)
        shop.count_from_here()
        await ask(client, *(request(number) for number in range(1, 4_001)))

    assert shop.script_calls == 4_000 // BATCH_MAX + 1


async def test_who_asks_during_a_round_trip_waits_for_the_next_and_shares_it(
    shop: Shop, redis_proxy: Proxy
) -> None:
    shop.open_sale(units=1_000)
    async with AsyncClient(redis_proxy.url) as client:
        await client.reserve(SALE, order(0), "buyer-0", SKU)
        shop.count_from_here()
        redis_proxy.behave(Mode.DELAY, delay_s=DELAY_S, times=1)
        passed = redis_proxy.counts.requests_passed
        under_way = client.submit(SALE, request(1))
        while redis_proxy.counts.requests_passed == passed:
            await asyncio.wait([under_way], timeout=DELAY_S / 100)
        answers = await ask(client, *(request(number) for number in range(2, 302)))

    assert under_way.done()
    assert set(kinds(answers)) == {Code.RESERVED}
    assert shop.script_calls == 2


async def test_a_small_batch_is_the_callers_choice(shop: Shop) -> None:
    shop.open_sale(units=10)
    async with AsyncClient(shop.url, batch_max=10) as client:
        await client.reserve(SALE, order(0), "buyer-0", SKU)
        shop.count_from_here()
        await ask(client, *(request(number) for number in range(1, 101)))

    assert shop.script_calls == 10


async def test_payments_and_cancellations_overtake_waiting_reservations(shop: Shop) -> None:
    shop.open_sale(units=20)
    async with AsyncClient(shop.url, batch_max=1) as client:  # a round takes eight requests
        await ask(client, request(1), request(2))
        head = shop.state().position.seq
        crowd = [client.submit(SALE, request(number)) for number in range(10, 30)]
        paid, given_up = await ask(client, Confirm(order(1)), Cancel(order(2)))
        await asyncio.gather(*crowd)

    assert (paid.position, given_up.position) == (Position(1, head + 1), Position(1, head + 2))


async def test_a_unit_given_back_is_sold_in_the_same_round(shop: Shop) -> None:
    shop.open_sale(units=1)
    async with AsyncClient(shop.url) as client:
        await client.reserve(SALE, order(1), "buyer-1", SKU)
        shop.count_from_here()
        answers = await ask(client, request(2), Cancel(order(1)))

    assert kinds(answers) == [Code.RESERVED, Code.CANCELLED]
    assert shop.script_calls == 2
