"""Scripts of two releases on one sale at the same time: one set of books, whoever decided what."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack

import pytest

from flashsale.client import Client
from flashsale.commands import Answer, Cancel, Code, Confirm, Expire, Refund, Reserve
from flashsale.history import whole
from flashsale.reconcile import compare
from flashsale.scripts import script
from flashsale.stream import ShardId
from flashsale.verify import verify
from tests.fixtures.read_side import ReadSide
from tests.integration.upgrade_kit import SCRIPTS, earlier_client, earlier_script

SKU = "phone"
UNITS = 40
ROUNDS, ORDERS = 8, 12
#: What makes the clients of the shops, by turns of this release and of the earlier one.
MAKERS: Sequence[Callable[..., AbstractContextManager[Client]]] = (Client, earlier_client) * 2


def test_the_scripts_are_others() -> None:
    assert all(earlier_script(name).sha != script(name).sha for name in SCRIPTS)


def crowd(client: Client, sale: str, name: str, answers: list[Answer]) -> None:
    """Reserve, pay, give up and be refunded, more than there is; what came of each reservation goes to `answers`."""
    for turn in range(ROUNDS):
        orders = [f"0-{name}-{turn:04d}-{n:04d}" for n in range(ORDERS)]
        answers += client.execute(sale, [Reserve(order, f"b-{order}", SKU) for order in orders])
        client.execute(sale, [Confirm(order) for order in orders[::2]])
        client.execute(sale, [Cancel(order) for order in orders[1::4]])
        client.execute(sale, [Refund(order) for order in orders[::6]])
        client.expire(sale, Expire())


def test_both_sell_one_sale_at_once_and_the_books_add_up(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=UNITS, hold_ms=20)
    projector = read_side.projector()
    answers: list[list[Answer]] = [[], [], [], []]
    with ExitStack() as stack:
        clients = [
            stack.enter_context(make(read_side.redis_url, by=f"shop-{n}")) for n, make in enumerate(MAKERS)
        ]
        threads = [
            threading.Thread(target=crowd, args=(client, shard.sale, f"crowd{n}", answers[n]))
            for n, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            projector.step()
        for thread in threads:
            thread.join()
    read_side.drain(projector)

    for told in answers:
        assert len(told) == ROUNDS * ORDERS, "no crowd ended with an exception"
        assert Code.RESERVED in {answer.code for answer in told}
    assert {answer.code for told in answers for answer in told} == {Code.RESERVED, Code.SOLD_OUT}
    assert_books_agree(read_side, shard)
    ((_, available, held, sold, returned, capacity),) = read_side.stock(shard)
    assert available + held + sold + returned == capacity == UNITS


def assert_books_agree(side: ReadSide, shard: ShardId) -> None:
    """Tables, hot state and log say the same, and the log adds up event by event."""
    side.assert_projected(shard)
    assert compare(side.client, side.log, side.postgres, shard, timeout_s=5).drifts == []
    report = verify(json.dumps(e.record()).encode() for e in whole(side.log, side.postgres, shard))
    assert (report.violations, report.events) == ([], side.checkpoint(shard).seq)


@pytest.mark.parametrize("first", ["earlier", "present"])
def test_what_one_began_the_other_repeats_and_ends(read_side: ReadSide, first: str) -> None:
    shard = read_side.open_sale(quantity=20)
    with (
        earlier_client(read_side.redis_url, by="earlier") as earlier,
        Client(read_side.redis_url, by="present") as present,
    ):
        one, other = (earlier, present) if first == "earlier" else (present, earlier)
        orders = [f"0-order-{n:08d}" for n in range(4)]
        reserve = [Reserve(order, "ann", SKU) for order in orders]
        told = one.execute(shard.sale, reserve)
        again = other.execute(shard.sale, reserve)
        assert [(a.code, a.position, a.hold_until_ms) for a in again] == [
            (a.code, a.position, a.hold_until_ms) for a in told
        ]
        assert other.confirm(shard.sale, orders[0]).code is Code.CONFIRMED
        assert one.confirm(shard.sale, orders[0]).code is Code.CONFIRMED
        assert one.refund(shard.sale, orders[0]).code is Code.REFUNDED
        assert other.refund(shard.sale, orders[0]).code is Code.REFUNDED
        assert other.cancel(shard.sale, orders[1]).code is Code.CANCELLED
        assert one.confirm(shard.sale, orders[1]).code is Code.REFUND_DUE
        assert one.reserve(shard.sale, orders[2], "bob", SKU).code is Code.CONFLICT
        assert other.reserve(shard.sale, orders[2], "bob", SKU).code is Code.CONFLICT
    read_side.drain(read_side.projector())
    assert_books_agree(read_side, shard)


def test_a_sale_that_this_release_halted_is_halted_for_the_earlier_scripts_too(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 3)
    read_side.redis.delete(read_side.key(shard))
    assert read_side.client.reserve(shard.sale, "0-order-a0000001", "ann", SKU).code is Code.LOG_REGRESSED
    with earlier_client(read_side.redis_url, by="earlier") as earlier:
        assert earlier.reserve(shard.sale, "0-order-a0000002", "bob", SKU).code is Code.LOG_REGRESSED
