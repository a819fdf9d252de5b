"""Trace ids: kept with the events of the requests that have one, and of no other effect."""

import json
from typing import Any

import pytest

from flashsale.events import trace_of
from tests.lua import malformed
from tests.lua.kit import Argument, Shard
from tests.lua.scenes import BATCHES, GOOD, HELD, PAID, prepare

TRACE, OTHER, NONE = "4bf92f3577b34da6a3ce929d0e0e4736", "0" * 31 + "1", "0" * 32

each_script = pytest.mark.parametrize("name", BATCHES)


def bodies(shard: Shard) -> list[bytes]:
    """The bytes of every event."""
    entries: Any = shard.redis.xrange(shard.keys.events)
    return [fields[b"e"] for _, fields in entries]


@each_script
def test_an_event_ends_with_the_trace_id_of_its_request(shard: Shard, name: str) -> None:
    prepare(shard, name)
    head = shard.head()

    shard.run(name, *GOOD[name], TRACE)

    body = bodies(shard)[-1]
    assert shard.head() != head
    assert trace_of(body) == TRACE
    assert json.loads(body)[-1] == {"trace": TRACE}


@each_script
def test_without_one_nothing_is_added(shard: Shard, name: str) -> None:
    prepare(shard, name)

    shard.run(name, *GOOD[name], NONE)

    body = bodies(shard)[-1]
    assert trace_of(body) == ""
    assert type(json.loads(body)[-1]) is not dict


@each_script
def test_a_malformed_one_is_refused(shard: Shard, name: str) -> None:
    prepare(shard, name)
    bad = [*malformed.IDS.values(), TRACE.upper(), TRACE[:-1], TRACE + "0", TRACE * 2, TRACE[:-1] + '"']
    for traces in bad:
        assert shard.error(name, *GOOD[name], traces).startswith("INVALID_ARGUMENT trace ids"), traces


@each_script
def test_what_gets_no_event_leaves_no_trace(shard: Shard, name: str) -> None:
    """Refused, or told the same answer again."""
    prepare(shard, name)
    shard.run(name, *GOOD[name])
    before = shard.dump()

    shard.run(name, *GOOD[name], TRACE)

    assert shard.dump() == before


# Five times four is four times five: how many requests there are must not be guessed from the number of arguments.
@pytest.mark.parametrize("count", [1, 2, 4, 5, 16, 20, 200])
def test_each_request_of_a_batch_keeps_its_own(shard: Shard, count: int) -> None:
    shard.sell(("A", 3 * count))
    requests: list[Argument] = [
        value for i in range(count) for value in (f"0-order-{i}", f"buyer-{i}", "A", 1 if i % 3 else 999_999)
    ]
    ids = [f"{i:032x}" for i in range(count)]

    shard.run("reserve", *requests, "".join(ids))

    kept = [trace_of(body) for body in bodies(shard)[3:]]
    assert kept == [trace for i, trace in enumerate(ids) if i % 3], "those that were too large are left out"


def test_each_resolution_of_a_batch_keeps_its_own(shard: Shard) -> None:
    prepare(shard, "confirm")
    requests = ("0-nobody", "-", HELD, "-", PAID, "-")

    answers = shard.run("confirm", *requests, OTHER + TRACE + OTHER).words

    assert answers == ["NOT_FOUND", "CONFIRMED", "CONFIRMED"]
    assert trace_of(bodies(shard)[-1]) == TRACE
