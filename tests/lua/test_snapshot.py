"""snapshot: the hot state at one position, read without changing anything."""

import pytest
import redis

from flashsale.commands import Snapshot, parse_snapshot
from flashsale.errors import Halted
from flashsale.ids import START, Position
from flashsale.keys import ShardKeys
from flashsale.scripts import script
from tests.lua.kit import HOUR_MS, Shard


def counters_of(shard: Shard) -> Snapshot:
    """Its small part, as it is."""
    return parse_snapshot(shard.redis.eval(script("snapshot").source, 6, *shard.keys, "counters"))


def sell_some(shard: Shard) -> None:
    """A sale with an order of most kinds."""
    shard.sell(("A", 9, 5), ("B", 9))
    shard.reserve("0-held", "ann", "A", 2)
    shard.pay("0-paid", "ann", "A", 1)
    shard.pay("0-kept", "bob", "B", 3)
    shard.refund("0-kept", "keep")
    shard.run("restock", "r-1", "add", "B", 1)


def test_everything_is_read_at_one_position(shard: Shard) -> None:
    sell_some(shard)

    snapshot = shard.snapshot()

    assert snapshot.is_loaded
    assert snapshot.state == shard.check()
    assert snapshot.state.position == snapshot.log_position == Position(1, 11)
    assert (snapshot.order_count, snapshot.hold_count) == (3, 1)
    assert list(snapshot.holds) == ["0-held"]
    assert abs(snapshot.now_ms - shard.now_ms()) < 10_000


def test_the_small_part_has_the_counters_and_the_numbers_of_the_rest(shard: Shard) -> None:
    sell_some(shard)
    whole = shard.snapshot()

    small = counters_of(shard)

    assert (small.state.stock, small.state.requests) == (whole.state.stock, whole.state.requests)
    assert list(whole.state.requests) == ["r-1"]
    assert (small.state.position, small.log_position) == (whole.state.position, whole.log_position)
    assert (small.order_count, small.hold_count) == (3, 1)
    assert (small.state.orders, small.state.units, small.holds) == ({}, {}, {})


@pytest.mark.parametrize("part", ["counters", "all"])
def test_it_changes_nothing(shard: Shard, part: str) -> None:
    sell_some(shard)
    before = shard.dump()

    assert shard.run_raw("snapshot", part).position == "1-11"
    assert shard.dump() == before


def test_a_sale_that_is_not_there_is_not_loaded(shard: Shard) -> None:
    for snapshot in (shard.snapshot(), counters_of(shard)):
        assert not snapshot.is_loaded
        assert snapshot.state.position == snapshot.log_position == START
    assert shard.dump() == {}


@pytest.mark.parametrize("part", ["", "ALL", "all ", "everything"])
def test_another_part_is_refused(shard: Shard, part: str) -> None:
    assert shard.error_raw("snapshot", part).startswith("INVALID_ARGUMENT part")


def test_a_wrong_number_of_arguments_or_keys_is_refused(shard: Shard) -> None:
    for argv in ((), ("all", "all")):
        assert shard.error_raw("snapshot", *argv).startswith("INVALID_ARGUMENT part")
    assert shard.error_raw("snapshot", "all", keys=shard.keys[:5]).startswith("INVALID_ARGUMENT KEYS")


@pytest.mark.parametrize("lost", [1, 4])
def test_a_log_that_lost_its_end_shows(shard: Shard, lost: int) -> None:
    sell_some(shard)
    entries = shard.dump()[shard.keys.events.encode()][1]
    shard.damage("DEL", shard.keys.events)
    for position, fields in entries[:-lost]:
        shard.damage("XADD", shard.keys.events, position, "e", fields[b"e"])

    snapshot = shard.snapshot()

    assert (snapshot.state.position, snapshot.log_position) == (Position(1, 11), Position(1, 11 - lost))


def test_a_log_that_is_gone_shows(shard: Shard) -> None:
    sell_some(shard)
    shard.damage("DEL", shard.keys.events)

    assert counters_of(shard).log_position == START


@pytest.mark.parametrize("key", [key for key in ShardKeys._fields if key != "events"])
def test_a_key_of_another_type_stops_it(shard: Shard, key: str) -> None:
    sell_some(shard)
    shard.damage("SET", getattr(shard.keys, key), "foreign")

    assert shard.error_raw("snapshot", "all").startswith("WRONGTYPE")


@pytest.mark.parametrize("field", ["state", "opens_ms", "closes_ms", "hold_ms", "epoch", "seq"])
def test_a_sale_that_lacks_a_field_is_corrupt(shard: Shard, field: str) -> None:
    sell_some(shard)
    shard.damage("HDEL", shard.keys.sale, field)

    assert shard.error_raw("snapshot", "all").startswith(f"KEY_CORRUPT sale {field}")


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("stock", "A", "abc"),
        ("stock", "A", "1 2 3 4"),
        ("orders", "0-held", "held A"),
        ("orders", "0-held", "held A x ann 5 1-4"),
        ("orders", "0-held", "held A 1 ann 5 fourteen"),
        ("buyers", "ann A", "nan"),
        ("buyers", "ann", "1"),
        ("stock", "A", b"\xff"),
        ("stock", b"\xff", "1 0 0 0 0"),
    ],
)
def test_a_record_that_cannot_be_read_halts_its_reader(
    shard: Shard, key: str, field: str | bytes, value: str | bytes
) -> None:
    sell_some(shard)
    shard.damage("HSET", getattr(shard.keys, key), field, value)

    with pytest.raises(Halted):
        shard.snapshot()


def test_a_replica_may_run_it(shard: Shard) -> None:
    """It is marked as reading only, so that a server that takes no writes still answers."""
    shard.sell(("A", 5))
    reply = shard.redis.eval_ro(script("snapshot").source, 6, *shard.keys, "all")

    assert reply[0] == b"1-3"
    with pytest.raises(redis.ResponseError):
        shard.redis.eval_ro(script("pause").source, 6, *shard.keys, "0-0", "test")


def test_a_hold_for_long_is_read_exactly(shard: Shard) -> None:
    shard.sell(("A", 5), hold=9_000_000_000_000)
    until_ms = int(shard.reserve("0-first").split(" ")[2])

    assert until_ms > 9_000_000_000_000 + shard.now_ms() - HOUR_MS
    assert shard.snapshot().holds == {"0-first": until_ms}
