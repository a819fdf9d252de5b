"""One shard under a lease without a projector around it, and events made by hand to lay before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from flashsale.events import Event, encode
from flashsale.events.types import OrderConfirmed, OrderReserved, StockAdded, StockLoaded
from flashsale.ids import Position
from flashsale.projections.apply import Applied, Lease, apply_rows
from flashsale.projections.batch import Row, read_entry
from flashsale.projections.lease import acquire
from flashsale.stream import Entry
from tests.fixtures.read_side import ReadSide

TABLES = ("event_log", "orders", "stock", "checkpoint", "parked", "dead_letter_audit")


@dataclass
class Desk:
    """One shard under a lease, without a projector around it."""

    side: ReadSide
    lease: Lease

    def apply(self, *events: Event | bytes | None) -> Applied:
        """Apply events that follow the checkpoint."""
        return apply_rows(self.side.postgres, self.lease, self.rows(*events))

    def rows(self, *events: Event | bytes | None) -> list[Row]:
        """Events as they would stand behind the checkpoint."""
        epoch, seq = max(self.lease.checkpoint, Position(1, 0))
        bodies = [encode(event) if isinstance(event, Event) else event for event in events]
        return [read_entry(Entry(Position(epoch, seq + i), body)) for i, body in enumerate(bodies, 1)]

    def seqs(self, table: str) -> list[int]:
        """The positions that a table knows, without the epoch."""
        return [seq for (seq,) in self.side.rows(f"SELECT seq FROM {table} ORDER BY seq")]

    def everything(self) -> list[Any]:
        """All that is in the tables."""
        return [self.side.rows(f"SELECT {table}::text FROM {table} ORDER BY 1") for table in TABLES]

    def dead_letters(self) -> list[tuple[Any, ...]]:
        """What is parked, as (seq, kind, order, sku, class of the error)."""
        return self.side.rows("SELECT seq, kind, order_id, sku, error_class FROM parked ORDER BY seq")


def open_desk(side: ReadSide) -> Desk:
    """The desk of the shard that is defined and that nobody leads."""
    (lease,) = acquire(side.postgres, "p1", 1)
    return Desk(side, lease)


def loaded(units: int = 10, sku: str = "phone") -> StockLoaded:
    return StockLoaded(1, 1_000, "tests", sku, units, 0, units, 0, 0, 0)


def reserved(order: str, available: int, held: int, quantity: int = 1, **other: Any) -> OrderReserved:
    event = OrderReserved(
        1, 2_000, "tests", f"0-order-{order}", "ann", "phone", quantity, available, held, 0, 0, 9_000
    )
    return msgspec.structs.replace(event, **other)


def confirmed(order: str, available: int, held: int, sold: int) -> OrderConfirmed:
    return OrderConfirmed(
        1, 3_000, "tests", f"0-order-{order}", "ann", "phone", 1, available, held, sold, 0, late=False
    )


def added(units: int, available: int, held: int, request: str = "more") -> StockAdded:
    return StockAdded(1, 3_000, "tests", request, "phone", units, available, held, 0, 0)
