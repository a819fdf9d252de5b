"""An order's whole story: its events, what Redis says, what Postgres says."""

from __future__ import annotations

from typing import Any

import msgspec

from flashsale import history, ids, words
from flashsale.definition import SaleDefinition
from flashsale.errors import NotFound
from flashsale.events import AnyEvent, Order, OrderEvent
from flashsale.history import Shown
from flashsale.ids import Position
from flashsale.projections import catalog, reads
from flashsale.projections.reads import OrderRow
from flashsale.shop import Shop
from flashsale.stream import ShardId


class Story(msgspec.Struct, frozen=True):
    """One order, wherever it is known."""

    definition: SaleDefinition
    order_id: str
    events: list[Shown]
    redis: Order | None
    postgres: OrderRow | None
    checkpoint: Position

    def record(self) -> dict[str, Any]:
        """For programs."""
        buyer, sku, quantity = self.content()
        price = words.price_minor(self.definition, sku)
        return {
            "sale": self.definition.sale,
            "order": self.order_id,
            "buyer": buyer,
            "sku": sku,
            "quantity": quantity,
            "amount_minor": None if price is None else price * quantity,
            "currency": self.definition.currency,
            "status": self.status(),
            "redis": self.redis and {"status": self.redis.status, "position": str(self.redis.changed_at)},
            "postgres": self.postgres
            and {"status": self.postgres.status, "position": str(self.postgres.position)},
            "events": [event.record() | {"archived": event.archived} for event in self.events],
        }

    def content(self) -> tuple[str, str, int]:
        """Buyer, SKU and quantity. Raises `NotFound` when nobody knows them."""
        for told in (self.redis, self.postgres, *(shown.event for shown in self.events)):
            if isinstance(told, Order | OrderRow | OrderEvent):
                return told.buyer, told.sku, told.quantity
        raise NotFound(f"sale {self.definition.sale} has no order {self.order_id}")

    def status(self) -> str:
        """Redis is ahead of Postgres, unless it lost the order."""
        told = self.redis or self.postgres
        return told.status if told else "unknown"


def read(shop: Shop, sale: str, order_id: str) -> Story:
    """Everything known of an order. Raises `NotFound` when nobody knows it."""
    definition = catalog.get(shop.connection, sale)
    shard = ShardId(sale, ids.shard_of_order(order_id))
    at = history.checkpoint(shop.connection, shard)
    archived = [
        history.shown(shard, entry, archived=True)
        for entry in reads.order_events(shop.connection, shard, order_id)
        if entry.position <= at
    ]
    story = Story(
        definition,
        order_id,
        [*archived, *_only_in_stream(shop, shard, order_id, at)],
        shop.order(sale, order_id),
        reads.order(shop.connection, sale, order_id),
        at,
    )
    if not (story.events or story.redis or story.postgres):
        raise NotFound(f"sale {sale} has no order {order_id}")
    return story


def _only_in_stream(shop: Shop, shard: ShardId, order_id: str, after: Position) -> list[Shown]:
    found = []
    for entry in history.entries(shop.log, shop.connection, shard, after):
        if order_id.encode() in (entry.body or b""):  # few of many: the others need not be decoded
            event = history.shown(shard, entry, archived=False)
            if event.event is None or getattr(event.event, "order_id", "") == order_id:
                found.append(event)
    return found


def detail_of(event: AnyEvent) -> str:
    """What an event says of its order, beside the order itself."""
    fields = history.fields_of(event)
    detail = [f"{words.count(fields['quantity'], 'units')} of {fields['sku']}"] if "sku" in fields else []
    if "hold_until_ms" in fields:
        detail.append(f"held until {words.clock(fields['hold_until_ms'])}")
    if fields.get("late"):
        detail.append("late: its hold had expired")
    if "units" in fields:
        detail.append(f"units: {fields['units']}")
    return ", ".join(detail)
