"""Write a batch that is new in every respect, by COPY: the fast way of a lease's only writer.

It asserts what the statement of apply.sql finds out: that no row of the batch is stored yet, that each order it
changes is there and older, that nothing of it waits behind a dead letter. Where one of these does not hold, all is
rolled back, and that statement decides what it means.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


def copy_rows(
    connection: Connection, place: dict[str, Any], rows: Sequence[Row], meanwhile: Callable[[], None]
) -> bool:
    """Apply decoded, consecutive rows in one transaction; False when they are not plainly new: nothing was written.

    `place`: sale, shard, fence, and the checkpoint before and after. `meanwhile` is called between the steps of the
    transaction. Raises psycopg's transient errors.
    """
    try:
        with connection.transaction() as transaction:
            if not _write(connection, place, rows, meanwhile):
                raise psycopg.Rollback(transaction)
            return True
    except (struct.error, ValueError):
        pass  # a number or a text that no column takes
    except psycopg.Error as error:
        if not is_data_error(error):
            raise
    return False


def _write(
    connection: Connection, place: dict[str, Any], rows: Sequence[Row], meanwhile: Callable[[], None]
) -> bool:
    if not connection.execute(query("copy", "move_checkpoint"), place).rowcount:
        return False
    shard = place["sale_id"], place["shard"]
    with _copy(connection, "events") as write:
        for chunk in copy_format.events(*shard, rows):
            write(chunk)
        # While Postgres works on the last of them.
        folded = fold(rows)
        if folded is None:
            return False
        begun = copy_format.orders(*shard, folded.begun)
        effects = place | _effects(folded)
    meanwhile()
    # Before the copy of orders: a replay's swap locks `stock`, then `orders`, and must not meet us halfway.
    changed, has_parked = connection.execute(query("copy", "effects"), effects).fetchone() or (0, False)
    if changed != len(folded.changed) or (has_parked and _is_blocked(connection, place, folded)):
        return False
    meanwhile()
    if folded.begun:
        with _copy(connection, "orders") as write:
            write(begun)
        meanwhile()
    return True


@contextmanager
def _copy(connection: Connection, name: str) -> Iterator[Callable[[bytes], None]]:
    with connection.cursor() as cursor, cursor.copy(query("copy", name)) as writer:
        yield writer.write


def _is_blocked(connection: Connection, place: dict[str, Any], folded: Folded) -> bool:
    order_ids = [row[4] for row in folded.changed] + [row[6] for row in folded.begun]
    touched = {"order_ids": arrays.text(order_ids), "skus": arrays.text([row[0] for row in folded.stock])}
    found = connection.execute(query("copy", "blocked"), place | touched).fetchone()
    return found != (False,)


def _effects(folded: Folded) -> dict[str, Any]:
    """The parameters of the statement, as copy.sql unnests them."""
    return _packed(_CHANGED, folded.changed) | _packed(_STOCK, folded.stock)


def _packed(
    columns: Mapping[str, Callable[[list[Any]], Any]], rows: Sequence[tuple[Any, ...]]
) -> dict[str, Any]:
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return {name: pack(list(column)) for (name, pack), column in zip(columns.items(), values, strict=True)}
