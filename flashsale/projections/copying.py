"""Write a batch that is new in every respect, by COPY: the fast way of a lease's only writer.

It asserts what the statement of apply.sql finds out: that no row of the batch is stored yet, that each order it
changes is there and older, that nothing of it waits behind a dead letter. Where one of these does not hold, all is
rolled back, and that statement decides what it means.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg

from flashsale.projections import arrays, copy_format
from flashsale.projections.batch import Row
from flashsale.projections.database import Connection, is_data_error
from flashsale.projections.fold import Folded, fold
from flashsale.projections.queries import query

#: Columns of the arrays in copy.sql, in the order of `Folded.changed` …
_CHANGED = {
    "epoch": arrays.int4,
    "seq": arrays.int8,
    "quantity": arrays.int4,
    "changed_ms": arrays.int8,
    "order_id": arrays.text,
    "buyer": arrays.text,
    "order_sku": arrays.text,
    "status": arrays.text,
}
#: … and of `Folded.stock`.
_STOCK = {
    "sku": arrays.text,
    "stock_epoch": arrays.int4,
    "stock_seq": arrays.int8,
    "available": arrays.int4,
    "held": arrays.int4,
    "sold": arrays.int4,
    "returned": arrays.int4,
    "capacity": arrays.int4,
}


def copy_rows(connection: Connection, place: dict[str, Any], rows: Sequence[Row]) -> bool:
    """Apply decoded, consecutive rows in one transaction; False when they are not plainly new: nothing was written.

    `place`: sale, shard, fence, and the checkpoint before and after. Raises psycopg's transient errors.
    """
    folded = fold(rows)
    if folded is None:
        return False
    sale, shard = place["sale_id"], place["shard"]
    try:
        events = copy_format.events(sale, shard, rows)
        begun = copy_format.orders(sale, shard, folded.begun) if folded.begun else b""
    except (struct.error, ValueError):
        return False  # a number or a text that Postgres would refuse
    try:
        return _write(connection, place, folded, events, begun)
    except psycopg.Error as error:
        if not is_data_error(error):
            raise
        return False


def _write(
    connection: Connection, place: dict[str, Any], folded: Folded, events: bytes, begun: bytes
) -> bool:
    is_new = False
    with connection.transaction() as transaction:
        if connection.execute(query("copy", "move_checkpoint"), place).rowcount:
            _copy(connection, "events", events)
            if begun:
                _copy(connection, "orders", begun)
            found = connection.execute(query("copy", "effects"), place | _effects(folded)).fetchone()
            changed, is_blocked = found or (0, True)
            is_new = changed == len(folded.changed) and not is_blocked
        if not is_new:
            raise psycopg.Rollback(transaction)
    return is_new


def _copy(connection: Connection, name: str, data: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(query("copy", name)) as writer:
        writer.write(data)


def _effects(folded: Folded) -> dict[str, Any]:
    """The parameters of the statement, as copy.sql unnests them."""
    changed, stock = _packed(_CHANGED, folded.changed), _packed(_STOCK, folded.stock)
    order_ids = [row[4] for row in folded.changed] + [row[6] for row in folded.begun]
    return {**changed, **stock, "orders": arrays.text(order_ids)}


def _packed(
    columns: Mapping[str, Callable[[list[Any]], Any]], rows: Sequence[tuple[Any, ...]]
) -> dict[str, Any]:
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return {name: pack(list(column)) for (name, pack), column in zip(columns.items(), values, strict=True)}
