"""A sale with a waiting room, and what may happen in it; time passes by hand."""

from __future__ import annotations

import hashlib
from typing import Any

from flashsale.events import Room
from tests.lua.kit import Shard
from tests.lua.scenes import GOOD, SEED

COMMITMENT = str(GOOD["room"][-2])
#: As `set_room` sends them: what a test leaves alone.
SETTINGS: dict[str, str | int] = {
    "mode": "open",
    "rate_per_s": 5,
    "active_max": 100,
    "pass_ttl_ms": 60_000,
    "leave_after_ms": 60_000,
    "shuffle": 0,
    "seed": SEED,
    "commitment": COMMITMENT,
    "message": "",
}


def set_room(shard: Shard, **changed: str | int) -> str:
    """Give the sale a room; the answer."""
    return shard.run("room", *(SETTINGS | changed).values()).answer


def open_room(shard: Shard, **changed: str | int) -> None:
    """A sale that sells, with a room in which nobody waits yet."""
    shard.sell(("A", 100))
    assert set_room(shard, **changed).startswith("ROOM_SET")


def join(shard: Shard, *buyers: str) -> list[str]:
    """The answers without their positions."""
    return words(shard.run("join", *buyers).answers)


def words(answers: list[str]) -> list[str]:
    """Answers without their positions."""
    return [" ".join(part for i, part in enumerate(answer.split(" ")) if i != 1) for answer in answers]


def admit(shard: Shard, share: int = 1000) -> str:
    """What the doorman is told."""
    return words(shard.run("admit", share).answers)[0]


def crowd(shard: Shard, count: int, first: int = 0) -> list[str]:
    """So many buyers, all in line."""
    buyers = [f"b{n}" for n in range(first, first + count)]
    join(shard, *buyers)
    return buyers


def admitted(shard: Shard, *buyers: str) -> list[str]:
    """Which of them have a pass after they have asked."""
    answers = join(shard, *buyers)
    return [buyer for buyer, answer in zip(buyers, answers, strict=True) if answer.startswith("ADMITTED")]


def room(shard: Shard) -> Room:
    """The room as the head of the sale has it."""
    found = shard.snapshot().state.room
    assert found is not None
    return found


def name_in_line(buyer: str) -> bytes:
    """What a buyer is called in the line."""
    return hashlib.sha1(buyer.encode(), usedforsecurity=False).digest()[:12]


def number(shard: Shard, field: str) -> int:
    """One of the room's counters."""
    text: Any = shard.redis.hget(shard.room_keys.room, field)
    return int(text)


def let_pass(shard: Shard, ms: int) -> None:
    """Have so much time gone by for the room: for signs of life, for the rate, for who was called."""
    shard.redis.hincrby(shard.room_keys.room, "start_s", -ms // 1000)
    for field in ("served_ms", "called_ms"):
        if shard.redis.hexists(shard.room_keys.room, field):
            shard.redis.hincrby(shard.room_keys.room, field, -ms)


def let_all_be_silent(shard: Shard, ms: int) -> None:
    """Have so much time gone by in which nobody at all was heard: a gateway, a network or a clock was not there."""
    let_pass(shard, ms)
    shard.redis.hincrby(shard.room_keys.room, "heard_s", -ms // 1000)
