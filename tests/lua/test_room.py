"""room: a sale gets a waiting room, and other settings for it."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from flashsale.events import Room
from flashsale.events.types import SaleRoomSet
from tests.lua import malformed
from tests.lua.kit import Argument, Shard
from tests.lua.room_kit import COMMITMENT, SETTINGS, admit, crowd, open_room, room, set_room
from tests.lua.scenes import SEED

OTHER_SEED = "0" * 64
OTHER = {"seed": OTHER_SEED, "commitment": hashlib.sha256(OTHER_SEED.encode()).hexdigest()}


def error(shard: Shard, **changed: Argument) -> str:
    """The error with which settings are refused."""
    return shard.error("room", *(SETTINGS | changed).values())


def test_it_sets_all_settings_and_says_so_in_the_log(shard: Shard) -> None:
    shard.load(("A", 5))
    told: dict[str, str | int] = {
        "rate_per_s": 7,
        "active_max": 8,
        "pass_ttl_ms": 9,
        "leave_after_ms": 10,
        "message": "Hello, all",
    }

    assert set_room(shard, mode="queue-all", shuffle=1, **told) == "ROOM_SET 1-3"

    assert shard.newest() == SaleRoomSet(
        1,
        shard.newest().at_ms,
        "test",
        "queue-all",
        7,
        8,
        9,
        10,
        shuffle=True,
        commitment=COMMITMENT,
        message="Hello, all",
    )
    assert room(shard) == Room(
        "queue-all", 7, 8, 9, 10, shuffle=True, commitment=COMMITMENT, message="Hello, all"
    )
    assert SEED not in str(shard.dump()[shard.keys.events.encode()]), "the seed is no part of the log yet"


@pytest.mark.parametrize("state", ["warm", "open", "paused"])
def test_a_sale_that_is_not_closed_may_get_one(shard: Shard, state: str) -> None:
    shard.load(("A", 5))
    for command in {"warm": [], "open": ["open 0"], "paused": ["open 0", "pause"]}[state]:
        shard.run(*command.split(" "))

    assert set_room(shard).startswith("ROOM_SET")
    assert shard.snapshot().state.status == state


def test_a_closed_sale_gets_none(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("close")

    assert set_room(shard) == "WRONG_STATE 1-4 closed"


def test_a_sale_that_its_clock_closed_gets_none(shard: Shard) -> None:
    shard.load(("A", 5), opens=1, closes=2)

    assert set_room(shard) == "WRONG_STATE 1-2 closed"


def test_other_settings_leave_the_seed(shard: Shard) -> None:
    open_room(shard)

    assert set_room(shard, rate_per_s=9, **OTHER).startswith("ROOM_SET")

    assert (room(shard).rate_per_s, room(shard).commitment) == (9, COMMITMENT)
    assert shard.redis.hget(shard.room_keys.room, "seed") == SEED.encode()


def test_a_seed_that_redis_lost_is_replaced_and_the_log_has_the_new_commitment(shard: Shard) -> None:
    open_room(shard)
    shard.redis.delete(shard.room_keys.room)

    set_room(shard, **OTHER)

    assert room(shard).commitment == OTHER["commitment"]


def test_a_seed_that_was_not_committed_to_is_replaced(shard: Shard) -> None:
    """As after a recovery: the log knows another commitment than the room."""
    open_room(shard)
    shard.redis.hset(shard.room_keys.room, "commitment", "f" * 64)

    set_room(shard, **OTHER)

    assert room(shard).commitment == OTHER["commitment"]
    assert shard.redis.hget(shard.room_keys.room, "seed") == OTHER_SEED.encode()


def test_after_the_draw_nothing_changes_what_was_committed_to(shard: Shard) -> None:
    open_room(shard, shuffle=1)
    crowd(shard, 3)
    admit(shard)
    shard.redis.delete(shard.room_keys.room)

    set_room(shard, **OTHER)

    assert (room(shard).commitment, room(shard).drawn, room(shard).seed) == (COMMITMENT, 3, SEED)


# ------------------------------------------------------------------------------------------- what is named, and no more


def change(shard: Shard, only: Argument, **changed: str | int) -> str:
    """Change what is named; the answer."""
    return shard.run("room", *(SETTINGS | changed).values(), only).answer


def test_only_what_is_named_is_changed(shard: Shard) -> None:
    kept = 'Größe "M" \\ only'
    open_room(shard, mode="queue-all", rate_per_s=7, leave_after_ms=61_001, shuffle=1, message=kept)
    before = room(shard)

    for only, changed in (
        ("rate_per_s", {"rate_per_s": 9}),
        ("active_max pass_ttl_ms", {"active_max": 8, "pass_ttl_ms": 70_000}),
        ("shuffle leave_after_ms", {"shuffle": 0, "leave_after_ms": 62_002}),
        ("message mode", {"message": "", "mode": "pass-through"}),
        ("", {}),
    ):
        assert change(shard, only, **changed).startswith("ROOM_SET")
        assert room(shard) == (before := msgspec.structs.replace(before, **changed))
    shard.check()


def test_a_new_room_takes_all_settings_whatever_is_named(shard: Shard) -> None:
    shard.sell(("A", 5))

    assert change(shard, "mode", mode="queue-all", rate_per_s=6).startswith("ROOM_SET")

    assert (room(shard).mode, room(shard).rate_per_s, room(shard).active_max) == ("queue-all", 6, 100)


def test_the_seed_stays_when_one_setting_is_changed(shard: Shard) -> None:
    open_room(shard)

    change(shard, "rate_per_s", rate_per_s=9, **OTHER)

    assert room(shard).commitment == COMMITMENT


@pytest.mark.parametrize(
    "only", ["seed", "commitment", "rate", "rate_per_s,mode", "mode\n", "mode\0", b"\xff"]
)
def test_a_name_that_is_no_setting_is_refused(shard: Shard, only: Argument) -> None:
    open_room(shard)

    assert shard.error("room", *SETTINGS.values(), only).startswith("INVALID_ARGUMENT only")


@pytest.mark.parametrize("door", ["shut 5 100 60000 60000 0", "open 5 100 60000 99999999999999 0"])
def test_settings_that_are_damaged_are_not_written_again(shard: Shard, door: str) -> None:
    open_room(shard)
    shard.damage("HSET", shard.keys.sale, "door", f"{door} {COMMITMENT} ")

    assert shard.error("room", *SETTINGS.values(), "rate_per_s").startswith("KEY_CORRUPT sale door")


# ------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "message",
    [
        "",
        'Say "hello"',
        "back\\slash",
        "a/b",
        "Größe: 42 €",
        "日本語",
        "🦙 ¡olé!",
        "é" * 250,
        "\u00a0x\u2028",
    ],
)
def test_a_message_comes_through_as_it_was_written(shard: Shard, message: str) -> None:
    open_room(shard, message=message)

    assert room(shard).message == message


@pytest.mark.parametrize(
    "message",
    [
        "x" * 501,
        "line\nend",
        "NUL\0",
        "\x7f",
        "\x1b[2J",
        b"\xff",
        b"\xc3",
        b"\xc3(",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc3\xc3\xa9\xa9",
    ],
)
def test_what_is_no_line_of_utf_8_is_refused(shard: Shard, message: str | bytes) -> None:
    open_room(shard)

    assert error(shard, message=message).startswith("INVALID_ARGUMENT message")


@pytest.mark.parametrize("name", ["rate_per_s", "active_max", "pass_ttl_ms", "leave_after_ms"])
def test_a_malformed_number_is_refused(shard: Shard, name: str) -> None:
    open_room(shard)
    for what, text in (malformed.COUNTS | {"zero": "0", "nine digits": "1" * 9}).items():
        assert error(shard, **{name: text}).startswith(f"INVALID_ARGUMENT {name}"), what


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mode", ("", "OPEN", "closed", "open ", "open\n")),
        ("shuffle", ("", "2", "true", "-1", "01")),
        ("seed", ("", "a" * 63, "a" * 65, "g" * 64, "A" * 64, " " * 64)),
        ("commitment", ("", "a" * 63, "a" * 65, "g" * 64, "A" * 64)),
    ],
)
def test_another_malformed_setting_is_refused(shard: Shard, name: str, values: tuple[str, ...]) -> None:
    open_room(shard)
    for value in values:
        assert error(shard, **{name: value}).startswith(f"INVALID_ARGUMENT {name}"), value
