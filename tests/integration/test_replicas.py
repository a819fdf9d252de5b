"""A replica that is waited for (level D2), that resynchronizes in the middle of a sale, or that Redis insists on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from flashsale.client import AsyncClient, Client, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.commands import Answer, Code, Pause, Reserve
from flashsale.errors import NotReplicated, UnknownOutcome, Unreachable
from flashsale.events import Order
from flashsale.ids import Position
from flashsale.stream import ShardId
from tests.fixtures.pair import Pair
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.read_side import SKU, ReadSide
from tests.fixtures.redis_client import redis_client
from tests.helpers import free_port, wait_until
from tests.integration.client_kit import kinds, order

UNITS = 2_000
TIMEOUT_MS = 1_000


@contextmanager
def waiting(side: ReadSide) -> Iterator[Client]:
    """A client that waits for the replica, and has seen nothing yet."""
    with Client(side.redis_url, timeout_ms=TIMEOUT_MS, replicas=1) as client:
        yield client


def entries(url: str, shard: ShardId) -> list[object]:
    """The log as this server has it."""
    with redis_client(url) as commands:
        return list(commands.xrange(f"fs:{{{shard.sale}:{shard.shard}}}:events"))


# ----------------------------------------------------------------------------------- WAIT: acknowledged is safe


def test_what_is_acknowledged_outlives_a_failover_and_the_rest_is_unknown(pair: Pair) -> None:
    shard = pair.master.open_sale(quantity=UNITS)
    pair.replicated()
    told: dict[str, Position] = {}
    unknown: set[str] = set()

    async def shop() -> None:
        client = AsyncClient(pair.master.redis_url, timeout_ms=TIMEOUT_MS, replicas=1, batch_max=16)
        async with client:

            async def buy(buyer: int) -> None:
                for i in range(100):
                    name = order(buyer * 1_000 + i)
                    if i == 20 and buyer == 0:
                        pair.cut()
                    try:
                        answer = await client.reserve(shard.sale, name, name, SKU)
                    except UnknownOutcome:
                        unknown.add(name)
                        return
                    assert answer.code is Code.RESERVED
                    told[name] = answer.position

            await asyncio.gather(*map(buy, range(30)))

    asyncio.run(shop())
    assert len(unknown) == 30, "from the cut on nobody is told anything"
    assert pair.master.client.snapshot(shard.sale).state.position > max(told.values())

    with pair.promoted() as side, Client(side.redis_url) as client:
        kept = {name: client.order(shard.sale, name) for name in told}
        assert {name: found.reserved_at for name, found in kept.items() if found} == told
        answers = client.execute(shard.sale, [Reserve(name, name, SKU) for name in sorted(unknown)])
        assert {answer.code for answer in answers} == {Code.RESERVED}
        state = side.client.snapshot(shard.sale, everything=True).state
        assert state.stock[SKU].available == UNITS - len(told) - len(unknown)


def test_what_was_only_decided_raises_no_fence(pair: Pair) -> None:
    """The failover loses what nobody was told: the sale goes on with the clients that it has."""
    shard = pair.master.open_sale(quantity=10)
    pair.replicated()
    with waiting(pair.master) as client:
        client.reserve(shard.sale, order(1), "ann", SKU)
        pair.cut()
        with pytest.raises(NotReplicated):
            client.reserve(shard.sale, order(2), "bob", SKU)
        with pair.promoted() as side, Client(side.redis_url, fences=client.fences) as after:
            answer = after.reserve(shard.sale, order(2), "bob", SKU)

    assert (answer.code, answer.repeated) == (Code.RESERVED, False)


def test_a_repeat_is_not_told_either_before_a_replica_has_it(pair: Pair) -> None:
    """A repeat writes nothing, so WAIT by itself would not wait; a connection that wrote nothing yet least of all."""
    shard = pair.master.open_sale(quantity=10)
    pair.replicated()
    pair.cut()

    def ask() -> Answer:
        with waiting(pair.master) as client:
            return client.reserve(shard.sale, order(1), "ann", SKU)

    async def ask_async() -> list[object]:
        async with AsyncClient(pair.master.redis_url, timeout_ms=TIMEOUT_MS, replicas=1) as client:
            asked = (client.reserve(shard.sale, order(1), "ann", SKU) for _ in range(2))
            return kinds(await asyncio.gather(*asked, return_exceptions=True))

    async def read() -> Order | None:
        reads = AsyncReads(pair.master.redis_url, Fences(), timeout_ms=TIMEOUT_MS, replicas=1)
        try:
            return await reads.order(shard.sale, order(1))
        finally:
            await reads.close()

    for _ in range(2):
        with pytest.raises(NotReplicated, match="decided, and 0 of 1 replicas have it after 500 ms: retry"):
            ask()
    assert asyncio.run(ask_async()) == [NotReplicated, NotReplicated]
    with pytest.raises(Unreachable, match="could be lost: 0 of 1 replicas"):
        asyncio.run(read())
    assert len(pair.master.entries(shard)) == 4, "loaded, stock, opened, and one reservation"

    pair.link.heal()
    pair.replicated()
    answer = ask()
    assert (answer.code, answer.repeated) == (Code.RESERVED, True)
    assert asyncio.run(ask_async()) == [Code.RESERVED, Code.RESERVED]
    assert (found := asyncio.run(read())) is not None
    assert found.status == "held"


def test_what_was_not_done_is_not_unknown_and_reading_waits_for_nobody(pair: Pair) -> None:
    shard = pair.master.open_sale(quantity=10)
    pair.cut()
    with waiting(pair.master) as client:
        assert client.snapshot(shard.sale).state.stock[SKU].available == 10
        pair.master.redis.config_set("maxmemory", 1)
        with pytest.raises(Unreachable, match="OOM") as caught:
            client.reserve(shard.sale, order(1), "ann", SKU)
        assert type(caught.value) is Unreachable


def test_a_user_who_may_not_wait_is_told_nothing(pair: Pair) -> None:
    shard = pair.master.open_sale(quantity=10)
    pair.master.redis.execute_command("ACL", "SETUSER", "shop", "on", "nopass", "~*", "&*", "+@all", "-wait")
    url = f"{pair.master.redis_url}?username=shop&password=any"
    with Client(url, replicas=1) as client, pytest.raises(NotReplicated, match="is not known"):
        client.reserve(shard.sale, order(1), "ann", SKU)


def test_a_message_that_is_refused_is_not_taken_for_a_write(pair: Pair) -> None:
    """Without it, WAIT counts the replica on a connection that has written nothing: a repeat would be told."""
    shard = pair.master.open_sale(quantity=10)
    pair.replicated()
    pair.cut()
    pair.master.redis.execute_command(
        "ACL", "SETUSER", "shop", "on", "nopass", "~*", "&*", "+@all", "-spublish"
    )
    url = f"{pair.master.redis_url}?username=shop&password=any"
    for _ in range(2):
        with (
            Client(url, timeout_ms=TIMEOUT_MS, replicas=1) as client,
            pytest.raises(NotReplicated, match=r"is not known: .*spublish"),
        ):
            client.reserve(shard.sale, order(1), "ann", SKU)


def test_in_a_cluster_nobody_is_told(clean_redis: redis.Redis, tmp_path: Path) -> None:
    """There, a message is not what replicas get: on Valkey, a repeat was told while the replica was stopped."""
    ports = ("--port", str(free_port()), "--cluster-port", str(free_port()))
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        server.start("--cluster-enabled", "yes", *ports)
        with redis_client(server.url) as raw:
            raw.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
            wait_until(lambda: raw.execute_command("CLUSTER INFO")["cluster_state"] == "ok", 20, "it is up")
        with Client(server.url, replicas=1) as client, pytest.raises(NotReplicated, match="is a cluster"):
            client.control("sale-1", Pause())


def test_scripts_that_the_server_forgot_are_loaded_again_and_waited_for(pair: Pair) -> None:
    shard = pair.master.open_sale(quantity=10)
    pair.replicated()
    # A patient one: a busy machine's replica takes more than half a second.
    with Client(pair.master.redis_url, timeout_ms=20_000, replicas=1) as client:
        client.reserve(shard.sale, order(1), "ann", SKU)
        pair.master.redis.script_flush()
        answers = client.execute(shard.sale, [Reserve(order(i), "bob", SKU) for i in range(2, 5)])
        assert {answer.code for answer in answers} == {Code.RESERVED}
        assert entries(pair.replica.url, shard) == entries(pair.master.redis_url, shard)


# ----------------------------------------------------------------------------------- a replica that starts over


def test_a_replica_that_resynchronizes_in_the_middle_of_a_sale(pair: Pair) -> None:
    """Each batch is more than the master keeps for a replica: it is cut off, and copies everything anew."""
    shard = pair.master.open_sale(quantity=100_000)
    pair.replicated()
    commands = pair.master.redis
    commands.config_set("repl-backlog-size", 16_384)
    commands.config_set("client-output-buffer-limit", "replica 16384 0 0")
    before = commands.info("stats")["sync_full"]

    def sell_until(resynchronized: int) -> None:
        def sold() -> bool:
            pair.master.sell(shard, 4_000)
            return bool(commands.info("stats")["sync_full"] - before >= resynchronized)

        wait_until(sold, 30, "the replica copies everything anew")

    sell_until(resynchronized=2)
    projector = pair.master.projector()
    pair.master.drain(projector)
    pair.replicated()

    pair.master.assert_projected(shard)
    assert entries(pair.replica.url, shard) == entries(pair.master.redis_url, shard)
    pair.master.projectors.clear()
    projector.close()
    with pair.promoted() as side, Client(side.redis_url) as client:
        assert client.reserve(shard.sale, side.new_order(), "bob", SKU).code is Code.RESERVED
        after = side.projector("after-failover")
        side.drain(after)
        side.assert_projected(shard)


# ------------------------------------------------------------------------------------------------ min-replicas-to-write


def test_a_master_that_is_cut_off_sells_for_moments_only(pair: Pair) -> None:
    """With min-replicas-max-lag 1 the window is that second, the one in which Redis looks, and what the cut leaves."""
    shard = pair.master.open_sale(quantity=100_000)
    pair.replicated()
    pair.master.redis.config_set("min-replicas-to-write", 1)
    pair.master.redis.config_set("min-replicas-max-lag", 1)
    pair.cut()
    cut_at_ms = accepted_at_ms = pair.master.client.now_ms()

    def is_refused() -> bool:
        nonlocal accepted_at_ms
        try:
            pair.master.client.reserve(shard.sale, pair.master.new_order(), "ann", SKU)
        except UnknownOutcome:
            return False
        except Unreachable as error:
            return "NOREPLICAS" in str(error)
        accepted_at_ms = pair.master.client.now_ms()
        return False

    wait_until(is_refused, 20, "the master refuses")
    assert accepted_at_ms - cut_at_ms < 4_000
