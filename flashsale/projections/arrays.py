"""Columns as arrays in Postgres's binary format, packed in bulk.

psycopg packs an array value by value, which took half of a projector's time. What does not fit here (a number too
large, a NUL in a text) is left to psycopg and Postgres, who say what is wrong with it. The format: number of
dimensions, whether there are nulls, type of the elements, length, first index; then each element's length and bytes
(array_recv in PostgreSQL's src/backend/utils/adt/arrayfuncs.c).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_HEAD = struct.Struct(">5i")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)


class Packed:
    """An array of one type, ready to be sent."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class _Int2(Packed): ...


class _Int4(Packed): ...


class _Int8(Packed): ...


class _Text(Packed): ...


class _Bytea(Packed): ...


#: class → (type of an element, type of the array): oids of pg_type, the same in every database
_OIDS: Mapping[type[Packed], tuple[int, int]] = {
    _Int2: (21, 1005),
    _Int4: (23, 1007),
    _Int8: (20, 1016),
    _Text: (25, 1009),
    _Bytea: (17, 1001),
}


def register(adapters: AdaptersMap) -> None:
    """Let a connection send packed arrays."""
    for packed, (_, array) in _OIDS.items():
        dumper = type(f"{packed.__name__}Dumper", (_Dumper,), {"oid": array})
        adapters.register_dumper(packed, dumper)


class _Dumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return obj.data


def int2(values: Sequence[Any]) -> Packed | Sequence[Any]:
    return _integers(_Int2, "h", 2, values)


def int4(values: Sequence[Any]) -> Packed | Sequence[Any]:
    return _integers(_Int4, "i", 4, values)


def int8(values: Sequence[Any]) -> Packed | Sequence[Any]:
    return _integers(_Int8, "q", 8, values)


def text(values: Sequence[Any]) -> Packed | Sequence[Any]:
    return _bytes(_Text, values, _encoded)


def bytea(values: Sequence[Any]) -> Packed | Sequence[Any]:
    return _bytes(_Bytea, values, bytes)


def _integers(made: type[Packed], code: str, size: int, values: Sequence[Any]) -> Packed | Sequence[Any]:
    has_nulls = None in values
    try:
        if has_nulls:
            pack = struct.Struct(f">i{code}").pack
            body = b"".join([_NULL if value is None else pack(size, value) for value in values])
        else:
            flat = [size] * (2 * len(values))
            flat[1::2] = values
            body = struct.pack(">" + f"i{code}" * len(values), *flat)
    except struct.error:
        return values
    return made(_head(made, values, has_nulls=has_nulls) + body)


def _bytes(
    made: type[Packed], values: Sequence[Any], encoded: Callable[[Any], bytes]
) -> Packed | Sequence[Any]:
    known: dict[Any, bytes] = {None: _NULL}  # actors, types and SKUs come again and again
    parts = []
    try:
        for value in values:
            part = known.get(value)
            if part is None:
                content = encoded(value)
                part = known[value] = _LENGTH.pack(len(content)) + content
            parts.append(part)
    except ValueError:
        return values
    return made(_head(made, values, has_nulls=None in values) + b"".join(parts))


def _encoded(value: str) -> bytes:
    """Raises `ValueError` for what no text column takes."""
    if "\0" in value:
        raise ValueError(value)
    return value.encode()


def _head(made: type[Packed], values: Sequence[Any], *, has_nulls: bool) -> bytes:
    element, _ = _OIDS[made]
    return _HEAD.pack(1, has_nulls, element, len(values), 1)
