"""found: staged keys take the place of a shard's own, if nothing was written meanwhile."""

from __future__ import annotations

import pytest
import redis

from flashsale.commands.founding import staging
from flashsale.events import ShardState, encode, evolve
from flashsale.events.types import EpochStarted
from flashsale.ids import Position
from flashsale.keys import staged_keys
from flashsale.scripts import script
from tests.lua.kit import Dump, Shard


def stage(shard: Shard) -> ShardState:
    """Stage the shard's own state, one epoch later."""
    state = shard.check()
    head = state.position
    event = EpochStarted(1, shard.now_ms(), "test", head.epoch, head.seq)
    place = Position(head.epoch + 1, 1)
    state = evolve(state, place, event)
    shard.is_damaged = True  # a log that begins in a later epoch is no fold of its own
    for commands in staging("sale", 0, state, [(place, event)]):
        for command in commands:
            shard.redis.execute_command(*command)
    return state


def found(shard: Shard, counted: str, head: str, keys: tuple[str, ...] = ()) -> str:
    keys = keys or (*shard.keys, *staged_keys("sale", 0))
    reply = shard.redis.eval(script("found").source, len(keys), *keys, counted, head)
    assert isinstance(reply, list)
    return str(reply[2].decode())


@pytest.fixture
def selling(shard: Shard) -> Shard:
    """A sale with an order in every state, and a restock."""
    shard.sell(("A", 9, 3), ("B", 1))
    shard.reserve("0-held", "ann", "A", 2)
    shard.pay("0-paid", "bob")
    shard.pay("0-kept", "cid")
    shard.refund("0-kept", "keep")
    shard.pay("0-back", "dan")
    shard.refund("0-back")
    shard.reserve("0-gone", "eve")
    shard.resolve("cancel", "0-gone")
    shard.run("restock", "r-1", "add", "A", 3)
    return shard


def test_the_staged_state_is_the_shards_own_now(selling: Shard) -> None:
    records = selling.dump()
    head = selling.head()
    state = stage(selling)

    assert found(selling, head, head) == "FOUNDED 2-1"

    snapshot = selling.snapshot()
    assert (snapshot.state, snapshot.log_position) == (state, Position(2, 1))
    after = selling.dump()
    for key in (selling.keys.stock, selling.keys.orders, selling.keys.buyers, selling.keys.holds):
        assert after[key.encode()] == records[key.encode()], "byte for byte what the scripts had written"
    assert set(after) == set(records), "nothing staged is left"


def test_repeats_get_the_answers_of_before(selling: Shard) -> None:
    answers = [
        selling.reserve("0-held", "ann", "A", 2),
        selling.refund("0-kept", "keep"),
        selling.run("restock", "r-1", "add", "A", 3).answer,
    ]
    head = selling.head()
    stage(selling)
    found(selling, head, head)

    assert answers == [
        selling.reserve("0-held", "ann", "A", 2),
        selling.refund("0-kept", "keep"),
        selling.run("restock", "r-1", "add", "A", 3).answer,
    ]


def test_it_ends_a_halt(selling: Shard) -> None:
    head = selling.head()
    selling.run("pause", fence="2-1")
    stage(selling)

    assert found(selling, head, head) == "FOUNDED 2-1"
    assert selling.run("pause", fence="2-1").words == ["PAUSED"]


@pytest.mark.parametrize(("counted", "head"), [("1-1", ""), ("", "1-1"), ("0-0", ""), ("", "0-0")])
def test_what_was_written_to_meanwhile_is_left_alone(selling: Shard, counted: str, head: str) -> None:
    at = selling.head()
    stage(selling)
    before = selling.dump()

    assert found(selling, counted or at, head or at) == f"MOVED {at}"
    assert selling.dump() == before


def test_nothing_is_needed_of_what_was_lost(selling: Shard) -> None:
    stage(selling)
    selling.damage("DEL", *selling.keys)

    assert found(selling, "0-0", "0-0") == "FOUNDED 2-1"


def test_a_key_of_another_type_is_replaced(selling: Shard) -> None:
    stage(selling)
    for key in selling.keys:
        selling.damage("SET", key, "no hash")

    assert found(selling, "0-0", "0-0") == "FOUNDED 2-1"


@pytest.mark.parametrize("field", ["epoch", "seq"])
def test_a_count_that_cannot_be_read_counts_as_none(selling: Shard, field: str) -> None:
    head = selling.head()
    stage(selling)
    selling.damage("HSET", selling.keys.sale, field, "x")

    assert found(selling, "0-0", head) == "FOUNDED 2-1"


@pytest.mark.parametrize("missing", ["sale", "stock", "events"])
def test_without_what_every_sale_has_staged_nothing_is_done(selling: Shard, missing: str) -> None:
    head = selling.head()
    stage(selling)
    selling.redis.delete(getattr(staged_keys("sale", 0), missing))
    before: Dump = selling.dump()

    with pytest.raises(redis.ResponseError, match="KEY_CORRUPT nothing is staged"):
        found(selling, head, head)
    assert selling.dump() == before


@pytest.mark.parametrize("argv", [(), ("1-1",), ("1-1", "1-1", "1-1"), ("1-1", "x"), ("", "1-1")])
def test_malformed_arguments_are_refused(selling: Shard, argv: tuple[str, ...]) -> None:
    keys = (*selling.keys, *staged_keys("sale", 0))
    assert selling.error_raw("found", *argv, keys=keys).startswith("INVALID_ARGUMENT")
    assert selling.error_raw("found", "1-1", "1-1", keys=selling.keys).startswith("INVALID_ARGUMENT KEYS")


def test_many_orders_are_staged_in_bites(shard: Shard) -> None:
    shard.sell(("A", 5_000))
    for i in range(3):
        batch = [value for n in range(500) for value in (f"0-order-{i}-{n}", f"buyer-{n}", "A", 1)]
        shard.run("reserve", *batch)
    head = shard.head()
    bites = list(
        staging(
            "sale",
            0,
            shard.check(),
            [(Position(2, n), EpochStarted(1, 1, "x", 1, n)) for n in range(1, 1_200)],
        )
    )
    assert max(len(command) for commands in bites for command in commands) <= 2_000
    assert max(len(commands) for commands in bites) <= 500
    state = stage(shard)

    assert found(shard, head, head) == "FOUNDED 2-1"
    assert shard.snapshot().state == state
    assert encode(shard.newest()) == encode(
        EpochStarted(1, shard.newest().at_ms, "test", 1, len(state.orders) + 3)
    )


def test_keys_of_two_sales_or_in_another_order_are_refused(selling: Shard) -> None:
    head = selling.head()
    stage(selling)
    before = selling.dump()
    own, staged, other = selling.keys, staged_keys("sale", 0), staged_keys("other", 0)

    for keys in (
        (*own, *own),
        (*staged, *own),
        (*own, *other),
        (*own, *staged[::-1]),
        (*own, *staged[:5], other[5]),
    ):
        with pytest.raises(redis.ResponseError, match="INVALID_ARGUMENT KEYS"):
            found(selling, head, head, keys)

    assert selling.dump() == before
