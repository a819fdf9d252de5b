"""The sync client's fence: who has seen more than the log holds sells nothing."""

from __future__ import annotations

from collections.abc import Callable

import redis

from flashsale.client import Client, Fences
from flashsale.commands import Code, Pause
from flashsale.ids import START, Position
from tests.integration.client_kit import SALE, SKU, Shop, order


def lose_tail(shop: Shop, meanwhile: Callable[[], object]) -> None:
    """Set the server back to where it was before `meanwhile`, as a failover to a replica that was behind does."""
    names = shop.keys()
    with redis.Redis.from_url(shop.url) as raw:  # DUMP is no text
        before = {name: raw.dump(name) for name in names if raw.exists(name)}
        meanwhile()
        raw.flushdb()
        for name, value in before.items():
            assert isinstance(value, bytes)
            raw.restore(name, 0, value)


def test_a_log_that_lost_its_tail_sells_nothing_to_who_has_seen_it(shop: Shop) -> None:
    shop.open_sale(units=5)
    lose_tail(shop, lambda: shop.client.reserve(SALE, order(1), "ann", SKU))

    answer = shop.client.reserve(SALE, order(2), "bob", SKU)

    assert (answer.code, answer.position) == (Code.LOG_REGRESSED, Position(1, 3))
    assert shop.client.control(SALE, Pause()).code is Code.LOG_REGRESSED
    with Client(shop.url) as ignorant:
        assert ignorant.reserve(SALE, order(3), "cid", SKU).code is Code.LOG_REGRESSED, (
            "the first caller who could prove the loss has halted the sale for all"
        )


def test_clients_that_share_fences_know_what_the_other_has_seen(shop: Shop) -> None:
    shop.open_sale(units=5)
    fences = Fences()
    with Client(shop.url, fences=fences) as one, Client(shop.url, fences=fences) as other:
        lose_tail(shop, lambda: one.reserve(SALE, order(1), "ann", SKU))

        assert other.reserve(SALE, order(2), "bob", SKU).code is Code.LOG_REGRESSED


def test_a_fence_never_goes_down_and_knows_each_shard() -> None:
    fences = Fences()
    fences.saw(SALE, 0, Position(1, 9))
    fences.saw(SALE, 0, Position(1, 8))
    fences.saw(SALE, 1, Position(2, 1))

    assert (fences.of(SALE, 0), fences.of(SALE, 1), fences.of(SALE, 2)) == (
        Position(1, 9),
        Position(2, 1),
        START,
    )
    assert fences.of("other", 0) == START


def test_refusals_and_repeats_raise_the_fence_as_well(shop: Shop) -> None:
    shop.open_sale(units=1)
    shop.client.reserve(SALE, order(1), "ann", SKU)
    with Client(shop.url) as client:
        assert client.reserve(SALE, order(2), "bob", SKU).code is Code.SOLD_OUT
        assert client.fences.of(SALE, 0) == Position(1, 4)
