"""A sale in plain Python, written from the promise and not from the scripts: what each request must be answered.

It decides one request after the other and knows nothing of batches, records or counters kept twice. The clock is the
one that the script reports.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


class Malformed(Exception):
    """The script must end with an error reply."""


@dataclass
class Order:
    """A buyer's claim."""

    buyer: str
    sku: str
    quantity: int
    until_ms: int
    reserved_at: str
    status: str = "held"
    changed_at: str = ""
    detail: str = ""

    @property
    def content(self) -> tuple[str, str, int]:
        """What makes a repeat of its request one."""
        return self.buyer, self.sku, self.quantity


@dataclass
class Model:
    """One shard."""

    #: Redis's clock, as the script reports it: set before each request
    now_ms: int = 0
    epoch: int = 1
    seq: int = 0
    state: str = ""
    opens_ms: int = 0
    closes_ms: int = 0
    hold_ms: int = 0
    capacity: dict[str, int] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    returned: Counter[str] = field(default_factory=Counter)
    orders: dict[str, Order] = field(default_factory=dict)
    restocks: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    #: whether a reservation needs a pass
    is_guarded: bool = False
    #: who has one: no event tells of that, so it is looked up before each reservation
    passes: set[str] = field(default_factory=set)

    # ------------------------------------------------------------------------------------------------- what there is

    @property
    def head(self) -> str:
        """The newest position."""
        return f"{self.epoch}-{self.seq}" if self.seq else "0-0"

    @property
    def is_over(self) -> bool:
        """Whether the closing time has passed."""
        return 0 < self.closes_ms <= self.now_ms

    @property
    def state_now(self) -> str:
        """What the sale does at this moment: its window counts as much as what people did."""
        if self.is_over:
            return "closed"
        if self.state in {"", "paused", "closed"} or (self.state == "warm" and not self.opens_ms):
            return self.state
        return "scheduled" if self.now_ms < self.opens_ms else "open"

    def units(self, sku: str, *statuses: str, buyer: str = "") -> int:
        """Units of a SKU in orders of these statuses."""
        return sum(
            order.quantity
            for order in self.orders.values()
            if order.sku == sku and order.status in statuses and buyer in {"", order.buyer}
        )

    def available(self, sku: str) -> int:
        """What is left: the rest."""
        return self.capacity[sku] - self.returned[sku] - self.units(sku, "held", "confirmed")

    def counters(self, sku: str) -> tuple[int, int, int, int]:
        """Available, held, sold, returned."""
        sold = self.units(sku, "confirmed")
        return self.available(sku), self.units(sku, "held"), sold, self.returned[sku]

    def mine(self, buyer: str, sku: str) -> int:
        """Units that count for a buyer's limit."""
        return self.units(sku, "held", "confirmed", buyer=buyer)

    def fits(self, buyer: str, sku: str, quantity: int) -> bool:
        """Whether the buyer's limit leaves room."""
        return self.limits[sku] == 0 or self.mine(buyer, sku) + quantity <= self.limits[sku]

    def _event(self) -> str:
        self.seq += 1
        return self.head

    def _refusal(self, word: str, *details: object) -> str:
        return " ".join(map(str, (word, self.head, *details)))

    # ------------------------------------------------------------------------------------------------ what buyers ask

    def reserve(self, name: str, buyer: str, sku: str, quantity: str) -> str:
        """Answer one reservation."""
        known = self.orders.get(name)
        if known:
            if known.content != (buyer, sku, int(quantity)):
                return self._refusal("CONFLICT")
            return f"RESERVED {known.reserved_at} {known.until_ms} {known.status}"
        refused = self._why_closed() or self._why_not(buyer, sku, int(quantity))
        if refused:
            return refused
        place, until_ms = self._event(), self.now_ms + self.hold_ms
        self.orders[name] = Order(buyer, sku, int(quantity), until_ms, place)
        if self.is_guarded:
            self.passes.remove(buyer)
        return f"RESERVED {place} {until_ms}"

    def _why_closed(self) -> str:
        if self.state_now in {"closed", "paused"}:
            return self._refusal(self.state_now.upper())
        return "" if self.state_now == "open" else self._refusal("NOT_OPEN", self.opens_ms)

    def _why_not(self, buyer: str, sku: str, quantity: int) -> str:
        if sku not in self.capacity:
            return self._refusal("UNKNOWN_SKU")
        if self.available(sku) < quantity:
            return self._refusal("SOLD_OUT", self.available(sku))
        if self.is_guarded and buyer not in self.passes:
            return self._refusal("NO_PASS")
        if not self.fits(buyer, sku, quantity):
            return self._refusal("LIMIT", self.mine(buyer, sku))
        return ""

    def _owned(self, name: str, buyer: str) -> Order | None:
        order = self.orders.get(name)
        return order if order and buyer in {"-", order.buyer} else None

    def _end(self, order: Order, status: str, detail: str = "") -> str:
        order.status, order.detail, order.changed_at = status, detail, self._event()
        return order.changed_at

    def confirm(self, name: str, buyer: str) -> str:
        """Answer one payment."""
        order = self._owned(name, buyer)
        if order is None:
            return self._refusal("NOT_FOUND")
        if order.status == "held":
            return f"CONFIRMED {self._end(order, 'confirmed', '0')} 0"
        if order.status in {"expired", "cancelled"}:
            return self._confirm_late(order)
        if order.status == "confirmed":
            return f"CONFIRMED {order.changed_at} {order.detail} confirmed"
        if order.status == "refund_due":
            return f"REFUND_DUE {order.changed_at} 0 refund_due"
        return self._refusal("WRONG_STATE", order.status)

    def _confirm_late(self, order: Order) -> str:
        left = self.available(order.sku) >= order.quantity
        wanted = order.status == "expired"
        if wanted and left and self.fits(order.buyer, order.sku, order.quantity):
            return f"CONFIRMED {self._end(order, 'confirmed', '1')} 1"
        return f"REFUND_DUE {self._end(order, 'refund_due')} 0"

    def cancel(self, name: str, buyer: str) -> str:
        """Answer one cancellation."""
        order = self._owned(name, buyer)
        if order is None:
            return self._refusal("NOT_FOUND")
        if order.status == "held":
            return f"CANCELLED {self._end(order, 'cancelled')} 0"
        if order.status == "cancelled":
            return f"CANCELLED {order.changed_at} 0 cancelled"
        return self._refusal("WRONG_STATE", order.status)

    def refund(self, name: str, buyer: str, way: str) -> str:
        """Answer one refund."""
        order = self._owned(name, buyer)
        if order is None:
            return self._refusal("NOT_FOUND")
        if order.status == "refunded":
            if order.detail in {way, "none"}:
                return f"REFUNDED {order.changed_at} {order.detail} refunded"
            return self._refusal("CONFLICT", order.detail)
        if order.status not in {"confirmed", "refund_due"}:
            return self._refusal("WRONG_STATE", order.status)
        way = "none" if order.status == "refund_due" else way
        self.returned[order.sku] += order.quantity if way == "keep" else 0
        return f"REFUNDED {self._end(order, 'refunded', way)} {way}"

    def expire(self, most: int) -> list[str]:
        """Answer a sweep."""
        held = sorted((o.until_ms, name) for name, o in self.orders.items() if o.status == "held")
        ended = [name for until_ms, name in held if until_ms <= self.now_ms][:most]
        for name in ended:
            self._end(self.orders[name], "expired")
        following = held[len(ended)][0] if len(held) > len(ended) else 0
        return [self._refusal("EXPIRED", len(ended), following), *ended]
