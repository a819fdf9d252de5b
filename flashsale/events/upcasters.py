"""Lift events of older versions to the present one, step by step, on read. What is stored is never rewritten."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: An event as decoded JSON: [type, version, field, ...].
Raw = list[Any]

_V = 1  # the index of the version


def refunded_v1_to_v2(raw: Raw) -> Raw:
    """Version 1 of `order.refunded` did not say where the units went: they always went back on sale."""
    return [raw[0], 2, *raw[2:], "restock"]


#: (type, version) → the function that lifts it to version + 1.
UPCASTERS: Mapping[tuple[str, int], Callable[[Raw], Raw]] = {
    ("order.refunded", 1): refunded_v1_to_v2,
}


def upcast(raw: Raw) -> Raw:
    """Apply upcasters until none fits. Raises `ValueError` when one does not raise the version: it would never end."""
    while lift := UPCASTERS.get((raw[0], raw[_V])):
        lifted = lift(raw)
        if lifted[_V] != raw[_V] + 1:
            raise ValueError(f"the upcaster of {raw[0]} version {raw[_V]} returned version {lifted[_V]}")
        raw = lifted
    return raw
