"""A Postgres of another shop has a sale of the same id: nobody who was started with it can halt the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from flashsale.bootstrap import Parts
from flashsale.client import AsyncClient
from flashsale.commands import Code, Open, Reserve
from flashsale.config import load
from flashsale.daemon import Daemon
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.errors import OtherShop
from flashsale.keys import shard_keys
from flashsale.projections import catalog
from flashsale.projections.database import Connection, connect
from flashsale.projections.halting import SaleHalter
from flashsale.projections.migrate import migrate
from flashsale.projections.projector import Projector
from flashsale.reconcile import examine_each
from flashsale.recover import recover
from flashsale.sale_health import troubles
from flashsale.shop import Shop
from flashsale.stream import ShardId
from flashsale.warm import warm
from tests.fixtures.read_side import HOLD_MS, SKU, ReadSide
from tests.helpers import wait_until

SHARD = ShardId("sale-1", 0)
SALE_KEY = shard_keys(*SHARD).sale
#: Further than the log of the real sale ever is here.
FAR = 5_000
ITEM = SaleItem(sku=SKU, title=SKU, quantity=1_000, unit_price_minor=100)
SALE = SaleDefinition(sale=SHARD.sale, title="A sale", currency="EUR", hold_ms=HOLD_MS, items=(ITEM,))


@pytest.fixture
def ours(read_side: ReadSide) -> ReadSide:
    """A sale that was warmed as people warm it, and sells."""
    catalog.define(read_side.postgres, SALE)
    assert warm(read_side.client, read_side.postgres, SALE).code is Code.LOADED
    read_side.client.control(SHARD.sale, Open())
    read_side.sell(SHARD, 5)
    read_side.drain(read_side.projector())
    return read_side


@pytest.fixture(scope="module")
def their_url(module_database_url: str) -> str:
    """The other shop's Postgres, which has seen a longer log."""
    with connect(module_database_url) as connection:
        catalog.define(connection, SALE)
        connection.execute("UPDATE checkpoint SET founded_epoch = 1, epoch = 1, seq = %s", (FAR,))
    return module_database_url


@pytest.fixture
def theirs(their_url: str) -> Iterator[Connection]:
    """A session there."""
    with connect(their_url) as connection:
        yield connection


@pytest.fixture
def mixed(ours: ReadSide, their_url: str) -> Parts:
    """What whoever mixed up two settings works with."""
    urls = {"redis_url": ours.redis_url, "postgres_url": their_url}
    return Parts(load({}, {f"FLASHSALE_{name.upper()}": url for name, url in urls.items()}).settings)


def assert_it_sells(side: ReadSide) -> None:
    order = side.new_order()
    (answer,) = side.client.execute(SHARD.sale, [Reserve(order, "buyer", SKU)])
    assert answer.code is Code.RESERVED
    assert not side.redis.hexists(SALE_KEY, "lost")
    side.drain(*side.projectors)
    side.assert_projected(SHARD)


def test_a_projector_refuses_and_names_both(ours: ReadSide, their_url: str, theirs: Connection) -> None:
    projector = Projector(ours.redis_url, their_url, "stranger", halt_sale=SaleHalter(ours.client))
    try:
        with pytest.raises(OtherShop) as refused:
            projector.step()
    finally:
        projector.close()

    for connection in (ours.postgres, theirs):
        assert catalog.origin(connection, SHARD.sale) in str(refused.value)
    assert "sale-1:0 is two sales" in str(refused.value)
    assert theirs.execute("SELECT halted, holder FROM checkpoint").fetchone() == (None, None)
    assert_it_sells(ours)


def test_shops_sweepers_and_commands_refuse(ours: ReadSide, mixed: Parts, theirs: Connection) -> None:
    with mixed.client("mixed") as client:
        with pytest.raises(OtherShop):
            client.execute(SHARD.sale, [Reserve(ours.new_order(), "buyer", SKU)])
        with pytest.raises(OtherShop):
            recover(client, ours.log, theirs, SALE)
        with pytest.raises(OtherShop):
            recover(client, ours.log, theirs, SALE, carry_out=True)
        with pytest.raises(OtherShop):
            examine_each(Shop(client, ours.log, theirs), [SHARD.sale], timeout_s=1, by="mixed")
        with pytest.raises(OtherShop):
            warm(client, theirs, SALE)
    with pytest.raises(OtherShop):
        list(troubles(ours.log, theirs))
    with mixed.daemon_client("sweeper") as client, pytest.raises(OtherShop):
        mixed.sweeper(Daemon("sweeper"), client).step()

    async def order() -> None:
        async with mixed.async_client("mixed") as client:
            assert isinstance(client, AsyncClient)
            await client.submit(SHARD.sale, Reserve(ours.new_order(), "buyer", SKU))

    with pytest.raises(OtherShop):
        asyncio.run(order())
    assert_it_sells(ours)


def test_a_recovery_keeps_which_sale_it_is(ours: ReadSide, mixed: Parts) -> None:
    ours.redis.flushdb()
    assert recover(ours.client, ours.log, ours.postgres, SALE, carry_out=True).done

    assert ours.redis.hget(SALE_KEY, "origin") == catalog.origin(ours.postgres, SHARD.sale)
    with mixed.client("mixed") as client, pytest.raises(OtherShop):
        client.execute(SHARD.sale, [Reserve(ours.new_order(), "buyer", SKU)])


def test_a_sale_that_is_defined_anew_after_postgres_was_lost_is_the_one_in_redis(
    ours: ReadSide, empty_database_url: str
) -> None:
    origin = catalog.origin(ours.postgres, SHARD.sale)
    migrate(empty_database_url)
    with connect(empty_database_url) as anew:
        catalog.define(anew, SALE)
        assert catalog.origin(anew, SHARD.sale) != origin

        projector = Projector(ours.redis_url, empty_database_url, "anew")
        wait_until(lambda: projector.step() == 0 and projector.shards == [SHARD], 10, "it applied everything")
        assert warm(ours.client, anew, SALE).code is Code.ALREADY_LOADED
        projector.close()
        projector.step()

        assert projector.shards == [SHARD]
        assert catalog.known_logs(anew)[SHARD].origin == catalog.origin(anew, SHARD.sale) == origin
        projector.close()
    assert_it_sells(ours)
