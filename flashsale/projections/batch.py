"""Turn log entries into the columns of one apply statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import astuple

from flashsale.events import AnyEvent, NewerEvent, OrderEvent, UndecodableEvent, decode, type_name
from flashsale.events.types import OrderReserved, StockAdded, StockLoaded, StockRemoved
from flashsale.ids import Position
from flashsale.projections import arrays
from flashsale.stream import Entry

#: Columns of `batch` in apply.sql that come from the event, in the order of `_columns`.
_PACKED: dict[str, Callable[[list[Any]], Any]] = {
    "type": arrays.text,
    "version": arrays.int2,
    "at_ms": arrays.int8,
    "actor": arrays.text,
    "order_id": arrays.text,
    "buyer": arrays.text,
    "sku": arrays.text,
    "quantity": arrays.int4,
    "available": arrays.int4,
    "held": arrays.int4,
    "sold": arrays.int4,
    "returned": arrays.int4,
    "hold_until_ms": arrays.int8,
}
COLUMNS = tuple(_PACKED)
_ORDER_FIELDS = len(OrderEvent.__struct_fields__)
_UNDECODED = ("", *(None for _ in COLUMNS[1:]))
#: What keeps the followers of a parked event back.
_KEPT = ("type", "order_id", "sku")


class Row(NamedTuple):
    """One entry, read as far as it can be."""

    position: Position
    body: bytes
    columns: tuple[Any, ...]
    #: why it cannot be decoded; None when it can
    error: str | None
    #: a newer flashsale can decode it
    is_newer: bool = False


def read_entry(entry: Entry) -> Row:
    """Decode one entry. What cannot be decoded keeps its bytes and its place: the archive has no gap."""
    if entry.body is None:
        return Row(entry.position, b"", _UNDECODED, "the entry has no field `e`")
    try:
        event = decode(entry.body)
    except NewerEvent as error:
        return Row(entry.position, entry.body, _UNDECODED, f"{error.name}: {error.reason}", is_newer=True)
    except UndecodableEvent as error:
        return Row(entry.position, entry.body, _UNDECODED, error.reason)
    return Row(entry.position, entry.body, _columns(event), None)


def without_values(row: Row) -> Row:
    """The same entry without the values that Postgres may refuse: a number too large, a NUL in a text."""
    columns = [
        value if name in _KEPT and value is not None and "\0" not in value else None
        for name, value in zip(COLUMNS, row.columns, strict=True)
    ]
    return row._replace(columns=tuple(columns))


def parameters(rows: Sequence[Row]) -> dict[str, Any]:
    """Column name → values, as apply.sql unnests them."""
    columns = zip(*(row.columns for row in rows), strict=True)
    return places(rows) | {
        **{name: pack(list(values)) for (name, pack), values in zip(_PACKED.items(), columns, strict=True)},
    }


def places(rows: Sequence[Row | Entry]) -> dict[str, Any]:
    """The same of what every entry has: its place and its bytes."""
    return {
        "epoch": arrays.int4([row.position.epoch for row in rows]),
        "seq": arrays.int8([row.position.seq for row in rows]),
        "body": arrays.bytea([row.body or b"" for row in rows]),
    }


def _columns(event: AnyEvent) -> tuple[Any, ...]:
    name = type_name(event)
    if isinstance(event, OrderEvent):
        # Its fields begin with the columns from `version` to `returned`; a reservation has one more, its deadline.
        if type(event) is OrderReserved:
            return (name, *astuple(event))
        return (name, *astuple(event)[:_ORDER_FIELDS], None)
    if isinstance(event, StockLoaded | StockAdded | StockRemoved):
        return (
            name, event.v, event.at_ms, event.by, None, None, event.sku, event.quantity,
            event.available, event.held, event.sold, event.returned, None,
        )  # fmt: skip
    return (name, event.v, event.at_ms, event.by, *(None for _ in COLUMNS[4:]))
