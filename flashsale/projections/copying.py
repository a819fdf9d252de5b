"""Write a batch that is new in every respect, by COPY: the fast way of a lease's only writer.

It asserts what the statement of apply.sql finds out: that no row of the batch is stored yet, that each order it
changes is there and older, that nothing of it waits behind a dead letter. Where one of these does not hold, all is
rolled back, and that statement decides what it means.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import psycopg

from flashsale.projections import arrays, copy_format
from flashsale.projections.batch import Row
from flashsale.projections.database import Connection, is_data_error
from flashsale.projections.fold import Folded, fold
from flashsale.projections.queries import query


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
            # Not prepared: the plan then knows the sale, and locks no other sale's partitions.
            found = connection.execute(
                query("copy", "effects"), place | _effects(folded), prepare=False
            ).fetchone()
            changed, is_blocked = found or (0, True)
            is_new = changed == len(folded.changed) and not is_blocked
        if not is_new:
            raise psycopg.Rollback(transaction)
    return is_new


def _copy(connection: Connection, name: str, data: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(query("copy", name)) as writer:
        writer.write(data)


def _effects(folded: Folded) -> dict[str, Any]:
    order_id, status, epoch, seq, changed_ms = _columns(folded.changed, 5)
    sku, stock_epoch, stock_seq, available, held, sold, returned, capacity = _columns(folded.stock, 8)
    return {
        "order_id": arrays.text(order_id),
        "status": arrays.text(status),
        "epoch": arrays.int4(epoch),
        "seq": arrays.int8(seq),
        "changed_ms": arrays.int8(changed_ms),
        "sku": arrays.text(sku),
        "stock_epoch": arrays.int4(stock_epoch),
        "stock_seq": arrays.int8(stock_seq),
        "available": arrays.int4(available),
        "held": arrays.int4(held),
        "sold": arrays.int4(sold),
        "returned": arrays.int4(returned),
        "capacity": arrays.int4(capacity),
        "orders": arrays.text([*order_id, *(row[6] for row in folded.begun)]),
    }


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
