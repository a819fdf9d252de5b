"""What an operator sets of a waiting room: the request, and what it means in numbers."""

from __future__ import annotations

from collections.abc import Iterator

from flashsale import room_settings, words
from flashsale.commands import RoomSettings, RoomState, SaleRequest, SetRoom
from flashsale.errors import BadInput
from flashsale.operator.visit import Fields
from flashsale.sale_view import View, sums


def set_room(given: Fields, view: View) -> SetRoom:
    """What was filled in is changed. Raises `BadInput`."""
    asked = room_settings.typed(
        rate=given.get("rate"),
        active=given.get("active"),
        mode=given.get("mode"),
        pass_ttl=given.get("pass_ttl"),
    )
    if "message" in given or "clear" in given:
        asked["message"] = "" if "clear" in given else given["message"]
    if not asked:
        raise BadInput("change", "", "fill in what shall change")
    return room_settings.change(view.snapshot.state.room, asked)


def room_numbers(view: View, request: SaleRequest, room: RoomState | None) -> Iterator[str]:
    """What changes, and for how many people."""
    assert isinstance(request, SetRoom)
    settings = room.settings if room else None
    if room is None or settings is None:
        yield "The sale gets a waiting room: from now on a new reservation needs a pass."
        before = {}
    else:
        before = _told(settings)
        yield (
            f"{words.count(room.waiting, 'people')} wait at most, {words.count(room.active)} of "
            f"{words.count(settings.active_max)} shop, {words.count(room.serving)} places were called."
        )
    for name, after in _told(request.settings).items():
        was = before.get(name, after)
        yield f"{name}: {after}." if was == after else f"{name}: {was} → {after}."
    yield f"Left: {words.count(sums(view)['available'], 'units')}."


def _told(settings: RoomSettings) -> dict[str, str]:
    return {
        "Mode": room_settings.MODES[settings.mode],
        "Called a second, at most": words.count(settings.rate_per_s),
        "Shopping at once, at most": words.count(settings.active_max),
        "A pass is good for": words.span(settings.pass_ttl_ms),
        "Those who wait are told": settings.message or "nothing",
    }
