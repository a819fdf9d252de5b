"""Rows in the binary format of Postgres's COPY, packed in bulk.

psycopg writes a row value by value; here what all rows have in common is packed once, and a row's numbers in one go.
The format: a signature, then for each row the number of its fields, and each field's length and bytes; -1 is NULL
(the chapter on COPY in PostgreSQL's manual). The order of the fields is that of copy.sql.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flashsale.projections.batch import Row

_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_END = struct.pack(">h", -1)
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_SMALL = struct.Struct(">ih")
_COUNT = struct.Struct(">h")

#: About 500 events: 150 KB, what a socket takes at once.
_CHUNK_PARTS = 4_500

_EVENT_FIELDS, _ORDER_FIELDS = 18, 12
#: epoch, seq, at_ms, quantity, available, held, sold, returned; each behind its length
_EVENT = struct.Struct(">h ii iq iq ii ii ii ii ii")
_INT4, _INT8 = struct.Struct(">ii"), struct.Struct(">iq")
#: epoch, seq, quantity, reserved_ms, hold_until_ms, changed_ms
_ORDER = struct.Struct(">h ii iq ii iq iq iq")


def events(sale: str, shard: int, rows: Sequence[Row]) -> Iterator[bytes]:
    """Rows of `event_log`, some at once: Postgres works on the first while the next are packed.

    Raises `struct.error` or `ValueError` for what no column takes.
    """
    place = _text(sale) + _SMALL.pack(2, shard)
    tails: dict[tuple[Any, ...], bytes] = {}
    length, hold, wide, nobody = _LENGTH.pack, _INT8.pack, _EVENT.pack, _NULL * 3
    parts = [_HEAD]
    for (epoch, seq), body, columns, _, _ in rows:
        (
            name, version, at_ms, actor, order_id, buyer, sku, quantity,
            available, held, sold, returned, hold_until_ms,
        ) = columns  # fmt: skip
        key = (name, version, actor, sku)
        tail = tails.get(key)
        if tail is None:
            own = _SMALL.pack(2, version)
            tail = tails[key] = place + _text(name) + own + _text(actor) + _text(sku)
        if sku is None:
            head = (
                _COUNT.pack(_EVENT_FIELDS) + _INT4.pack(4, epoch) + hold(8, seq) + hold(8, at_ms) + _NULL * 5
            )
        else:
            head = wide(
                _EVENT_FIELDS, 4, epoch, 8, seq, 8, at_ms, 4, quantity,
                4, available, 4, held, 4, sold, 4, returned,
            )  # fmt: skip
        if order_id is None:
            parts += (head, nobody, length(len(body)), body, tail)
            continue
        until = _NULL if hold_until_ms is None else hold(8, hold_until_ms)
        id_, who = order_id.encode(), buyer.encode()
        parts += (head, until, length(len(id_)), id_, length(len(who)), who, length(len(body)), body, tail)
        if len(parts) > _CHUNK_PARTS:
            yield b"".join(parts)
            parts.clear()
    parts.append(_END)
    yield b"".join(parts)


def orders(sale: str, shard: int, begun: Iterable[tuple[Any, ...]]) -> bytes:
    """Rows of `orders`, from `Folded.begun`. Raises as `events` does."""
    place = _text(sale) + _SMALL.pack(2, shard)
    tails: dict[tuple[str, str], bytes] = {}
    length, numbers = _LENGTH.pack, _ORDER.pack
    parts = [_HEAD]
    for epoch, seq, quantity, reserved_ms, hold_until_ms, changed_ms, order_id, buyer, sku, status in begun:
        tail = tails.get((sku, status))
        if tail is None:
            tail = tails[sku, status] = place + _text(sku) + _text(status)
        id_, who = order_id.encode(), buyer.encode()
        head = numbers(
            _ORDER_FIELDS, 4, epoch, 8, seq, 4, quantity, 8, reserved_ms, 8, hold_until_ms, 8, changed_ms
        )
        parts += (head, length(len(id_)), id_, length(len(who)), who, tail)
    parts.append(_END)
    return b"".join(parts)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    content = value.encode()
    return _LENGTH.pack(len(content)) + content
