"""What somebody types about a waiting room, as the request that it becomes: what is not named stays as it is."""

from __future__ import annotations

from typing import Any

import msgspec

from flashsale import values, words
from flashsale.commands import RoomSettings, SetRoom, settings_of
from flashsale.commands.room import (
    ACTIVE_MAX,
    LEAVE_AFTER_MS_MAX,
    LEAVE_AFTER_MS_MIN,
    PASS_TTL_MS_MAX,
    PASS_TTL_MS_MIN,
    RATE_PER_S_MAX,
)
from flashsale.errors import BadInput, NotFound
from flashsale.events import Room
from flashsale.times import parse_duration

#: Mode → what it means.
MODES: dict[str, str] = {
    "open": "open: people are called",
    "queue-all": "queue-all: nobody is called",
    "pass-through": "pass-through: as if there were none",
}


def typed(
    *,
    rate: str | None = None,
    active: str | None = None,
    mode: str | None = None,
    pass_ttl: str | None = None,
    leave_after: str | None = None,
) -> dict[str, Any]:
    """The settings that are named; None: not named. Raises `BadInput`."""
    found = {
        "rate_per_s": None if rate is None else values.whole(rate, "rate", 1, RATE_PER_S_MAX),
        "active_max": None if active is None else values.whole(active, "active", 1, ACTIVE_MAX),
        "pass_ttl_ms": _span(pass_ttl, "pass-ttl", PASS_TTL_MS_MIN, PASS_TTL_MS_MAX),
        "leave_after_ms": _span(leave_after, "leave-after", LEAVE_AFTER_MS_MIN, LEAVE_AFTER_MS_MAX),
        "mode": None if mode is None else values.one_of(mode, MODES, "mode"),
    }
    return {name: value for name, value in found.items() if value is not None}


def change(room: Room | None, given: dict[str, Any]) -> SetRoom:
    """The request that changes nothing else, whatever others change meanwhile; `room`: as it was seen.

    Raises `Usage` where the first settings lack a number.
    """
    if room is not None:
        settings = msgspec.structs.replace(settings_of(room), **given)
    elif {"rate_per_s", "active_max"} <= given.keys():
        settings = RoomSettings(**given)
    else:
        raise values.Usage("a new waiting room needs --rate and --active")
    return SetRoom(settings, only=frozenset(given))


def no_room(sale: str) -> NotFound:
    """There is no waiting room to change or to show."""
    return NotFound(f"sale {sale} has no waiting room: `flashsale room set {sale} --rate N --active N`")


def _span(text: str | None, field: str, low_ms: int, high_ms: int) -> int | None:
    if text is None:
        return None
    span_ms = parse_duration(text, field)
    if not low_ms <= span_ms <= high_ms:
        raise BadInput(field, text, f"use between {words.span(low_ms)} and {words.span(high_ms)}")
    return span_ms
