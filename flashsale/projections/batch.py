"""Turn log entries into the columns of one apply statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flashsale.events import AnyEvent, OrderEvent, UndecodableEvent, decode, type_name
from flashsale.events.types import OrderReserved, StockAdded, StockLoaded, StockRemoved
from flashsale.ids import Position
from flashsale.stream import Entry

#: Columns of `batch` in apply.sql that come from the event, in the order of `_columns`.
COLUMNS = (
    "type",
    "version",
    "at_ms",
    "actor",
    "order_id",
    "buyer",
    "sku",
    "quantity",
    "available",
    "held",
    "sold",
    "returned",
    "hold_until_ms",
)
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


def read_entry(entry: Entry) -> Row:
    """Decode one entry. What cannot be decoded keeps its bytes and its place: the archive has no gap."""
    if entry.body is None:
        return Row(entry.position, b"", _UNDECODED, "the entry has no field `e`")
    try:
        event = decode(entry.body)
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


def parameters(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Column name → values, as apply.sql unnests them."""
    columns = zip(*(row.columns for row in rows), strict=True)
    return {
        "epoch": [row.position.epoch for row in rows],
        "seq": [row.position.seq for row in rows],
        "body": [row.body for row in rows],
        **{name: list(values) for name, values in zip(COLUMNS, columns, strict=True)},
    }


def _columns(event: AnyEvent) -> tuple[Any, ...]:
    name = type_name(event)
    if isinstance(event, OrderEvent):
        hold_until_ms = event.hold_until_ms if isinstance(event, OrderReserved) else None
        return (
            name, event.v, event.at_ms, event.by, event.order_id, event.buyer, event.sku, event.quantity,
            event.available, event.held, event.sold, event.returned, hold_until_ms,
        )  # fmt: skip
    if isinstance(event, StockLoaded | StockAdded | StockRemoved):
        return (
            name, event.v, event.at_ms, event.by, None, None, event.sku, event.quantity,
            event.available, event.held, event.sold, event.returned, None,
        )  # fmt: skip
    return (name, event.v, event.at_ms, event.by, *(None for _ in COLUMNS[4:]))
