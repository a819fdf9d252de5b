"""The waiting room in the fold: its settings as they were set last, and the draw, which there is once."""

from __future__ import annotations

import hashlib

import msgspec

from flashsale.events import types as t
from flashsale.events.state import InvariantBroken, Room, ShardState, Tell
from flashsale.ids import Position


def evolve_room(
    state: ShardState, position: Position, event: t.SaleRoomSet | t.SaleLineDrawn, tell: Tell
) -> None:
    """Set the room, or take note of the draw. Raises `InvariantBroken` for a draw without a room."""
    if isinstance(event, t.SaleRoomSet):
        _set(state, position, event, tell)
    else:
        _draw(state, position, event, tell)


def _set(state: ShardState, position: Position, event: t.SaleRoomSet, tell: Tell) -> None:
    before = state.room
    if before is not None and before.drawn is not None and before.commitment != event.commitment:
        tell(InvariantBroken("R1", position, "another seed is committed to after the draw"))
    state.room = Room(
        mode=event.mode,
        rate_per_s=event.rate_per_s,
        active_max=event.active_max,
        pass_ttl_ms=event.pass_ttl_ms,
        leave_after_ms=event.leave_after_ms,
        shuffle=event.shuffle,
        commitment=event.commitment,
        message=event.message,
        drawn=None if before is None else before.drawn,
        seed="" if before is None else before.seed,
    )


def _draw(state: ShardState, position: Position, event: t.SaleLineDrawn, tell: Tell) -> None:
    room = state.room
    if room is None:
        raise InvariantBroken("R1", position, "a line is drawn, and the sale has no waiting room")
    if room.drawn is not None:
        tell(InvariantBroken("R1", position, "the line is drawn a second time"))
    if event.seed and hashlib.sha256(event.seed.encode()).hexdigest() != room.commitment:
        tell(InvariantBroken("R1", position, "the seed is not the one that was committed to"))
    if event.drawn and not event.seed:
        tell(InvariantBroken("R1", position, f"{event.drawn} places are drawn without a seed"))
    state.room = msgspec.structs.replace(room, drawn=event.drawn, seed=event.seed)
