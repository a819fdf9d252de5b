"""What consecutive events leave behind: the last state of each order and of each SKU's stock, one row a key.

Only for the plain case. What is not plain (an order that begins twice) is left to the statement of apply.sql.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flashsale.projections.batch import Row

#: Stock events say how many units a SKU has; order events only move them from one bucket to another.
_RESIZING = ("stock.loaded", "stock.added", "stock.removed")


class Folded(NamedTuple):
    """The rows that a batch leaves; lists are sorted by their key, which keeps writers from deadlocks."""

    #: orders that begin in the batch: columns as in the COPY of copy.sql, without sale and shard
    begun: list[tuple[Any, ...]]
    #: orders that began before: epoch, seq, quantity, changed_ms, order_id, buyer, sku, status
    changed: list[tuple[Any, ...]]
    #: sku, epoch, seq, available, held, sold, returned, capacity; None: as it was
    stock: list[tuple[Any, ...]]


def fold(rows: Sequence[Row]) -> Folded | None:
    """Fold decoded rows, in the order of the log; None when an order begins twice."""
    reserved: dict[str, Row] = {}
    latest: dict[str, Row] = {}
    told: dict[str, Row] = {}
    capacities: dict[str, int] = {}
    for row in rows:
        columns = row.columns
        name, order_id, sku = columns[0], columns[4], columns[6]
        if sku is None:
            continue
        told[sku] = row
        if order_id is None:
            if name in _RESIZING:
                capacities[sku] = sum(columns[8:12])
            continue
        if name == "order.reserved":
            if order_id in latest:
                return None
            reserved[order_id] = row
        latest[order_id] = row
    begun, changed = [], []
    for order_id in sorted(latest):
        row = latest[order_id]
        (epoch, seq), columns = row.position, row.columns
        name, at_ms, buyer, sku, quantity = columns[0], columns[2], columns[5], columns[6], columns[7]
        first = reserved.get(order_id)
        if first is None:
            changed.append((epoch, seq, quantity, at_ms, order_id, buyer, sku, name[6:]))
        else:
            status = "held" if row is first else name[6:]
            reserved_ms, hold_until_ms = first.columns[2], first.columns[12]
            begun.append(
                (epoch, seq, quantity, reserved_ms, hold_until_ms, at_ms, order_id, buyer, sku, status)
            )
    stock = [
        (sku, *told[sku].position, *told[sku].columns[8:12], capacities.get(sku)) for sku in sorted(told)
    ]
    return Folded(begun, changed, stock)
