"""The hot state of one shard as Redis holds it, at one position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flashsale.commands.room_state import parse_room
from flashsale.errors import Halted
from flashsale.events import Order, Restocked, ShardState, Stock
from flashsale.ids import START, Position

#: In the sale's hash, the fields of the restocks done begin with this.
REQUEST_FIELD = "request:"


class Snapshot(msgspec.Struct):
    """What the `snapshot` script returned."""

    now_ms: int
    #: id of the log's newest entry; equals `state.position` while nothing is lost
    log_position: Position
    order_count: int
    hold_count: int
    #: without orders and units when only the counters were asked for
    state: ShardState
    #: a position that somebody has seen and the log does not hold: the sale is halted; None while all is well
    lost: Position | None = None
    #: order id → when its hold ends, ms
    holds: dict[str, int] = msgspec.field(default_factory=dict)
    #: when the definition was stored from which it was warmed; empty: not known
    origin: str = ""

    @property
    def is_loaded(self) -> bool:
        return self.state.position != START


class Hot(msgspec.Struct, frozen=True):
    """The same as it stands there: records that flashsale did not write can be looked at, too."""

    position: Position
    log_position: Position
    #: each key's fields, as text
    sale: dict[str, str]
    stock: dict[str, str]
    orders: dict[str, str]
    buyers: dict[str, str]
    holds: dict[str, str]

    @property
    def mended(self) -> int:
        """How often records were put back to what the log says. Raises `Halted` when that cannot be read."""
        text = self.sale.get("mended", "0")
        if not (text.isascii() and text.isdecimal()):
            raise Halted(f"Redis holds a record that flashsale did not write: sale mended {text!r}")
        return int(text)


def parse_hot(raw: Sequence[Any]) -> Hot:
    """Read the reply of the `snapshot` script for `all`, record by record as they are."""
    texts = [
        dict(zip(*[(item.decode(errors="backslashreplace") for item in flat)] * 2, strict=True))
        for flat in (raw[2], raw[3], *raw[7:10])
    ]
    return Hot(Position.parse(raw[0]), Position.parse(raw[4]), *texts)


def parse_snapshot(raw: Sequence[Any]) -> Snapshot:
    """Read the reply of the `snapshot` script. Raises `Halted` when a record cannot be read."""
    try:
        return _parse(raw)
    except (ValueError, KeyError, IndexError) as error:
        raise Halted(f"Redis holds a record that flashsale did not write: {error}") from error


def _parse(raw: Sequence[Any]) -> Snapshot:
    sale = dict(_pairs(raw[2]))
    state = ShardState(
        position=Position.parse(raw[0]),
        status=sale.get("state", ""),
        opens_ms=int(sale.get("opens_ms", 0)),
        closes_ms=int(sale.get("closes_ms", 0)),
        hold_ms=int(sale.get("hold_ms", 0)),
        stock={sku: _stock(text) for sku, text in _pairs(raw[3])},
        requests={
            field.removeprefix(REQUEST_FIELD): _restocked(text)
            for field, text in sale.items()
            if field.startswith(REQUEST_FIELD)
        },
        room=parse_room(sale["door"], sale.get("drawn", "")) if "door" in sale else None,
    )
    lost = Position.parse(sale["lost"]) if "lost" in sale else None
    snapshot = Snapshot(int(raw[1]), Position.parse(raw[4]), int(raw[5]), int(raw[6]), state, lost)
    snapshot.origin = sale.get("origin", "")
    if len(raw) > 7:  # part `all`
        state.orders = {order_id: parse_order(text) for order_id, text in _pairs(raw[7])}
        state.units = {_holder(field): int(units) for field, units in _pairs(raw[8])}
        snapshot.holds = {order_id: int(score) for order_id, score in _pairs(raw[9])}
    return snapshot


def sale_state(snapshot: Snapshot, reached: Position, *, archived: bool = False) -> str:
    """What the sale does now, the clock's decisions included; `reached`: how far its log is known to have come.

    defined (not warm), lost (somebody has events that Redis lacks), damaged (its log has entries that no script wrote),
    warm, scheduled, open, paused, closed or archived. `archived`: Postgres says that nothing of it need be in Redis.
    """
    state, now_ms = snapshot.state, snapshot.now_ms
    if state.status == "archived" or (archived and state.position < reached):
        return "archived"
    if broken := _broken(snapshot, reached):
        return broken
    if not snapshot.is_loaded:
        return "defined"
    if 0 < state.closes_ms <= now_ms:
        return "closed"
    if state.status in ("paused", "closed") or (state.status == "warm" and state.opens_ms == 0):
        return state.status
    return "scheduled" if now_ms < state.opens_ms else "open"


def _broken(snapshot: Snapshot, reached: Position) -> str:
    position = snapshot.state.position
    if snapshot.lost or min(position, snapshot.log_position) < max(position, reached):
        return "lost"
    return "damaged" if snapshot.log_position > position else ""


def parse_order(text: str) -> Order:
    """Read a record of the `orders` hash. Raises `ValueError` on any other text."""
    status, sku, quantity, buyer, hold_until_ms, reserved_at, *later = text.split(" ")
    changed_at, how = (*later, "", "")[:2]
    reserved = Position.parse(reserved_at)
    changed = Position.parse(changed_at) if changed_at else reserved
    return Order(status, sku, int(quantity), buyer, int(hold_until_ms), reserved, changed, how)


def order_record(order: Order) -> str:
    """The record that the scripts keep of an order."""
    head = (
        f"{order.status} {order.sku} {order.quantity} {order.buyer} {order.hold_until_ms} {order.reserved_at}"
    )
    if order.status == "held":
        return head
    return f"{head} {order.changed_at} {order.how}".rstrip()


def restock_record(done: Restocked) -> str:
    """The record that the scripts keep of a restock."""
    return f"{done.direction} {done.sku} {done.quantity} {done.position} {done.available}"


def _restocked(text: str) -> Restocked:
    direction, sku, quantity, position, available = text.split(" ")
    return Restocked(direction, sku, int(quantity), Position.parse(position), int(available))


def _stock(text: str) -> Stock:
    available, held, sold, returned, limit = map(int, text.split(" "))
    return Stock(available, held, sold, returned, limit, available + held + sold + returned)


def _holder(field: str) -> tuple[str, str]:
    buyer, sku = field.split(" ")
    return buyer, sku


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    text = [item.decode() for item in flat]
    return zip(text[::2], text[1::2], strict=True)
