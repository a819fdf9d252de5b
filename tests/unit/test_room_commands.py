"""Requests about a waiting room: what they are made of, and what is refused before it is sent."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from flashsale.commands import (
    Admit,
    Answer,
    BatchRequest,
    Code,
    Join,
    Leave,
    RoomSettings,
    SetRoom,
    Stand,
    Standing,
    called,
    order_call,
    parse_answer,
    pass_expires_ms,
    plan,
    room_records,
    room_state_call,
    sale_call,
    settings_of,
    standing,
)
from flashsale.commands.room import Called, commitment
from flashsale.commands.room_state import parse_room
from flashsale.errors import BadInput
from flashsale.events import Room
from flashsale.ids import START
from flashsale.keys import room_keys, shard_keys
from flashsale.scripts import script
from tests.lua import malformed

SETTINGS = RoomSettings(rate_per_s=50, active_max=200)
SEED = "5eed" * 16
ROOM = Room(
    "open", 50, 200, 120_000, 120_000, shuffle=True, commitment=commitment(SEED), message="Hello, all"
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("mode", mode) for mode in ("", "OPEN", "closed", None)),
        *(("rate_per_s", rate) for rate in (0, -1, 100_001, 1.0, True, "5", None)),
        *(("active_max", active) for active in (0, -1, 1_000_001, 2.5, False)),
        *(("pass_ttl_ms", ttl) for ttl in (9_999, 86_400_001, 1e5)),
        *(("leave_after_ms", after) for after in (9_999, 3_600_001)),
        *(("shuffle", shuffle) for shuffle in (0, 1, None, "yes")),
        *(
            ("message", text)
            for text in ("a\nb", "\0", " a", "a ", "é" * 251, "\u2028", "\ud800", b"a", None)
        ),
    ],
)
def test_a_bad_setting_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(BadInput) as caught:
        msgspec.structs.replace(SETTINGS, **{field: value})
    assert caught.value.field == field


def test_a_pass_is_demanded_unless_everybody_passes_through() -> None:
    modes = ("open", "queue-all", "pass-through")
    assert [msgspec.structs.replace(SETTINGS, mode=mode).demands_pass for mode in modes] == [
        True,
        True,
        False,
    ]


def test_settings_are_sent_with_a_seed_and_its_commitment() -> None:
    request = SetRoom(SETTINGS, SEED)

    call = sale_call("sale", 0, START, "desk", request)

    assert call.keys == (*shard_keys("sale", 0), room_keys("sale").room)
    digest = hashlib.sha256(SEED.encode()).hexdigest()
    assert call.arguments == ("0-0", "desk", "open", 50, 200, 120_000, 120_000, 1, SEED, digest, "")


def test_what_is_changed_is_named_behind_the_settings() -> None:
    for only, text in ((frozenset({"rate_per_s", "mode"}), "mode rate_per_s"), (frozenset[str](), "")):
        assert SetRoom(SETTINGS, SEED, only).arguments() == (*SetRoom(SETTINGS, SEED).arguments(), text)
    with pytest.raises(BadInput, match="rate_per_s"):
        SetRoom(SETTINGS, only=frozenset({"rate"}))


def test_each_request_brings_a_seed_of_its_own() -> None:
    seeds = {SetRoom(SETTINGS).seed for _ in range(100)}

    assert len(seeds) == 100
    assert {len(seed) for seed in seeds} == {64}


@pytest.mark.parametrize("kind", [Join, Leave, Stand])
def test_who_waits_is_checked(kind: type[Join]) -> None:
    for what, buyer in malformed.BUYERS.items():
        with pytest.raises(BadInput, match="buyer"):
            pytest.fail(f"{what}: {kind(buyer)} was accepted")


@pytest.mark.parametrize("kind", [Join, Leave, Stand])
def test_who_waits_travels_with_many(kind: type[Join]) -> None:
    call = order_call("sale", 0, START, "gate", [kind("ann"), kind("bob")])

    assert call.script == script(kind.SCRIPT)
    assert call.keys == (shard_keys("sale", 0).sale, *room_keys("sale"))
    assert call.arguments == ("0-0", "gate", "ann", "bob")


def test_a_doorman_travels_alone() -> None:
    requests: list[BatchRequest] = [Join("ann"), Admit(5), Join("bob"), Admit(7), Leave("cid")]

    assert plan(requests) == [[4], [1], [3], [0, 2]]
    assert order_call("sale", 0, START, "gate", [Admit(5)]).arguments == ("0-0", "gate", 5)


@pytest.mark.parametrize("share", [-1, 1_001, 0.5, True, "1", None])
def test_a_share_is_a_whole_number_of_thousandths(share: Any) -> None:
    with pytest.raises(BadInput, match="share_permille"):
        Admit(share)


def test_the_state_is_asked_without_arguments() -> None:
    call = room_state_call("sale")

    assert (call.script.name, call.arguments) == ("roomstate", ())


def test_answers_are_read() -> None:
    assert standing(parse_answer(b"WAITING 1-4 7 12")) == Standing(7, 12)
    assert standing(parse_answer(b"WAITING 1-4 7 -")) == Standing(7, None)
    assert pass_expires_ms(parse_answer(b"ADMITTED 1-4 1795651200123")) == 1_795_651_200_123
    assert called(parse_answer(b"CALLED 1-4 12 5")) == Called(12, 5)
    assert parse_answer(b"HELD 1-4 no-stock") == Answer(Code.HELD, (1, 4), "no-stock")  # type: ignore[arg-type]  # compares alike


@pytest.mark.parametrize(
    "room", [ROOM, msgspec.structs.replace(ROOM, drawn=5, seed=SEED, shuffle=False, message="")]
)
def test_the_records_of_a_room_are_read_back(room: Room) -> None:
    records = room_records(room)

    assert parse_room(records["door"], records.get("drawn", "")) == room
    assert settings_of(room).message == room.message


def test_a_sale_without_a_room_has_no_records_of_one() -> None:
    assert room_records(None) == {}
