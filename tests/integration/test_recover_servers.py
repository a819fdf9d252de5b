"""Servers that lose something, for real: a flush under load, a replica that was behind, a file cut short."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from flashsale.client import Client
from flashsale.commands import Answer, Code, Confirm, Reserve
from flashsale.errors import Unreachable
from flashsale.events import decode, fold
from flashsale.ids import Position
from flashsale.projections import catalog
from flashsale.projections.halting import SaleHalter
from flashsale.projections.projector import Projector
from flashsale.stream import ShardId
from tests.fixtures.pair import Pair
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.read_side import SKU, ReadSide, open_read_side, step_through
from tests.helpers import wait_until
from tests.integration.recover_kit import busy, known, mended, sell_out

#: An answer of the sale that says that it sells nothing until it is recovered.
HALTED = (Code.LOG_REGRESSED, Code.NOT_LOADED)
BUYERS = 3


@dataclass
class Shoppers:
    """Buyers who buy and pay as fast as they can, and keep what they were told."""

    side: ReadSide
    shard: ShardId
    stop: threading.Event = field(default_factory=threading.Event)
    #: order → where its newest acknowledged step stands
    told: dict[str, Position] = field(default_factory=dict)
    #: when each buyer was told that nothing is sold
    halted_at: list[float] = field(default_factory=list)

    def buy(self, number: int) -> None:
        """Until the sale halts."""
        with Client(self.side.redis_url, fences=known(self.side)) as client:
            for i in range(1_000_000):
                order = f"0-buyer-{number}-{i:06d}"
                for request in (Reserve(order, f"buyer-{number}-{i}", SKU), Confirm(order)):
                    (answer,) = client.execute(self.shard.sale, [request])
                    if answer.code in HALTED or self.stop.is_set():
                        self.halted_at.append(time.monotonic())
                        return
                    self._keep(order, answer)

    def _keep(self, order: str, answer: Answer) -> None:
        assert answer.code in (Code.RESERVED, Code.CONFIRMED), answer
        self.told[order] = answer.position


@contextmanager
def projecting(side: ReadSide) -> Iterator[Projector]:
    """A projector in a thread."""
    stop = threading.Event()
    projector = Projector(side.redis_url, side.postgres_url, "live")

    def step() -> None:
        while not stop.is_set():
            step_through(projector)

    thread = threading.Thread(target=step)
    thread.start()
    try:
        yield projector
    finally:
        stop.set()
        thread.join()
        projector.close()


def test_a_flush_in_the_middle_of_a_sale(read_side: ReadSide, capsys: pytest.CaptureFixture[str]) -> None:
    shard = read_side.open_sale(quantity=100_000)
    catalog.found(read_side.postgres, shard, 1, before=0)
    shoppers = Shoppers(read_side, shard)
    threads = [threading.Thread(target=shoppers.buy, args=(number,)) for number in range(BUYERS)]
    with projecting(read_side):
        for thread in threads:
            thread.start()
        wait_until(lambda: read_side.checkpoint(shard).seq > 300, 20, "the sale is under way")
        flushed_at = time.monotonic()
        read_side.redis.flushall()
        for thread in threads:
            thread.join(10)
        assert max(shoppers.halted_at) - flushed_at < 1
        # With a batch in its hands it first finds that nobody has counted so far; at its next look, what is lost.
        lost = "Postgres has applied {}, the log in Redis ends at 0-0"
        wait_until(
            lambda: lost.format(read_side.checkpoint(shard)) in (read_side.halted(shard) or ""),
            10,
            "the projector says what is lost",
        )
        kept = read_side.checkpoint(shard)

        done = mended(read_side, shard)

        wait_until(
            lambda: read_side.checkpoint(shard) == done.position, 10, "the projector goes on by itself"
        )
        assert read_side.halted(shard) is None
    assert "shard_halted" in capsys.readouterr().out

    state = sell_out(read_side, shard)
    for order, place in shoppers.told.items():
        if place <= kept:
            assert state.orders[order].status in ("held", "confirmed"), "what Postgres had is there"
    assert sum(order.quantity for order in state.orders.values()) == 100_000


# ------------------------------------------------------------------------------------------------- a replica takes over


def lost_tail(pair: Pair, *, projected: int, not_projected: int) -> tuple[ShardId, list[str], list[str]]:
    """Orders behind the cut: those that Postgres has, and those that only the dead master had."""
    shard = busy(pair.master)
    pair.replicated()
    pair.cut()
    kept = pair.master.sell(shard, projected)
    pair.master.drain(pair.master.projectors[0])
    gone = pair.master.sell(shard, not_projected)
    for projector in pair.master.projectors:
        projector.close()
    pair.master.projectors.clear()
    return shard, kept, gone


def test_a_replica_that_lost_the_tail_sells_nothing_to_who_knows_better(pair: Pair) -> None:
    shard, kept, gone = lost_tail(pair, projected=5, not_projected=2)
    with pair.promoted() as side:
        with Client(side.redis_url, fences=known(side)) as knowing, Client(side.redis_url) as ignorant:
            for client in (knowing, ignorant):
                answer = client.reserve(shard.sale, side.new_order(), "bob", SKU)
                assert answer.code is Code.LOG_REGRESSED

        done = mended(side, shard)

        assert (done.survey.orders_lost, done.carried) == (kept, 0)
        state = sell_out(side, shard)
        assert {state.orders[order].status for order in kept} == {"held"}
        assert set(gone).isdisjoint(state.orders), "no store that lives had ever seen them"


@pytest.mark.parametrize(("sold_there", "too_many"), [(4, 0), (17, 2)])
def test_a_replica_that_was_written_on_makes_a_branch(pair: Pair, sold_there: int, too_many: int) -> None:
    shard, kept, _ = lost_tail(pair, projected=5, not_projected=1)
    with pair.promoted() as side:
        theirs = side.sell(shard, sold_there)  # by a client that has seen nothing yet
        side.run(shard, [Confirm(theirs[0])])
        projector = side.projector("after-failover", halt_sale=SaleHalter(Client(side.redis_url)))
        assert "FORK" in side.step_until(projector, halted=shard)
        assert side.client.reserve(shard.sale, side.new_order(), "bob", SKU).code is Code.LOG_REGRESSED

        done = mended(side, shard, leave_out=True)

        left_out = [left.order_id for left in done.left_out]
        assert left_out == theirs[: -too_many - 1 : -1]
        state = sell_out(side, shard)
        assert {*kept, *theirs} - set(left_out) <= set(state.orders)
        assert state.orders[theirs[0]].status == "confirmed"
        assert set(left_out).isdisjoint(state.orders)


# --------------------------------------------------------------------------------------------------- a file cut short


@pytest.mark.parametrize("seed", range(6))
def test_an_append_only_file_cut_at_any_byte(
    clean_redis: redis.Redis, database_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        server.start()
        with open_read_side(server.url, database_url) as side:
            shard = busy(side)
            applied = side.sell(shard, chance.randrange(8))
            side.drain(side.projectors[0])
            side.projectors.pop().close()
            side.sell(shard, chance.randrange(1, 6))
            whole = {entry.position: entry.body for entry in side.entries(shard)}
            server.kill()
            (file,) = tmp_path.glob("appendonlydir/*.incr.aof")
            size = file.stat().st_size
            with file.open("r+b") as aof:
                aof.truncate(chance.randrange(size // 3, size))
            server.start()
            wait_until(lambda: answers(side), 10, "the clients have connected again")

            left = side.entries(shard)
            state = fold((entry.position, decode(entry.body or b"")) for entry in left)
            snapshot = side.client.snapshot(shard.sale, everything=True)
            assert snapshot.state == state, "every script is there as a whole, or not at all"
            assert all(whole[entry.position] == entry.body for entry in left)
            with Client(side.redis_url, fences=known(side)) as client:
                answer = client.reserve(shard.sale, side.new_order(), "bob", SKU)
            behind = bool(left) and left[-1].position < side.checkpoint(shard)
            assert (answer.code in HALTED) == (behind or not left)

            mended(side, shard)

            state = sell_out(side, shard)
            assert set(applied) <= set(state.orders)


def answers(side: ReadSide) -> bool:
    """Whether a client that was connected before has found the server again."""
    try:
        return side.client.now_ms() > 0 and bool(side.redis.ping()) and side.log.server() is not None
    except (Unreachable, redis.RedisError):
        return False
