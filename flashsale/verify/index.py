"""What one shard's log said at any of its places: what a client was told is held against it.

A place is counted as a prefix: the number of events up to and including it, over all epochs. Memory: about 1 KB for
each order in the log, nothing for a request that was refused.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

import msgspec

from flashsale.events import AnyEvent, Order, Restocked, ShardState
from flashsale.events import types as t
from flashsale.ids import Position


class Done(msgspec.Struct, frozen=True):
    """What a request was answered that wrote an event."""

    command: str
    code: str
    #: None where the event does not say it in one word
    detail: str | None = ""


class Moment(msgspec.Struct, frozen=True):
    """The sale, as the log has it."""

    status: str
    opens_ms: int
    closes_ms: int
    #: whether a reservation needs a pass of the waiting room
    demands_pass: bool = False


class Timeline:
    """A number that changes along the log."""

    __slots__ = ("_prefixes", "_values")

    def __init__(self) -> None:
        self._prefixes = array("q")
        self._values = array("q")

    def put(self, prefix: int, value: int) -> None:
        """It is `value` from here on."""
        if not self._values or self._values[-1] != value:
            self._prefixes.append(prefix)
            self._values.append(value)

    def at(self, prefix: int) -> int | None:
        """What it was right after this prefix; None before it was anything."""
        i = bisect_right(self._prefixes, prefix)
        return self._values[i - 1] if i else None

    def least(self) -> int:
        """The smallest that it ever was. It must have been something."""
        return min(self._values)


class StockTimeline:
    """The counters of one SKU."""

    __slots__ = ("available", "capacity", "limit")

    def __init__(self) -> None:
        self.available = Timeline()
        self.capacity = Timeline()
        self.limit = Timeline()


_RESERVED = Done("reserve", "RESERVED", None)
_RESTOCKED = Done("restock", "RESTOCKED", None)
_LOADED = Done("load", "LOADED", None)
_CONFIRMED, _CONFIRMED_LATE = Done("confirm", "CONFIRMED", "0"), Done("confirm", "CONFIRMED", "1")
_REFUNDED = {units: Done("refund", "REFUNDED", units) for units in ("restock", "keep", "none")}
_DONE: dict[type[t.Event], Done] = {
    t.SaleLoaded: _LOADED,
    t.StockLoaded: _LOADED,
    t.SaleOpened: Done("open", "OPENED", None),
    t.SalePaused: Done("pause", "PAUSED"),
    t.SaleResumed: Done("resume", "RESUMED"),
    t.SaleClosed: Done("close", "CLOSED"),
    t.SaleReconfigured: Done("reconfigure", "RECONFIGURED"),
    t.SaleRoomSet: Done("room", "ROOM_SET"),
    t.SaleLineDrawn: Done("admit", "CALLED"),
    t.StockAdded: _RESTOCKED,
    t.StockRemoved: _RESTOCKED,
    t.OrderReserved: _RESERVED,
    t.OrderCancelled: Done("cancel", "CANCELLED", "0"),
    t.OrderExpired: Done("expire", "EXPIRED"),
    t.OrderRefundDue: Done("confirm", "REFUND_DUE", "0"),
    t.EpochStarted: Done("found", "FOUNDED"),
}
#: The status in which each of these leaves its order.
_STATUS = {
    "RESERVED": "held",
    "CONFIRMED": "confirmed",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
    "REFUND_DUE": "refund_due",
    "REFUNDED": "refunded",
}


class Index:
    """One shard's log, to be looked up. `add` wants every event with the state after it."""

    def __init__(self) -> None:
        self.state = ShardState()
        #: by prefix; the one at 0 stands for nothing
        self.done: list[Done] = [Done("", "")]
        self.stock: dict[str, StockTimeline] = {}
        #: order id → the prefixes of its events
        self._steps: dict[str, tuple[int, ...]] = {}
        #: SKUs that have or had a limit
        self._limited: set[str] = set()
        #: (buyer, SKU) → units held or owned of one of these
        self._units: dict[tuple[str, str], Timeline] = {}
        self._moments: list[Moment] = []
        self._moment_prefixes: list[int] = []
        #: epoch → (prefix before its first event, its newest seq)
        self._epochs: dict[int, tuple[int, int]] = {}

    def add(self, position: Position, event: AnyEvent, state: ShardState) -> None:
        """Take in one more event."""
        prefix = len(self.done)
        self.state = state
        before, _ = self._epochs.get(position.epoch, (prefix - 1, 0))
        self._epochs[position.epoch] = (before, position.seq)
        self.done.append(_done(event))
        if isinstance(event, t.OrderEvent):
            self._steps[event.order_id] = (*self._steps.get(event.order_id, ()), prefix)
            stock = self.stock[event.sku]
            stock.available.put(prefix, event.available)
            if event.sku in self._limited:
                holder = (event.buyer, event.sku)
                self._units.setdefault(holder, Timeline()).put(prefix, state.units.get(holder, 0))
        elif isinstance(event, t.StockLoaded | t.StockAdded | t.StockRemoved):
            stock = self.stock.setdefault(event.sku, StockTimeline())
            stock.available.put(prefix, event.available)
            stock.capacity.put(prefix, state.stock[event.sku].capacity)
            self._put_limit(prefix, event.sku, state.stock[event.sku].limit)
        else:
            self._add_moment(prefix, event)

    def _add_moment(self, prefix: int, event: AnyEvent) -> None:
        state = self.state
        self._moment_prefixes.append(prefix)
        demands_pass = state.room is not None and state.room.mode != "pass-through"
        self._moments.append(Moment(state.status, state.opens_ms, state.closes_ms, demands_pass))
        if isinstance(event, t.SaleReconfigured):
            for sku, limit in event.limits:
                self._put_limit(prefix, sku, limit)

    def _put_limit(self, prefix: int, sku: str, limit: int) -> None:
        self.stock[sku].limit.put(prefix, limit)
        if not limit or sku in self._limited:
            return
        self._limited.add(sku)
        for holder, units in self.state.units.items():
            if holder[1] == sku:
                self._units.setdefault(holder, Timeline()).put(prefix, units)

    def prefix(self, position: Position) -> int | None:
        """Which prefix ends there; None when the log has no such place."""
        if position == (0, 0):
            return 0
        before, newest = self._epochs.get(position.epoch, (0, 0))
        return before + position.seq if 1 <= position.seq <= newest else None

    def is_superseded(self, epoch: int) -> bool:
        """Whether the log was founded anew after this epoch: what stood at its end may have been lost."""
        return epoch in self._epochs and epoch < self.state.position.epoch

    def epoch_of(self, prefix: int) -> int:
        """The epoch in which a prefix ends."""
        return max(epoch for epoch, (before, _) in self._epochs.items() if before < prefix)

    def steps(self, order_id: str) -> tuple[int, ...]:
        """The prefixes that end with an event of this order."""
        return self._steps.get(order_id, ())

    def order_at(self, order_id: str, prefix: int) -> Order | None:
        """An order that was there: its content (of its last status); None when it was not yet."""
        steps = self.steps(order_id)
        return self.state.orders[order_id] if steps and steps[0] <= prefix else None

    def status_at(self, order_id: str, prefix: int) -> tuple[str, str]:
        """An order's status at a prefix, and what its last event says; both "" when it was not there yet."""
        steps = self.steps(order_id)
        i = bisect_right(steps, prefix)
        if not i:
            return "", ""
        done = self.done[steps[i - 1]]
        return _STATUS[done.code], done.detail or ""

    def span_of(self, order_id: str, status: str) -> tuple[int, int] | None:
        """The first prefix at which an order had a status, and the last; None when it never had it."""
        steps = self.steps(order_id)
        for i, step in enumerate(steps):
            if _STATUS[self.done[step].code] == status:
                return step, steps[i + 1] - 1 if i + 1 < len(steps) else len(self.done)
        return None

    def restock_at(self, request_id: str, prefix: int) -> Restocked | None:
        """A restock that had been done."""
        done = self.state.requests.get(request_id)
        at = None if done is None else self.prefix(done.position)
        return done if at is not None and at <= prefix else None

    def units_at(self, buyer: str, sku: str, prefix: int) -> int:
        """Units that a buyer held or owned, of a SKU with a limit."""
        timeline = self._units.get((buyer, sku))
        return timeline.at(prefix) or 0 if timeline else 0

    def moment(self, prefix: int) -> Moment:
        """The sale at a prefix."""
        i = bisect_right(self._moment_prefixes, prefix)
        return self._moments[i - 1] if i else Moment("", 0, 0)


def _done(event: AnyEvent) -> Done:
    if isinstance(event, t.OrderConfirmed):
        return _CONFIRMED_LATE if event.late else _CONFIRMED
    if isinstance(event, t.OrderRefunded):
        return _REFUNDED[event.units]
    return _DONE[type(event)]
