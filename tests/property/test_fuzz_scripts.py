"""Whatever bytes come as KEYS and ARGV, or stand in a record: a documented answer, and a log that adds up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import assume, event, given
from hypothesis import strategies as st

from flashsale.commands.answer import Code
from flashsale.events import decode, encode
from flashsale.keys import script_keys, shard_keys, staged_keys
from flashsale.scripts import script, script_names
from tests.fixtures.fuzz import examples, raw
from tests.lua.kit import Argument, Shard
from tests.lua.scenes import GOOD, HELD, PAID, WRITERS, prepare

#: How an error of a script begins; anything else is a script that fell over.
DOCUMENTED = re.compile(r"(INVALID_ARGUMENT|KEY_CORRUPT|WRONGTYPE) ")

#: Of each script the good arguments after fence and actor, or the whole of ARGV.
WHOLE: dict[str, tuple[Argument, ...]] = {
    **{name: ("0-0", "test", *arguments) for name, arguments in GOOD.items()},
    "archive": ("0-0", "test", "1-9"),
    "found": ("1-9", "1-9"),
    "join": ("0-0", "test", "cid", "eve"),
    "leave": ("0-0", "test", "cid", "eve"),
    "mend": ("0-0", "test", "1-9", "0", "units", "ann A", "-", "=7", "=8"),
    "roomstate": (),
    "snapshot": ("all",),
    "stand": ("0-0", "test", "cid", "eve"),
    "trim": ("0-0", "test", "1-3", "3", "a" * 40),
}

#: (what is done, at which place, with which bytes) to a list of good arguments
changes = st.lists(
    st.tuples(st.sampled_from(["replace", "replace", "insert", "drop", "twice"]), st.integers(0, 40), raw),
    max_size=4,
)


@pytest.fixture
def shard(redis_url: str, clean_redis: object) -> Iterator[Shard]:
    """A shard of a server that each example empties."""
    with Shard(redis_url) as shard:
        yield shard


def changed(good: tuple[Argument, ...], how: list[tuple[str, int, bytes]]) -> list[Argument]:
    """Good arguments, spoilt."""
    spoilt = list(good)
    for what, number, value in how:
        place = number % (len(spoilt) + 1)
        if what == "insert":
            spoilt.insert(place, value)
        elif what == "twice":
            spoilt += spoilt[2:]
        elif place < len(spoilt):
            spoilt[place : place + 1] = [value] if what == "replace" else []
    return spoilt


def keys_of(name: str, sale: str = "sale") -> tuple[str, ...]:
    """The keys of a sale that a script takes: `found` also takes those that are staged."""
    if name == "found":
        return (*shard_keys(sale, 0), *staged_keys(sale, 0))
    return script_keys(sale, 0, script(name).keys)


def scene_of(name: str) -> str:
    """The script in whose sale this one has something to do."""
    if name in ("join", "leave", "stand", "roomstate"):
        return "admit"
    return name if name in GOOD else "pause"


def answers(shard: Shard, name: str, argv: list[Argument], keys: tuple[Any, ...] | None = None) -> list[str]:
    """Run a script; returns what it said: the first words of its answers, or of its error."""
    try:
        reply = shard.run_raw(name, *argv, keys=keys)
    except redis.ResponseError as error:
        said = f"{error.status_code or ''} {error}".strip()
        assert DOCUMENTED.match(said), said
        return [said.partition(" ")[0]]
    if name in ("expire", "roomstate", "snapshot"):  # what they found, which may be nothing
        return ["FOUND"]
    assert {*reply.words} <= {str(code) for code in Code}
    return reply.words


@examples(60)
@given(name=st.sampled_from(script_names()), how=changes)
def test_any_arguments(shard: Shard, name: str, how: list[tuple[str, int, bytes]]) -> None:
    shard.redis.flushdb()
    shard.is_shortened = False
    prepare(shard, scene_of(name))

    said = answers(shard, name, changed(WHOLE[name], how), keys_of(name))

    event(f"{name}: {said[0]}")
    shard.check()


@examples(40)
@given(name=st.sampled_from(script_names()), how=changes, other=st.integers(0, 12))
def test_any_keys(shard: Shard, name: str, how: list[tuple[str, int, bytes]], other: int) -> None:
    """Keys of another sale among them, in another order, fewer, more, or any bytes: all or nothing."""
    shard.redis.flushdb()
    prepare(shard, scene_of(name))
    ours, theirs = keys_of(name), keys_of(name, "other")
    keys = tuple(changed((*ours[:other], *theirs[other:]), how))
    assume(keys not in (ours, theirs))
    before = shard.dump()

    assert answers(shard, name, list(WHOLE[name]), keys) == ["INVALID_ARGUMENT"]

    assert shard.dump() == before


#: near misses: what a script wrote, with one thing that is not right any more
numbers = st.sampled_from(
    ["0", "1", "5", "-1", "1.5", "nan", "1e3", "0x10", "", "9" * 14, "9" * 16, "9" * 400]
)
records = st.one_of(
    raw,
    st.lists(numbers, min_size=1, max_size=6).map(lambda words: " ".join(words).encode()),
    numbers.map(lambda number: f"held A 1 ann {number} 1-3".encode()),
    numbers.map(lambda number: f"held A {number} ann 5 1-3".encode()),
    numbers.map(lambda number: f"expired A 1 ann 5 {number}-3 1-4".encode()),
    numbers.map(str.encode),
)
PLACES = (
    *(("sale", field) for field in ("state", "opens_ms", "closes_ms", "hold_ms", "epoch", "seq", "lost")),
    *(("stock", "A"), ("orders", HELD), ("orders", PAID), ("buyers", "ann A"), ("buyers", "eve A")),
)


@examples(60)
@given(name=st.sampled_from(WRITERS), place=st.sampled_from(PLACES), record=records)
def test_any_record(shard: Shard, name: str, place: tuple[str, str], record: bytes) -> None:
    """What is written on top of a damaged record, if anything, can be read and counts on."""
    shard.redis.flushdb()
    prepare(shard, name)
    key, field = place
    shard.damage("HSET", getattr(shard.keys, key), field, record)
    before: Any = shard.redis.xlen(shard.keys.events)

    said = answers(shard, name, list(WHOLE[name]))

    entries: Any = shard.redis.xrange(shard.keys.events)
    for _, fields in entries[before:]:
        assert encode(decode(fields[b"e"])) == fields[b"e"], "a script writes as the codec does"
    event(f"{key}: {said[0]}")
