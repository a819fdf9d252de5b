"""What rebuilt tables hold: row by row beside the live ones, and by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from flashsale.ids import Position
from flashsale.projections.database import Connection, errors_told
from flashsale.projections.rebuild import catch_up_within, checkpoints, on_tables
from flashsale.projections.replays import Run
from flashsale.projections.state_hash import state_hash

#: Differing rows that are shown; all are counted.
SHOWN_MAX = 20


class Difference(msgspec.Struct, frozen=True):
    """A row that is not the same in both tables; None: the table has no such row."""

    projection: str
    #: order id or SKU
    key: str
    live: dict[str, Any] | None
    rebuilt: dict[str, Any] | None


class Compared(msgspec.Struct, frozen=True):
    """The live tables and the new ones at the same checkpoint."""

    position: dict[int, Position]
    #: differing rows by projection
    counts: dict[str, int]
    #: the first of them
    shown: list[Difference]
    hash: str
    live_hash: str

    @property
    def differences(self) -> int:
        return sum(self.counts.values())


def compare(connection: Connection, run: Run, live: Mapping[str, str]) -> Compared:
    """Hold the new tables against the live ones, in one snapshot, after catching up with it. Raises `OutOfDate`."""
    with errors_told(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        position = checkpoints(connection, run.sale)
        reached = catch_up_within(connection, run, run.new_tables, position)
        counts, shown = {}, []
        for name, table in run.new_tables.items():
            counts[name], found = _differences(connection, name, live[name], table)
            shown += found
        own = state_hash(connection, {**live, **run.new_tables})
        # Rows that are all the same need no second reading.
        live_hash = state_hash(connection, live) if sum(counts.values()) else own
    run.reached = reached
    return Compared(position, counts, shown, own, live_hash)


def content_hash(connection: Connection, tables: Mapping[str, str]) -> str:
    """The state hash of tables that nobody writes to now."""
    with errors_told(), connection.transaction():
        return state_hash(connection, tables)


def totals(connection: Connection, tables: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Orders and units by status, in the tables named."""
    if "orders" not in tables:
        return {}
    with errors_told():
        rows = on_tables(connection, "order_totals", {}, table=tables["orders"]).fetchall()
        return {status: (orders, units) for status, orders, units in rows}


def counters(connection: Connection, tables: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The counters of each SKU, in the tables named."""
    if "stock" not in tables:
        return {}
    names = ("available", "held", "sold", "returned", "capacity")
    with errors_told():
        rows = on_tables(connection, "stock_content", {}, table=tables["stock"]).fetchall()
        return {sku: dict(zip(names, values, strict=True)) for sku, *values in rows}


def _differences(connection: Connection, name: str, live: str, new: str) -> tuple[int, list[Difference]]:
    rows = on_tables(connection, f"{name}_differences", {"limit": SHOWN_MAX}, live=live, new=new).fetchall()
    return (
        rows[0][0] if rows else 0,
        [Difference(name, key, before, after) for _, key, before, after in rows],
    )
