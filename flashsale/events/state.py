"""The state of one shard, and the rules that hold at every prefix of its log."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from flashsale.errors import Halted
from flashsale.ids import START, Position


class InvariantBroken(Halted):
    """An event does not follow from the ones before it."""

    def __init__(self, rule: str, position: Position, sentence: str) -> None:
        super().__init__(f"{position}: {sentence}")
        #: which rule: a key of `RULES`
        self.rule = rule
        self.position = position


#: Told of a broken rule that leaves no doubt about what the event did; it may raise, or take note.
Tell = Callable[[InvariantBroken], None]

#: What must hold at every prefix of a log.
RULES = {
    "I1": "available + held + sold + returned = capacity, and every event says so",
    "I2": "no counter is below zero: never oversold",
    "I3": "every held and sold unit has an order",
    "U1": "an order is reserved once, a restock done once, a SKU loaded once",
    "U2": "an order goes held → confirmed → refunded, or held → cancelled or expired → refund_due → refunded, "
    "or expired → confirmed, with one content",
    "U4": "positions follow each other without a gap",
    "P1": "no buyer has more units of a SKU than its limit",
    "S1": "a sale goes warm → open ⇄ paused → closed, is closed after its closing time, and knows its SKUs",
    "R1": "a line is drawn once, from the seed that was committed to",
    "W1": "units are reserved while the sale is open, within its window",
}


class Stock(msgspec.Struct):
    """The counters of one SKU."""

    available: int
    held: int
    sold: int
    #: refunded units that are not sold again
    returned: int
    #: units one buyer may hold or own; 0: no limit
    limit: int
    capacity: int


class Order(msgspec.Struct):
    """A buyer's claim on units of one SKU."""

    #: held, confirmed, cancelled, expired, refund_due or refunded
    status: str
    sku: str
    quantity: int
    buyer: str
    hold_until_ms: int
    reserved_at: Position
    changed_at: Position
    #: what a repeat of its last request needs for the same answer: late; restock, keep or none; else ""
    how: str = ""


class Restocked(msgspec.Struct, frozen=True):
    """A restock that was done: what a repeat of its request is compared with, and answered."""

    #: add or remove
    direction: str
    sku: str
    quantity: int
    position: Position
    #: units on sale right after it
    available: int


class Room(msgspec.Struct, frozen=True):
    """The waiting room of a sale, as its log has it."""

    #: open, queue-all or pass-through
    mode: str
    rate_per_s: int
    active_max: int
    pass_ttl_ms: int
    leave_after_ms: int
    shuffle: bool
    #: SHA-256 of the seed, published before the draw
    commitment: str
    #: of the operator, for all who wait
    message: str = ""
    #: the tickets below this one have their places by lot; None before the draw
    drawn: int | None = None
    #: told at the draw; empty: before it, or it was lost, and places are the tickets
    seed: str = ""


class ShardState(msgspec.Struct):
    """Everything one shard's log says, up to `position`."""

    position: Position = START
    #: "" before the log begins; then warm, open, paused or closed
    status: str = ""
    opens_ms: int = 0
    closes_ms: int = 0
    hold_ms: int = 0
    stock: dict[str, Stock] = msgspec.field(default_factory=dict)
    orders: dict[str, Order] = msgspec.field(default_factory=dict)
    #: (buyer, SKU) → units held or sold; nobody with 0
    units: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    #: request id → the restock done
    requests: dict[str, Restocked] = msgspec.field(default_factory=dict)
    #: None: the sale has no waiting room
    room: Room | None = None
