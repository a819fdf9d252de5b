"""What the tests of the asyncio client share: a shop whose log can be held against what callers were told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import redis

from flashsale.client import AsyncClient, Client
from flashsale.commands import Answer, Code, Item, Load, Open, OrderRequest, Reserve
from flashsale.errors import FlashsaleError
from flashsale.events import AnyEvent, OrderEvent, ShardState, decode, fold, trace_of, type_name
from flashsale.events.types import OrderReserved
from flashsale.ids import Position
from flashsale.keys import ShardKeys, shard_keys
from flashsale.scripts import script, script_names
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.redis_client import redis_client

SALE, SKU = "sale-1", "phone"
HOLD_MS = 60_000

Outcome = Answer | BaseException


@dataclass
class Shop:
    """A Redis with sales in it, seen past the client under test."""

    url: str
    #: raw commands: looking, damage and meddling
    redis: redis.Redis
    #: another client, without a proxy before it
    client: Client

    def load_scripts(self) -> Self:
        """Have every script loaded: one that is missing is sent twice, and comes late in its round."""
        for name in script_names():
            self.redis.script_load(script(name).source)
        return self

    def open_sale(self, units: int, sale: str = SALE, shard: int = 0, limit: int = 0) -> None:
        """Have a sale of one SKU that is open."""
        load = Load((Item(SKU, units, limit),), hold_ms=HOLD_MS)
        assert self.client.control(sale, load, shard).code is Code.LOADED
        assert self.client.control(sale, Open(), shard).code is Code.OPENED

    def keys(self, sale: str = SALE, shard: int = 0) -> ShardKeys:
        """The names of the shard's keys."""
        return shard_keys(sale, shard)

    def log(self, sale: str = SALE, shard: int = 0) -> list[tuple[Position, AnyEvent]]:
        """Every event, at its place."""
        entries: Any = self.redis.xrange(self.keys(sale, shard).events)
        return [(Position.parse(position), decode(fields["e"].encode())) for position, fields in entries]

    def traces(self) -> list[str]:
        """The trace id of every event of an order, empty where it has none."""
        entries: Any = self.redis.xrange(self.keys().events)
        bodies = [fields["e"].encode() for _, fields in entries]
        return [trace_of(body) for body in bodies if isinstance(decode(body), OrderEvent)]

    def places(self, order: str, sale: str = SALE) -> list[tuple[str, Position]]:
        """Type and place of every event of one order."""
        shard = int(order.partition("-")[0])
        return [
            (type_name(event), position)
            for position, event in self.log(sale, shard)
            if isinstance(event, OrderEvent) and event.order_id == order
        ]

    def reserved(self, sale: str = SALE, shard: int = 0) -> dict[str, Position]:
        """Order id → where it was reserved. Fails when the log has an order twice."""
        found: dict[str, Position] = {}
        for position, event in self.log(sale, shard):
            if isinstance(event, OrderReserved):
                assert event.order_id not in found, "an order is reserved once"
                found[event.order_id] = position
        return found

    def state(self, sale: str = SALE, shard: int = 0) -> ShardState:
        """What the log adds up to; fails unless Redis's hot state is the same."""
        folded = fold(self.log(sale, shard))
        assert self.client.snapshot(sale, shard, everything=True).state == folded
        return folded

    def count_from_here(self) -> None:
        """Count script calls from now on."""
        self.redis.config_resetstat()

    @property
    def script_calls(self) -> int:
        """EVALSHA calls since then."""
        calls: int = self.redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
        return calls

    @property
    def connections_received(self) -> int:
        """Connections that the server has accepted so far."""
        received: int = self.redis.info("stats")["total_connections_received"]
        return received


def request(number: int, shard: int = 0, sku: str = SKU, buyer: str = "") -> Reserve:
    """The reservation of one unit by a buyer of its own."""
    return Reserve(order(number, shard), buyer or f"buyer-{number}", sku)


def order(number: int, shard: int = 0) -> str:
    """An order id that tells its number."""
    return f"{shard}-order-{number:08d}"


def place_of(answer: Answer) -> Position | None:
    """Where an accepted reservation stands in the log; None when it was refused."""
    return answer.position if answer.code is Code.RESERVED else None


async def ask(client: AsyncClient, *requests: OrderRequest) -> list[Answer]:
    """All at once; the answers in the order of the requests."""
    return await asyncio.gather(*(client.submit(SALE, item) for item in requests))


async def outcomes(client: AsyncClient, *requests: OrderRequest) -> list[Outcome]:
    """All at once; an answer or an exception for each, in the order of the requests."""
    return await asyncio.gather(*(client.submit(SALE, item) for item in requests), return_exceptions=True)


def kinds(found: Iterable[Outcome]) -> list[object]:
    """Codes of answers, classes of exceptions."""
    return [item.code if isinstance(item, Answer) else type(item) for item in found]


def sentences(found: Iterable[Outcome]) -> set[str]:
    """What the exceptions say."""
    return {str(item) for item in found if isinstance(item, FlashsaleError)}


@contextmanager
def shop_on(server: PrivateRedis) -> Iterator[Shop]:
    """A shop on a server of the test's own."""
    with redis_client(server.url) as raw, Client(server.url, by="tests") as client:
        yield Shop(server.url, raw, client)
