"""What a recovery must see through: keys of other types, records without their log, logs trimmed while it looks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from flashsale.client import Client, Fences
from flashsale.commands import Cancel, Code, Confirm, Mend, Refund, Reserve
from flashsale.commands.sale import Close, Pause, Reconfigure, Restock, Resume, SaleRequest
from flashsale.errors import Halted
from flashsale.events import type_name
from flashsale.ids import Position
from flashsale.keys import shard_keys
from flashsale.projections import catalog
from flashsale.projections.database import connect
from flashsale.projections.projector import Projector
from flashsale.recover import survey
from flashsale.stream import PAGE_MAX, Entry, Log, ShardId
from flashsale.trim import trim
from tests.fixtures.read_side import SKU, ReadSide, step_through
from tests.helpers import meanwhile
from tests.integration.recover_kit import UNITS, agrees, busy, known, mended, planned, sell_out
from tests.integration.skew_kit import earlier_release

LOOKS = 100


@pytest.mark.parametrize("name", ["sale", "stock", "orders", "buyers", "holds", "events"])
def test_a_key_of_another_type(read_side: ReadSide, name: str) -> None:
    shard = busy(read_side)
    key = getattr(shard_keys(*shard), name)
    read_side.redis.delete(key)
    read_side.redis.set(key, "something else")

    assert not planned(read_side, shard).survey.is_whole
    mended(read_side, shard)

    sell_out(read_side, shard)


@pytest.mark.parametrize("field", ["epoch", "seq", "state"])
def test_a_record_that_no_script_wrote(read_side: ReadSide, field: str) -> None:
    shard = busy(read_side)
    read_side.redis.hset(shard_keys(*shard).sale, field, "x")

    mended(read_side, shard)

    sell_out(read_side, shard)


def test_events_of_a_newer_release_are_not_dropped(read_side: ReadSide) -> None:
    """Its projectors have left them in the log alone, and whoever sent them was told yes."""
    shard = read_side.open_sale()
    catalog.found(read_side.postgres, shard, 1, before=0)
    order = read_side.sell(shard, 1)[0]
    read_side.drain(read_side.projector())
    read_side.run(shard, [Confirm(order), Refund(order)])
    read_side.sell(shard, 1)
    with earlier_release(), pytest.raises(Halted, match=r"order\.refunded.*recover with the newer flashsale"):
        mended(read_side, shard)

    assert planned(read_side, shard).survey.is_whole


def test_a_projector_lives_through_a_sale_record_of_another_type(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.sell(shard, 2)
    key = shard_keys(*shard).sale
    read_side.redis.delete(key)
    read_side.redis.set(key, "something else")

    assert "record cannot be read" in read_side.step_until(read_side.projectors[0], halted=shard)


def test_what_only_records_still_tell_is_kept(read_side: ReadSide) -> None:
    """The log is gone, and with it the events of orders that Postgres has never seen."""
    shard = busy(read_side)
    for projector in read_side.projectors:
        projector.close()
    held, paid, back, kept, up = read_side.sell(shard, 5)
    read_side.run(shard, [Confirm(order) for order in (paid, back, kept)])
    read_side.run(shard, [Refund(back), Refund(kept, units="keep"), Cancel(up)])
    read_side.client.control(shard.sale, Restock("unseen", "remove", SKU, 2))
    before = read_side.client.snapshot(shard.sale, everything=True).state
    read_side.redis.delete(read_side.key(shard))

    told = planned(read_side, shard)
    assert (told.carried, told.left_out) == (12, [])
    mended(read_side, shard)

    after = read_side.client.snapshot(shard.sale, everything=True).state
    assert after.stock == before.stock
    assert after.units == before.units
    assert after.requests.keys() == before.requests.keys()
    assert {order: after.orders[order].status for order in (held, paid, back, kept, up)} == {
        held: "held", paid: "confirmed", back: "refunded", kept: "refunded", up: "cancelled",
    }  # fmt: skip
    sell_out(read_side, shard)


def test_what_only_a_record_tells_of_an_order_that_postgres_knows(read_side: ReadSide) -> None:
    shard = busy(read_side)
    (order,) = read_side.sell(shard, 1)
    read_side.drain(read_side.projectors[0])
    read_side.run(shard, [Confirm(order)])
    read_side.redis.delete(read_side.key(shard))

    mended(read_side, shard)

    assert sell_out(read_side, shard).orders[order].status == "confirmed"


@pytest.mark.parametrize(
    ("requests", "status"),
    [
        ([Pause()], "paused"),
        ([Close()], "closed"),
        ([Pause(), Resume()], "open"),
        ([Reconfigure(hold_ms=120_000, limits=((SKU, 4),)), Pause()], "paused"),
    ],
)
def test_what_only_records_tell_of_the_sale_itself(
    read_side: ReadSide, requests: list[SaleRequest], status: str
) -> None:
    """A sale that somebody paused must not sell again because its log was lost."""
    shard = busy(read_side)
    sold = read_side.sell(shard, 2)
    for request in requests:
        read_side.client.control(shard.sale, request)
    before = read_side.client.snapshot(shard.sale, everything=True).state
    read_side.redis.delete(read_side.key(shard))

    assert mended(read_side, shard).left_out == []

    after = agrees(read_side, shard)
    assert after.status == status
    assert (after.stock, after.hold_ms) == (before.stock, before.hold_ms)
    assert {*sold} <= set(after.orders)


def test_a_sale_of_which_postgres_has_nothing_goes_on_from_its_records(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=UNITS)
    catalog.found(read_side.postgres, shard, 1, before=0)
    sold = read_side.sell(shard, 3)
    read_side.redis.delete(read_side.key(shard))

    assert mended(read_side, shard).left_out == []

    assert set(sold) <= set(sell_out(read_side, shard).orders)


def test_an_order_of_records_only_that_does_not_fit_is_named(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.client.control(shard.sale, Pause())
    read_side.drain(read_side.projectors[0])
    keys = shard_keys(*shard)
    read_side.redis.hset(keys.orders, "0-order-99999999", f"held {SKU} 1 zoe 1 1-900")
    read_side.redis.delete(keys.events)

    (left,) = planned(read_side, shard).left_out

    assert (left.order_id, left.buyer, left.reason) == ("0-order-99999999", "zoe", "the sale was paused")


def test_an_event_that_does_not_add_up_spoils_nothing(read_side: ReadSide) -> None:
    """Counters from a backup under a log that is whole: the next order's event says what is not so."""
    shard = busy(read_side)
    keys = shard_keys(*shard)
    old = str(read_side.redis.hget(keys.stock, SKU))
    read_side.sell(shard, 2)
    read_side.drain(read_side.projectors[0])
    read_side.projectors[0].close()
    read_side.redis.hset(keys.stock, SKU, old)
    sold = read_side.sell(shard, 3)

    done = mended(read_side, shard)

    assert (done.carried, done.left_out) == (3, [])
    assert {sell_out(read_side, shard).orders[order].status for order in sold} == {"held"}


def test_the_log_goes_on_behind_whatever_anybody_says_to_have_seen(read_side: ReadSide) -> None:
    """A client that took its fence from another shop's Postgres halts the sale, and is no obstacle afterwards."""
    shard = busy(read_side)
    fences = Fences()
    fences.saw(*shard, Position(5, 57))
    with Client(read_side.redis_url, fences=fences) as stranger:
        assert stranger.reserve(shard.sale, read_side.new_order(), "bob", SKU).code is Code.LOG_REGRESSED

        assert mended(read_side, shard).position == Position(6, 1)

        assert stranger.reserve(shard.sale, read_side.new_order(), "bob", SKU).code is Code.RESERVED
    sell_out(read_side, shard)


class SlowLog(Log):
    """Something happens between the first look at Postgres and the first at the log."""

    meanwhile: Callable[[], object] | None = None

    def entries(
        self, shard: ShardId, after: Position, up_to: Position | None = None, count: int = PAGE_MAX
    ) -> list[Entry]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().entries(shard, after, up_to, count)


def test_what_is_applied_and_trimmed_while_it_looks_is_no_loss(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.sell(shard, 2)

    def apply_and_trim() -> None:
        read_side.drain(read_side.projectors[0])
        assert trim(read_side.client, read_side.log, read_side.postgres, shard, keep=1).trimmed

    with SlowLog(read_side.redis_url) as log:
        log.meanwhile = apply_and_trim
        found = survey(read_side.client, log, read_side.postgres, shard)

    assert found.is_whole, found


@contextmanager
def working(side: ReadSide, shard: ShardId) -> Iterator[None]:
    """Sell, apply and trim to the last event, all at the same time."""
    stop = threading.Event()

    def sell() -> None:
        with Client(side.redis_url, fences=known(side)) as client:
            for number in range(1_000_000):
                if stop.is_set():
                    return
                order = f"0-busy-{number:08d}"
                requests = [Reserve(order, "bob", SKU), Confirm(order)]
                client.execute(shard.sale, requests)
                client.execute(shard.sale, [Refund(order)])

    def apply_and_trim() -> None:
        projector = Projector(side.redis_url, side.postgres_url, "busy")
        with Client(side.redis_url) as client, Log(side.redis_url) as log, connect(side.postgres_url) as own:
            while not stop.is_set():
                step_through(projector)
                trim(client, log, own, shard, keep=0)
        projector.close()

    with meanwhile(stop, sell, apply_and_trim):
        yield


def test_a_sale_that_sells_and_is_trimmed_is_called_whole_every_time(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.projectors[0].close()
    with working(read_side, shard), Log(read_side.redis_url) as log:
        for _ in range(LOOKS):
            found = survey(read_side.client, log, read_side.postgres, shard)
            assert found.is_whole, (found.damage, [type_name(event) for _, event in found.branch], found)


def test_what_is_not_applied_yet_is_the_tail(read_side: ReadSide) -> None:
    shard = busy(read_side)
    read_side.sell(shard, 2)

    found = survey(read_side.client, read_side.log, read_side.postgres, shard)

    assert found.is_whole
    assert [entry.position.seq for entry in found.tail] == [found.head.seq - 1, found.head.seq]


def test_counters_that_somebody_tampered_with_do_not_live_on_in_the_new_epoch(read_side: ReadSide) -> None:
    shard = busy(read_side)
    stock = read_side.client.snapshot(shard.sale).state.stock[SKU]
    wrong = f"{stock.available - 2} {stock.held} {stock.sold} {stock.returned + 2} 0"
    read_side.redis.hset(shard_keys(*shard).stock, SKU, wrong)
    read_side.sell(shard, 2)  # these events say so, too
    read_side.drain(*read_side.projectors)
    read_side.redis.flushdb()

    mended(read_side, shard)

    after = read_side.client.snapshot(shard.sale).state.stock[SKU]
    assert (after.available, after.returned) == (stock.available - 2, stock.returned)
    assert planned(read_side, shard).survey.is_whole


def test_a_mend_of_what_was_seen_before_a_recovery_changes_nothing_after_it(read_side: ReadSide) -> None:
    """`reconcile --apply` of one operator, `recover` of another in the middle of it: counters move by what differs."""
    shard = busy(read_side)
    right = read_side.client.snapshot(shard.sale).state.stock[SKU]
    wrong = f"{right.available - 2} {right.held} {right.sold} {right.returned} {right.limit}"
    read_side.redis.hset(shard_keys(*shard).stock, SKU, wrong)
    seen = read_side.client.hot(*shard)

    mended(read_side, shard)

    mend = Mend("counters", SKU, None, "+2 +0 +0 +0")
    (answer,) = read_side.client.mend(shard, seen.position, seen.mended, [mend])
    assert answer.code is Code.STALE
    assert agrees(read_side, shard).stock[SKU].available == right.available
