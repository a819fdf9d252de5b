"""A policy that evicts, at run time: whichever key of a sale goes, nothing is sold twice, and the loss is named."""

from __future__ import annotations

import pytest
import redis

from flashsale.client import Client
from flashsale.commands import Code, Reserve
from tests.integration.reconcile_kit import SKU, Books, examine


def evict(server: redis.Redis, key: str) -> None:
    """Have Redis itself throw this key away: the only one that its policy lets it take."""
    before = {name: server.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy")}
    server.pexpire(key, 1_000_000_000)
    server.config_set("maxmemory-policy", "volatile-ttl")
    server.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            server.set("more", "x")
    finally:
        for name, value in before.items():
            server.config_set(name, str(value))
    assert not server.exists(key)


@pytest.mark.parametrize(
    ("field", "fenced", "ignorant", "kind"),
    [
        ("sale", Code.LOG_REGRESSED, Code.NOT_LOADED, "fork"),
        ("events", Code.LOG_REGRESSED, Code.LOG_REGRESSED, "fork"),
        ("stock", Code.UNKNOWN_SKU, Code.UNKNOWN_SKU, "hot-counter"),
        ("orders", Code.RESERVED, Code.SOLD_OUT, "hot-order"),
        ("buyers", Code.RESERVED, Code.SOLD_OUT, "buyer-limit"),
        ("holds", Code.RESERVED, Code.SOLD_OUT, "stuck-hold"),
    ],
)
def test_a_key_that_is_evicted(books: Books, field: str, fenced: Code, ignorant: Code, kind: str) -> None:
    evict(books.side.redis, getattr(books.keys, field))
    available = books.state.stock[SKU].available

    def buy(client: Client) -> list[Code]:
        orders = [books.side.new_order() for _ in range(available + 10)]
        requests = [Reserve(order, f"buyer-{order}", SKU) for order in orders]
        return [answer.code for answer in client.execute(books.shard.sale, requests)]

    with Client(books.side.redis_url) as another:
        codes = buy(books.side.client), buy(another)

    assert (codes[0][0], codes[1][0]) == (fenced, ignorant)
    assert sum(found.count(Code.RESERVED) for found in codes) == (available if fenced is Code.RESERVED else 0)
    if fenced is Code.RESERVED:
        books.side.drain(*books.side.projectors)
    assert {finding.kind for finding in examine(books).findings} == {kind}
