"""Log, Redis and Postgres held against each other: at one position, from a log in one piece or in several."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from flashsale.client import Client
from flashsale.commands import Confirm, Reserve
from flashsale.errors import Halted
from flashsale.ids import Position
from flashsale.reconcile import NotCaughtUp, compare, fold_log, wait_for_checkpoint
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide
from tests.integration.reconcile_kit import SKU, TIMEOUT_S, Books, meanwhile

# -------------------------------------------------------------------------------------------------------- no difference


def test_stores_that_agree_have_no_drift_and_equal_hashes(books: Books) -> None:
    found = books.compare()

    assert found.drifts == []
    assert found.log_hash == found.redis_hash == found.postgres_hash
    assert found.position == books.state.position == found.tables.checkpoint
    assert found.state == books.state
    assert found.tables.archived_events == books.state.position.seq
    statuses = {order.status for order in found.tables.orders.values()}
    assert statuses == {"held", "confirmed", "cancelled", "refunded"}


def test_the_hash_tells_states_apart_and_nothing_else(books: Books) -> None:
    before = books.compare().log_hash
    assert books.compare().log_hash == before

    books.side.run(books.shard, [Confirm(books.held)])
    books.side.drain(*books.side.projectors)
    assert books.compare().log_hash != before


def test_a_sale_that_was_only_warmed_is_compared_too(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.drain(read_side.projector())

    found = compare(read_side.client, read_side.log, read_side.postgres, shard, timeout_s=TIMEOUT_S)
    assert (found.drifts, found.position) == ([], Position(1, 3))


def test_a_sale_that_goes_on_is_compared_at_one_position(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=1_000_000)
    positions = []
    with selling(read_side, shard), projecting(read_side):
        for _ in range(10):
            found = compare(read_side.client, read_side.log, read_side.postgres, shard, timeout_s=TIMEOUT_S)
            assert found.drifts == []
            assert found.log_hash == found.redis_hash == found.postgres_hash
            assert found.position <= found.tables.checkpoint
            positions.append(found.position)

    assert sorted(positions) == positions
    assert positions[0] < positions[-1], "the sale did go on"


def test_a_difference_is_seen_in_a_sale_that_goes_on(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=1_000_000)
    (order,) = read_side.sell(shard, 1)
    read_side.drain(read_side.projector())
    read_side.postgres.execute("UPDATE orders SET buyer = 'somebody'")
    with selling(read_side, shard), projecting(read_side):
        for _ in range(5):
            found = compare(read_side.client, read_side.log, read_side.postgres, shard, timeout_s=TIMEOUT_S)
            ((kind, key, in_log, in_redis, in_postgres),) = map(msgspec.structs.astuple, found.drifts)
            assert (kind, key, in_log) == ("order", order, in_redis)
            assert "somebody" in in_postgres
            assert found.log_hash == found.redis_hash != found.postgres_hash


@contextmanager
def selling(side: ReadSide, shard: ShardId) -> Iterator[None]:
    """Another client that reserves and pays as fast as it can meanwhile."""
    with Client(side.redis_url, by="crowd") as client:
        numbers = itertools.count()

        def buy() -> None:
            order = f"0-crowd-{next(numbers):08d}"
            client.execute(shard.sale, [Reserve(order, f"buyer-{order}", SKU)])
            client.execute(shard.sale, [Confirm(order)])

        with meanwhile(buy):
            yield


@contextmanager
def projecting(side: ReadSide) -> Iterator[None]:
    """A projector that runs meanwhile."""
    with meanwhile(side.projectors[0].step if side.projectors else side.projector().step):
        yield


# ------------------------------------------------------------------------------------------------------- not caught up


def test_without_a_projector_the_comparison_gives_up(books: Books) -> None:
    books.side.sell(books.shard, 1)
    head = Position(1, books.state.position.seq + 1)

    with pytest.raises(NotCaughtUp, match=f"Postgres stands at {books.state.position}, the log at {head}"):
        books.compare(timeout_s=0.1)


def test_it_waits_for_the_projector(books: Books) -> None:
    books.side.sell(books.shard, 3)
    projector = books.side.projectors[0]
    waited = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        projector.step()

    side = books.side
    found = compare(side.client, side.log, side.postgres, books.shard, timeout_s=TIMEOUT_S, wait=wait)
    assert (found.drifts, found.position.seq) == ([], books.state.position.seq + 3)
    assert waited


def test_a_halted_projector_is_not_waited_for(books: Books) -> None:
    books.side.sell(books.shard, 1)
    books.side.postgres.execute("UPDATE checkpoint SET halted = 'FORK: two histories'")

    with pytest.raises(Halted, match="FORK: two histories"):
        books.compare()


def test_a_sale_that_postgres_does_not_know_is_not_caught_up(books: Books) -> None:
    with pytest.raises(NotCaughtUp, match="Postgres stands at nothing"):
        wait_for_checkpoint(books.side.postgres, ShardId("sale-9", 0), Position(1, 1), timeout_s=0)


# ------------------------------------------------------------------------------------------------- the log, in pieces


@pytest.mark.parametrize("kept", [0, 1, 10])
def test_a_log_that_was_trimmed_is_folded_from_the_archive_and_the_stream(books: Books, kept: int) -> None:
    head = books.state.position
    books.side.redis.xtrim(books.keys.events, minid=str(Position(1, head.seq - kept + 1)), approximate=False)
    assert len(books.side.entries(books.shard)) == kept

    assert books.compare().drifts == []
    books.side.sell(books.shard, 2)
    books.side.drain(*books.side.projectors)
    assert books.compare().drifts == []


def test_where_both_have_an_event_the_stream_tells_it(books: Books) -> None:
    head = books.state.position
    books.side.redis.xtrim(books.keys.events, minid=str(Position(1, head.seq - 5)), approximate=False)
    books.side.postgres.execute("UPDATE event_log SET body = 'rubbish' WHERE seq = %s", [head.seq - 2])

    assert books.compare().drifts == []


def test_a_log_that_neither_stream_nor_archive_has_whole_is_not_guessed_at(books: Books) -> None:
    books.side.redis.xtrim(books.keys.events, minid="1-10", approximate=False)
    books.side.postgres.execute("DELETE FROM event_log WHERE seq = 4")

    with pytest.raises(Halted, match="1-5: it does not follow 1-3"):
        books.compare()


def test_an_archive_that_ends_before_the_stream_begins_is_a_hole(books: Books) -> None:
    books.side.redis.xtrim(books.keys.events, minid="1-10", approximate=False)
    books.side.postgres.execute("DELETE FROM event_log WHERE seq BETWEEN 8 AND 9")

    with pytest.raises(Halted, match="1-10: it does not follow 1-7"):
        books.compare()


def test_a_log_that_ends_early_is_not_whole(books: Books) -> None:
    beyond = Position(1, books.state.position.seq + 1)

    with pytest.raises(Halted, match=f"the log ends at {books.state.position}, before {beyond}"):
        fold_log(books.side.log, books.side.postgres, books.shard, beyond)


def test_counters_ahead_of_the_log_are_a_lost_tail(books: Books) -> None:
    books.side.redis.hincrby(books.keys.sale, "seq", 1)

    with pytest.raises(Halted, match=f"its log ends at {books.state.position}"):
        books.compare()


def test_an_entry_that_is_no_event_stops_the_fold(books: Books) -> None:
    books.side.append(books.shard, "not JSON")
    books.side.redis.hincrby(books.keys.sale, "seq", 1)
    books.side.drain(*books.side.projectors)  # parks it, and goes on

    with pytest.raises(Halted, match=f"at 1-{books.state.position.seq + 1}"):
        books.compare()
