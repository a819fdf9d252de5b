"""What can be done with a sale: each action with the numbers that a person confirms, and the request it becomes.

The requests are those of the command line; what they leave is an event with the person's name.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flashsale import values, words
from flashsale.commands import (
    Answer,
    Close,
    Code,
    Open,
    Pause,
    Reconfigure,
    Restock,
    Resume,
    RoomState,
    SaleRequest,
)
from flashsale.errors import BadInput, NotFound
from flashsale.events import Stock
from flashsale.operator.room import room_numbers, set_room
from flashsale.operator.visit import Fields, wanted
from flashsale.sale_view import View, sums
from flashsale.times import parse_hold


class Action(NamedTuple):
    """One thing that can be done with a sale."""

    #: as its button says
    verb: str
    #: as a participle, for refusals
    done: str
    accepted: Code
    #: what the form's fields ask for, of a sale that stands like this. Raises `BadInput`
    request: Callable[[Fields, View], SaleRequest]
    #: what it means, in numbers as they are now; the last: of its waiting room, if there is one
    numbers: Callable[[View, SaleRequest, RoomState | None], Iterator[str]]
    #: what there is to say when it is done
    outcome: Callable[[str, Answer], str]
    #: there is no way back
    is_final: bool = False


def new_request_id() -> str:
    """The identity of one change: a form that is sent twice does it once."""
    return f"web-{secrets.token_hex(8)}"


def find(action: str) -> Action:
    """An action by the last part of its path. Raises `NotFound`."""
    if action not in ACTIONS:
        raise NotFound(f"{action} is nothing that can be done with a sale")
    return ACTIONS[action]


def _stock_now(view: View) -> Iterator[str]:
    """The units of the whole sale."""
    now = sums(view)
    yield (
        f"{words.count(now['available'], 'units')} left, {words.count(now['held'])} held and not paid yet, "
        f"{words.count(now['sold'])} sold, {words.count(now['returned'])} returned: "
        f"together {words.count(sum(now.values()))}."
    )


def _open_numbers(view: View, request: SaleRequest, _room: RoomState | None) -> Iterator[str]:
    yield from _stock_now(view)
    opens_ms, now_ms = view.settings.opens_ms, view.snapshot.now_ms
    if opens_ms > now_ms and not (isinstance(request, Open) and request.at_once):
        yield f"It opens by itself at {words.when(opens_ms)}, in {words.span(opens_ms - now_ms)}."
    else:
        left = words.count(sums(view)["available"], "units")
        yield f"From now on buyers can reserve {left} of {words.count(len(view.stock), 'SKUs')}."


def _pause_numbers(view: View, request: SaleRequest, _room: RoomState | None) -> Iterator[str]:
    yield from _stock_now(view)
    held = words.count(view.snapshot.hold_count, "orders")
    yield f"Nobody can reserve until it is resumed. {held} held now can still be paid, cancelled, or expire."
    if isinstance(request, Pause) and request.why:
        yield f"Shown to everybody here, and kept in the log: {request.why}"


def _resume_numbers(view: View, _request: SaleRequest, _room: RoomState | None) -> Iterator[str]:
    yield from _stock_now(view)
    yield f"{words.count(sums(view)['available'], 'units')} can be reserved again, within its window."


def _close_numbers(view: View, _request: SaleRequest, _room: RoomState | None) -> Iterator[str]:
    yield from _stock_now(view)
    left, held = sums(view)["available"], view.snapshot.hold_count
    yield f"{words.count(left, 'units')} stay unsold; {words.count(held, 'orders')} held now can still be paid."
    yield "This is for good: a sale that a person closed is not opened again."


def _restock_numbers(view: View, request: SaleRequest, _room: RoomState | None) -> Iterator[str]:
    assert isinstance(request, Restock)
    stock = _of_sku(view, request.sku)
    change = request.quantity if request.direction == "add" else -request.quantity
    verb = "put on sale" if change > 0 else "taken off"
    yield f"{words.count(request.quantity, 'units')} of {request.sku} are {verb}."
    yield (
        f"Left: {words.count(stock.available)} → {words.count(stock.available + change)}. "
        f"Capacity: {words.count(stock.capacity)} → {words.count(stock.capacity + change)}. "
        f"Held: {words.count(stock.held)}. Sold: {words.count(stock.sold)}."
    )
    if stock.available + change < 0:
        yield "That is more than is left: it will be refused."


def _reconfigure_numbers(view: View, request: SaleRequest, _room: RoomState | None) -> Iterator[str]:
    assert isinstance(request, Reconfigure)
    before = view.settings
    if request.opens_ms is not None:
        yield f"Opens: {_time(before.opens_ms)} → {_time(request.opens_ms)}."
    if request.closes_ms is not None:
        yield f"Closes: {_time(before.closes_ms)} → {_time(request.closes_ms)}."
    if request.hold_ms is not None:
        yield f"Hold, for orders from now on: {words.span(before.hold_ms)} → {words.span(request.hold_ms)}."
    for sku, limit in request.limits:
        now = _of_sku(view, sku).limit
        yield f"Units of {sku} that one buyer may have: {_limit(now)} → {_limit(limit)}."
    yield f"{words.count(view.snapshot.hold_count, 'orders')} held now keep what they were promised."


def _restock(given: Fields, _view: View) -> Restock:
    units = values.change(wanted(given, "change"), "change")
    request_id = given.get("request_id") or new_request_id()
    return Restock(request_id, "add" if units > 0 else "remove", wanted(given, "sku"), abs(units))


def _reconfigure(given: Fields, _view: View) -> Reconfigure:
    hold = given.get("hold")
    limit = f"{wanted(given, 'sku')}={given['limit']}" if "limit" in given else None
    request = Reconfigure(
        opens_ms=values.time_ms(given.get("opens"), "opens"),
        closes_ms=values.time_ms(given.get("closes"), "closes"),
        hold_ms=None if hold is None else parse_hold(hold),
        limits=() if limit is None else (values.limit(limit, "limit"),),
    )
    if request == Reconfigure():
        raise BadInput("change", "", "fill in what shall change")
    return request


def _of_sku(view: View, sku: str) -> Stock:
    if sku not in view.stock:
        raise NotFound(f"sale {view.definition.sale} does not sell {sku}")
    return view.stock[sku]


def _time(time_ms: int) -> str:
    return words.when(time_ms) if time_ms else "when a person decides"


def _limit(limit: int) -> str:
    return words.count(limit) if limit else "no limit"


def _restocked(sale: str, answer: Answer) -> str:
    before = " It had been carried out before." if answer.repeated else ""
    return f"{sale} is restocked: {words.count(int(answer.detail))} available.{before}"


def _opened(sale: str, answer: Answer) -> str:
    opens_ms = int(answer.detail)
    is_now = opens_ms <= time.time_ns() // 1_000_000
    return f"{sale} is open." if is_now else f"{sale} opens at {words.when(opens_ms)}."


ACTIONS: dict[str, Action] = {
    "open": Action(
        "Open", "opened", Code.OPENED, lambda given, _: Open(at_once="now" in given), _open_numbers, _opened
    ),
    "pause": Action(
        "Pause", "paused", Code.PAUSED, lambda given, _: Pause(given.get("why", "")), _pause_numbers,
        lambda sale, _: f"{sale} is paused: nobody can reserve, what is held can be paid.",
    ),
    "resume": Action(
        "Resume", "resumed", Code.RESUMED, lambda *_: Resume(), _resume_numbers,
        lambda sale, _: f"{sale} is resumed: it sells again, within its window.",
    ),
    "close": Action(
        "Close for good", "closed", Code.CLOSED, lambda *_: Close(), _close_numbers,
        lambda sale, _: f"{sale} is closed for good.", is_final=True,
    ),
    "restock": Action(
        "Restock", "restocked", Code.RESTOCKED, _restock, _restock_numbers, _restocked
    ),
    "reconfigure": Action(
        "Change", "reconfigured", Code.RECONFIGURED, _reconfigure, _reconfigure_numbers,
        lambda sale, _: f"{sale} is reconfigured.",
    ),
    "room": Action(
        "Set the waiting room", "given a waiting room", Code.ROOM_SET, set_room, room_numbers,
        lambda sale, _: f"{sale} has a waiting room with these settings.",
    ),
}  # fmt: skip

#: State of a sale → what can be done with it, in the order of the page.
_OFFERED = {
    "warm": ("open", "close"),
    "scheduled": ("open", "pause", "close"),
    "open": ("pause", "close"),
    "paused": ("resume", "close"),
}


def offered(view: View) -> list[tuple[str, Action]]:
    """What the state of a sale allows. Redis decides it once more."""
    # A sale that somebody opened, and whose time has not come, needs another time: that is a change of its window.
    is_opened = view.snapshot.state.status == "open"
    names = _OFFERED.get(view.state, ())
    return [(name, ACTIONS[name]) for name in names if not (name == "open" and is_opened)]


def may_change(view: View) -> bool:
    """Whether stock, window, hold and limits can be changed."""
    return view.state in _OFFERED
