"""What the tests of `flashsale recover` share: a sale that sells, and the proof that all is well with it."""

from __future__ import annotations

import pytest

from flashsale.client import Client, Fences
from flashsale.commands import Code, Confirm, Reserve
from flashsale.keys import shard_keys, staged_keys
from flashsale.projections import catalog
from flashsale.reconcile import compare
from flashsale.stream import Log, ShardId
from tests.acceptance.conftest import SALE, SKU, Shop

SHARD = ShardId(SALE, 0)
KEYS, STAGED = shard_keys(SALE, 0), staged_keys(SALE, 0)
UNITS = 10


@pytest.fixture
def selling(shop: Shop) -> Shop:
    """A sale as the commands make it, with three orders, one of them paid; Postgres has all of them."""
    shop.define(quantity=UNITS)
    shop.finished("sale", "warm", SALE)
    shop.finished("sale", "open", SALE)
    shop.execute(*(Reserve(f"0-order-{n}-aaaa", f"buyer-{n}", SKU) for n in range(3)))
    shop.execute(Confirm("0-order-0-aaaa"))
    shop.project()
    return shop


def knowing(shop: Shop) -> Client:
    """A new client of the shop: its fence is what Postgres knows."""
    fences = Fences()
    for shard, position in catalog.fences(shop.connection).items():
        fences.saw(*shard, position)
    return Client(shop.cli.env["FLASHSALE_REDIS_URL"], fences=fences)


def sell_out(shop: Shop) -> None:
    """Sell exactly what is left, project, and have the books compared."""
    with knowing(shop) as client:
        left = client.snapshot(SALE).state.stock[SKU].available
        requests = [Reserve(f"0-late-{n}-aaaa", "late", SKU) for n in range(left + 2)]
        codes = [answer.code for answer in client.execute(SALE, requests)]
    assert codes == [Code.RESERVED] * left + [Code.SOLD_OUT] * 2
    shop.project()
    shown = shop.finished("sale", "show", SALE, "--json").json()
    assert sum(group["units"] for group in shown["orders_in_postgres"].values()) == UNITS
    assert not shop.redis.exists(*STAGED)
    with Log(shop.cli.env["FLASHSALE_REDIS_URL"]) as log:
        assert compare(shop.client, log, shop.connection, SHARD, timeout_s=10).drifts == []
    (shop.cli.home / "log").write_text(shop.finished("events", "export", SALE).stdout, encoding="utf-8")
    shop.finished("verify", "log")
