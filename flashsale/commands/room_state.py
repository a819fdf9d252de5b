"""The waiting room as it stands, and the records that the head of the sale holds of it. Sans IO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from flashsale.commands.room import RoomSettings
from flashsale.errors import Halted
from flashsale.events import Room
from flashsale.ids import Position

#: mode, rate, active, ttl, leave after, shuffle, commitment, message
_DOOR = re.compile(r"([a-z][a-z-]*) (\d{1,13}) (\d{1,13}) (\d{1,13}) (\d{1,13}) ([01]) ([0-9a-f]{64}) (.*)")
_DRAWN = re.compile(r"(?:(\d{1,13}) ([0-9a-f]*))?")


class RoomState(msgspec.Struct, frozen=True):
    """How a room stands. Its settings, commitment and draw are the snapshot's: `Snapshot.state.room`."""

    position: Position
    now_ms: int
    #: None: the sale has no room, or is not in Redis
    room: Room | None
    #: tickets given so far
    tickets: int
    serving: int
    #: passes that have not expired
    active: int
    #: people in the line, at most: some may have gone without a word
    waiting: int
    #: people called within the last half minute, at most, who have not come for their pass
    called: int = 0

    @property
    def settings(self) -> RoomSettings | None:
        return None if self.room is None else settings_of(self.room)


def settings_of(room: Room) -> RoomSettings:
    """The settings, as the log has them."""
    return RoomSettings(
        mode=room.mode,  # type: ignore[arg-type]  # checked by RoomSettings
        rate_per_s=room.rate_per_s,
        active_max=room.active_max,
        pass_ttl_ms=room.pass_ttl_ms,
        leave_after_ms=room.leave_after_ms,
        shuffle=room.shuffle,
        message=room.message,
    )


def parse_room_state(raw: Sequence[Any]) -> RoomState:
    """Read the reply of the script `roomstate`. Raises `Halted` when a record cannot be read."""
    try:
        door, drawn = bytes(raw[2]).decode(), bytes(raw[3]).decode()
        tickets, serving, active, in_line, called = map(int, raw[4:9])
        room = parse_room(door, drawn) if door else None
        waiting = max(0, min(in_line, tickets - serving))
        return RoomState(Position.parse(raw[0]), int(raw[1]), room, tickets, serving, active, waiting, called)
    except (ValueError, IndexError) as error:
        raise Halted(f"Redis holds a record that flashsale did not write: {error}") from error


def parse_room(door: str, drawn: str) -> Room:
    """Read the records that the head of the sale holds. Raises `ValueError` on any other text."""
    set_, draw = _DOOR.fullmatch(door), _DRAWN.fullmatch(drawn)
    if set_ is None or draw is None:
        raise ValueError(f"door {door!r}, drawn {drawn!r}")
    mode, rate, active, ttl, leave_after, shuffle, committed, message = set_.groups()
    count, seed = draw.groups()
    return Room(
        mode=mode,
        rate_per_s=int(rate),
        active_max=int(active),
        pass_ttl_ms=int(ttl),
        leave_after_ms=int(leave_after),
        shuffle=shuffle == "1",
        commitment=committed,
        message=message,
        drawn=None if count is None else int(count),
        seed=seed or "",
    )


def room_records(room: Room | None) -> dict[str, str]:
    """The fields of the head of the sale, as the scripts write them: settings and, after the draw, the draw."""
    if room is None:
        return {}
    numbers = (room.rate_per_s, room.active_max, room.pass_ttl_ms, room.leave_after_ms, int(room.shuffle))
    words = (room.mode, *map(str, numbers), room.commitment, room.message)
    records = {"door": " ".join(words)}
    if room.drawn is not None:
        records["drawn"] = f"{room.drawn} {room.seed}"
    return records
