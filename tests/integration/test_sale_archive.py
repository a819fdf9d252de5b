"""Archiving: a sale that is over leaves Redis when Postgres is proven to have all of it, and not before."""

from __future__ import annotations

from typing import Any

import pytest

from flashsale import history
from flashsale.client import Client, Fences
from flashsale.commands import Answer, Cancel, Close, Code, Confirm, Refund
from flashsale.errors import DriftFound, RefusedByState, UnknownOutcome, Unreachable
from flashsale.keys import shard_keys
from flashsale.projections import catalog
from flashsale.projections.lease import acquire
from flashsale.reconcile import NotCaughtUp
from flashsale.sale_archive import archive
from flashsale.stream import ShardId
from flashsale.sweeper import Sweeper
from tests.fixtures.read_side import ReadSide, step_through


def end(side: ReadSide, shard: ShardId, client: Client | None = None) -> Answer:
    """Archive, with the projector going on meanwhile."""
    projector = side.projectors[0]

    def wait(_: float) -> None:
        step_through(projector)

    return archive(client or side.client, side.log, side.postgres, shard, timeout_s=5, wait=wait)


def is_marked(side: ReadSide, shard: ShardId) -> bool:
    """Whether Postgres says that the sale is archived."""
    return bool(side.value("SELECT archived_at IS NOT NULL FROM sales WHERE sale_id = %s", shard.sale))


def keys(side: ReadSide, shard: ShardId) -> int:
    """How many keys of the sale Redis has."""
    return int(side.redis.exists(*shard_keys(shard.sale, shard.shard)))


@pytest.fixture
def closed(read_side: ReadSide) -> ShardId:
    """A closed sale of 13 events, all applied: three orders paid, two cancelled."""
    shard = read_side.open_sale()
    orders = read_side.sell(shard, 5)
    read_side.run(shard, [Confirm(order) for order in orders[:3]])
    read_side.run(shard, [Cancel(order) for order in orders[3:]])
    read_side.client.control(shard.sale, Close())
    read_side.drain(read_side.projector())
    return shard


def test_a_tombstone_is_left_in_redis_and_everything_in_postgres(
    read_side: ReadSide, closed: ShardId
) -> None:
    whole = read_side.entries(closed)
    before = (read_side.stock(closed), read_side.orders(closed), read_side.archive(closed))

    answer = end(read_side, closed)

    assert (answer.code, str(answer.position)) == (Code.ARCHIVED, "1-14")
    assert keys(read_side, closed) == 1
    assert is_marked(read_side, closed)
    assert (read_side.stock(closed), read_side.orders(closed), read_side.archive(closed)) == before
    assert list(history.entries(read_side.log, read_side.postgres, closed)) == whole
    newest = history.newest(read_side.log, read_side.postgres, closed, 3)
    assert [event.position for event in newest] == [entry.position for entry in whole[-3:]]


def test_a_repeat_is_answered_the_same(read_side: ReadSide, closed: ShardId) -> None:
    first = end(read_side, closed)
    marked_at = read_side.value("SELECT archived_at FROM sales")

    assert end(read_side, closed) == first
    assert read_side.value("SELECT archived_at FROM sales") == marked_at


def test_late_commands_are_told_whatever_their_fence(read_side: ReadSide, closed: ShardId) -> None:
    end(read_side, closed)

    for fences in (Fences(), read_side.client.fences):
        with Client(read_side.redis_url, fences=fences) as client:
            answers = client.execute(closed.sale, [Confirm("0-order-00000001"), Refund("0-order-00000001")])
            assert [answer.code for answer in answers] == [Code.ARCHIVED, Code.ARCHIVED]


def test_the_projector_lets_go_without_a_fault_and_serves_the_others(
    read_side: ReadSide, closed: ShardId, capsys: pytest.CaptureFixture[str]
) -> None:
    other = read_side.open_sale("sale-2")
    (projector,) = read_side.projectors
    read_side.drain(projector)
    capsys.readouterr()

    end(read_side, closed)
    read_side.sell(other, 5)
    read_side.drain(projector, shards=[other])

    assert projector.shards == [other]
    assert (read_side.halted(closed), read_side.holder(closed)) == (None, None)
    told = capsys.readouterr().out
    assert "shard_halted" not in told
    assert "lease_lost" in told
    assert acquire(read_side.postgres, "p2", 10) == []


def test_the_sweeper_leaves_it_alone(read_side: ReadSide, closed: ShardId) -> None:
    other = read_side.open_sale("sale-2")
    end(read_side, closed)

    assert list(catalog.fences(read_side.postgres, running=True)) == [other]
    assert list(catalog.fences(read_side.postgres)) == [closed, other], "as fences both stay"
    with Client(read_side.redis_url, by="sweeper") as client:
        sweeper = Sweeper(client, lambda: catalog.known_logs(read_side.postgres), wait=lambda _: None)
        assert sweeper.step() == 0


# ---------------------------------------------------------------------------------------------------------- refused


def assert_untouched(side: ReadSide, shard: ShardId) -> None:
    """Redis has the sale, and projectors and sweepers look after it."""
    assert keys(side, shard) > 1
    assert not is_marked(side, shard)
    side.drain(*side.projectors, patient=True)


def test_an_open_sale_is_refused(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.drain(read_side.projector())

    assert (end(read_side, shard).code, len(read_side.entries(shard))) == (Code.WRONG_STATE, 3)
    assert_untouched(read_side, shard)


def test_open_holds_are_refused(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 2)
    read_side.client.control(shard.sale, Close())
    read_side.drain(read_side.projector())

    answer = end(read_side, shard)

    assert (answer.code, answer.detail, len(read_side.entries(shard))) == (Code.HOLDS_OPEN, "2", 6)
    assert_untouched(read_side, shard)


def test_a_sale_that_was_never_warm_is_refused(read_side: ReadSide) -> None:
    shard = read_side.define()
    read_side.projector()
    assert end(read_side, shard).code is Code.NOT_LOADED


def test_drift_is_refused_and_named(read_side: ReadSide, closed: ShardId) -> None:
    read_side.postgres.execute("UPDATE orders SET status = 'cancelled' WHERE order_id LIKE '%1'")

    with pytest.raises(
        DriftFound, match=r"disagree in 1 place.s., first about order 0-order-00000001: log confirmed"
    ):
        end(read_side, closed)
    assert len(read_side.entries(closed)) == 14
    assert_untouched(read_side, closed)


def test_without_a_projector_it_gives_up(read_side: ReadSide, closed: ShardId) -> None:
    read_side.projectors[0].close()
    read_side.run(closed, [Refund("0-order-00000001")])

    with pytest.raises(NotCaughtUp):
        archive(read_side.client, read_side.log, read_side.postgres, closed, timeout_s=0)
    assert_untouched(read_side, closed)


def test_a_group_that_lags_keeps_the_sale(read_side: ReadSide, closed: ShardId) -> None:
    read_side.redis.xgroup_create(read_side.key(closed), "audit", "1-9")

    with pytest.raises(RefusedByState, match="cannot be given up: group audit has not acknowledged 5 events"):
        end(read_side, closed)
    assert_untouched(read_side, closed)


# -------------------------------------------------------------------------------------------- something in between


class Between(Client):
    """A client before whose last request something else happens."""

    happen: Any = None

    def control(self, sale: str, request: Any, shard: int = 0) -> Answer:
        """The request that would remove everything comes late."""
        if request.SCRIPT == "archive" and request.up_to.seq > 0 and self.happen:
            self.happen()
        return super().control(sale, request, shard)


def test_a_payment_that_comes_in_between_is_kept(read_side: ReadSide, closed: ShardId) -> None:
    with Between(read_side.redis_url) as client:
        client.happen = lambda: read_side.run(closed, [Refund("0-order-00000001")])
        assert end(read_side, closed, client).code is Code.NOT_PROVEN

    assert_untouched(read_side, closed)
    assert read_side.value("SELECT status FROM orders WHERE order_id LIKE '%1'") == "refunded"
    assert end(read_side, closed).code is Code.ARCHIVED


@pytest.mark.parametrize(("error", "marked"), [(Unreachable, False), (UnknownOutcome, True)])
def test_a_server_that_goes_away_leaves_what_a_repeat_can_finish(
    read_side: ReadSide, closed: ShardId, error: type[Exception], *, marked: bool
) -> None:
    def go_away() -> None:
        raise error("away")

    with Between(read_side.redis_url) as client:
        client.happen = go_away
        with pytest.raises(error):
            end(read_side, closed, client)

    assert is_marked(read_side, closed) == marked
    assert end(read_side, closed).code is Code.ARCHIVED
    assert is_marked(read_side, closed)


def test_a_second_command_that_is_refused_meanwhile_does_not_take_the_mark_back(
    read_side: ReadSide, closed: ShardId
) -> None:
    stock = shard_keys(*closed).stock

    def refused() -> None:
        right: Any = read_side.redis.hgetall(stock)
        read_side.redis.hset(stock, "phone", "1 2 3 4 5")
        with pytest.raises(DriftFound):
            end(read_side, closed)
        read_side.redis.hset(stock, mapping=right)

    with Between(read_side.redis_url) as client:
        client.happen = refused
        assert end(read_side, closed, client).code is Code.ARCHIVED

    assert is_marked(read_side, closed)
