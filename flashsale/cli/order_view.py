"""An order's whole story: its events, what Redis says, what Postgres says."""

from __future__ import annotations

from typing import Any

import msgspec

from flashsale import history, ids
from flashsale.cli import output, words
from flashsale.cli.session import Shop
from flashsale.definition import SaleDefinition
from flashsale.errors import NotFound
from flashsale.events import Order, OrderEvent, type_name
from flashsale.history import Shown
from flashsale.ids import Position
from flashsale.projections import catalog, reads
from flashsale.projections.reads import OrderRow
from flashsale.stream import ShardId


class OrderView(msgspec.Struct, frozen=True):
    """One order, wherever it is known."""

    definition: SaleDefinition
    order_id: str
    events: list[Shown]
    redis: Order | None
    postgres: OrderRow | None
    checkpoint: Position

    def record(self) -> dict[str, Any]:
        """For programs."""
        buyer, sku, quantity = self._content()
        price = words.price_minor(self.definition, sku)
        return {
            "sale": self.definition.sale,
            "order": self.order_id,
            "buyer": buyer,
            "sku": sku,
            "quantity": quantity,
            "amount_minor": None if price is None else price * quantity,
            "currency": self.definition.currency,
            "status": self._status(),
            "redis": self.redis and {"status": self.redis.status, "position": str(self.redis.changed_at)},
            "postgres": self.postgres
            and {"status": self.postgres.status, "position": str(self.postgres.position)},
            "events": [event.record() | {"archived": event.archived} for event in self.events],
        }

    def print(self) -> None:
        """For people."""
        buyer, sku, quantity = self._content()
        output.facts(
            [
                ("order", f"{self.order_id} of {self.definition.sale}"),
                ("buyer", buyer),
                (
                    "content",
                    f"{words.count(quantity, 'units')} of {sku}, {words.price(self.definition, sku, quantity)}",
                ),
                ("in Redis", _told(self.redis.status if self.redis else None)),
                (
                    "in Postgres",
                    f"{_told(self.postgres.status if self.postgres else None)} (at {self.checkpoint})",
                ),
            ]
        )
        output.line("")
        # The last column is wide: for those who trace.
        columns = ("time", "event", "detail", "by", "position", "in", "trace id")
        width = len(columns) if any(event.trace_id for event in self.events) else len(columns) - 1
        output.table(columns[:width], [_event_row(event)[:width] for event in self.events])

    def _content(self) -> tuple[str, str, int]:
        for told in (self.redis, self.postgres, *(shown.event for shown in self.events)):
            if isinstance(told, Order | OrderRow | OrderEvent):
                return told.buyer, told.sku, told.quantity
        raise NotFound(f"sale {self.definition.sale} has no order {self.order_id}")

    def _status(self) -> str:
        """Redis is ahead of Postgres, unless it lost the order."""
        told = self.redis or self.postgres
        return told.status if told else "unknown"


def read(shop: Shop, sale: str, order_id: str) -> OrderView:
    """Everything known of an order. Raises `NotFound` when nobody knows it."""
    definition = catalog.get(shop.connection, sale)
    shard = ShardId(sale, ids.shard_of_order(order_id))
    at = history.checkpoint(shop.connection, shard)
    archived = [
        history.shown(shard, entry, archived=True)
        for entry in reads.order_events(shop.connection, shard, order_id)
        if entry.position <= at
    ]
    view = OrderView(
        definition,
        order_id,
        [*archived, *_only_in_stream(shop, shard, order_id, at)],
        shop.order(sale, order_id),
        reads.order(shop.connection, sale, order_id),
        at,
    )
    if not (view.events or view.redis or view.postgres):
        raise NotFound(f"sale {sale} has no order {order_id}")
    return view


def _only_in_stream(shop: Shop, shard: ShardId, order_id: str, after: Position) -> list[Shown]:
    found = []
    for entry in history.entries(shop.log, shop.connection, shard, after):
        if order_id.encode() in (entry.body or b""):  # few of many: the others need not be decoded
            event = history.shown(shard, entry, archived=False)
            if event.event is None or getattr(event.event, "order_id", "") == order_id:
                found.append(event)
    return found


def _told(status: str | None) -> str:
    return status or "not there"


def _event_row(shown: Shown) -> tuple[str, ...]:
    where = "Postgres" if shown.archived else "the log only"
    event = shown.event
    if event is None:
        return ("", "unreadable", shown.problem, "", str(shown.position), where, "")
    fields = history.fields_of(event)
    detail = [f"{words.count(fields['quantity'], 'units')} of {fields['sku']}"] if "sku" in fields else []
    if "hold_until_ms" in fields:
        detail.append(f"held until {words.clock(fields['hold_until_ms'])}")
    if fields.get("late"):
        detail.append("late: its hold had expired")
    if "units" in fields:
        detail.append(f"units: {fields['units']}")
    return (
        words.clock(event.at_ms),
        type_name(event).removeprefix("order."),
        ", ".join(detail),
        event.by,
        str(shown.position),
        where,
        shown.trace_id,
    )
