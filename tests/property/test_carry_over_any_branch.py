"""Two histories behind one place, each decided by the model of the scripts: what `carry_over` makes of them."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field

import pytest

from flashsale.events import AnyEvent, ShardState, evolve, fold
from flashsale.events import types as t
from flashsale.ids import Position
from flashsale.recover import carry_over
from tests.property.model import Model, Order

SEEDS = 300
SKUS = ("A", "B")
BUYERS = ("ann", "bob", "cid")
#: Where an order may go on from each status, in any number of steps.
LATER = {
    "held": {"held", "confirmed", "cancelled", "expired", "refund_due", "refunded"},
    "confirmed": {"confirmed", "refunded"},
    "expired": {"expired", "confirmed", "refund_due", "refunded"},
    "cancelled": {"cancelled", "refund_due", "refunded"},
    "refund_due": {"refund_due", "refunded"},
    "refunded": {"refunded"},
}


@dataclass
class Shop:
    """A model whose accepted requests are written down as events."""

    chance: random.Random
    model: Model = field(default_factory=lambda: Model(now_ms=100, hold_ms=30, state="open", seq=4))
    log: list[tuple[Position, AnyEvent]] = field(default_factory=list)

    def open(self, quantity: int, limit: int) -> None:
        for sku in SKUS:
            self.model.capacity[sku], self.model.limits[sku] = quantity, limit
        loaded = [t.StockLoaded(1, 1, "x", sku, quantity, limit, quantity, 0, 0, 0) for sku in SKUS]
        events: list[AnyEvent] = [t.SaleLoaded(1, 1, "x", 0, 0, 30), *loaded, t.SaleOpened(1, 1, "x", 1)]
        self.log = [(Position(1, i), event) for i, event in enumerate(events, 1)]

    def work(self, steps: int, prefix: str) -> None:
        """So many random requests; new orders get ids of this history, some the same in both."""
        for number in range(steps):
            self.model.now_ms += self.chance.randrange(12)
            names = list(self.model.orders)
            verb = self.chance.choice(["reserve", "reserve", "confirm", "cancel", "refund", "expire"])
            if verb == "reserve":
                where = prefix if self.chance.random() < 0.8 else "both"
                self._reserve(f"0-{where}-{number:04d}")
            elif verb == "expire":
                for name in self.model.expire(1)[1:]:
                    self._note(name, t.OrderExpired)
            elif names:
                self._resolve(verb, self.chance.choice(names))

    def _reserve(self, name: str) -> None:
        known = name in self.model.orders
        buyer, sku, quantity = (
            self.chance.choice(BUYERS),
            self.chance.choice(SKUS),
            self.chance.randrange(1, 3),
        )
        answer = self.model.reserve(name, buyer, sku, str(quantity))
        if answer.startswith("RESERVED") and not known:
            until_ms = self.model.orders[name].until_ms
            self._note(name, t.OrderReserved, until_ms)

    def _resolve(self, verb: str, name: str) -> None:
        seq = self.model.seq
        if verb == "refund":
            answer = self.model.refund(name, "-", self.chance.choice(["restock", "keep"]))
        else:
            answer = getattr(self.model, verb)(name, "-")
        if self.model.seq == seq:
            return  # refused, or a repeat
        word, _, *rest = answer.split()
        if word == "CONFIRMED":
            self._note(name, t.OrderConfirmed, rest[0] == "1")
        elif word == "REFUNDED":
            self._note(name, t.OrderRefunded, rest[0])
        else:
            self._note(name, {"REFUND_DUE": t.OrderRefundDue, "CANCELLED": t.OrderCancelled}[word])

    def _note(self, name: str, kind: type[t.OrderEvent], *more: object) -> None:
        order: Order = self.model.orders[name]
        counters = self.model.counters(order.sku)
        position = Position(1, self.log[-1][0].seq + 1)
        head = (kind.VERSION, self.model.now_ms, "x", name, order.buyer, order.sku, order.quantity)
        self.log.append((position, kind(*head, *counters, *more)))  # type: ignore[arg-type]  # one of AnyEvent


def histories(seed: int) -> tuple[list[tuple[Position, AnyEvent]], list[tuple[Position, AnyEvent]]]:
    """What Postgres has, and what Redis has behind the place where the two part."""
    chance = random.Random(seed)
    ours = Shop(chance)
    ours.open(chance.randrange(2, 15), chance.choice([0, 0, 3]))
    ours.work(chance.randrange(15), "old")
    theirs = copy.deepcopy(ours)
    parted = len(ours.log)
    ours.work(chance.randrange(25), "ours")
    theirs.work(chance.randrange(25), "theirs")
    return ours.log, theirs.log[parted:]


def founded(log: list[tuple[Position, AnyEvent]]) -> ShardState:
    state = fold(log)
    return evolve(state, Position(2, 1), t.EpochStarted(1, 10_000, "x", *state.position))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_oversold_lost_or_done_twice(seed: int) -> None:
    archive, branch = histories(seed)

    union = carry_over(founded(archive), branch)

    whole = fold(union.log, founded(archive))
    assert whole == union.state, "what is written adds up to what is kept"
    before = fold(archive)
    for name, order in before.orders.items():
        assert whole.orders[name].status in LATER[order.status]
    assert all(stock.available >= 0 for stock in whole.stock.values())
    left_out = {left.order_id for left in union.left_out}
    there = {event.order_id for _, event in branch if isinstance(event, t.OrderEvent)}
    assert there <= set(whole.orders) | left_out
    assert [left.position for left in union.left_out] == sorted(
        (left.position for left in union.left_out), reverse=True
    )
    sold = {event.order_id for _, event in branch if isinstance(event, t.OrderConfirmed)}
    assert all(
        whole.orders[name].status in {"confirmed", "refunded"} or before_paid(before, name)
        for name in sold - left_out
    ), "who was told that an order is paid has it, or is named"


def before_paid(state: ShardState, name: str) -> bool:
    """Postgres knows of the payment, and of the refund that is due."""
    return name in state.orders and state.orders[name].status in {"refund_due", "refunded"}


@pytest.mark.parametrize("seed", range(0, SEEDS, 10))
def test_without_a_branch_nothing_is_written(seed: int) -> None:
    archive, _ = histories(seed)

    union = carry_over(founded(archive), [])

    assert (union.log, union.left_out) == ([], [])
    assert union.state == founded(archive)


@pytest.mark.parametrize("seed", range(0, SEEDS, 10))
def test_what_is_carried_over_is_not_carried_over_again(seed: int) -> None:
    archive, branch = histories(seed)
    first = carry_over(founded(archive), branch)
    refused = {left.order_id for left in first.left_out}
    kept = [
        (position, event)
        for position, event in branch
        if isinstance(event, t.OrderReserved) and event.order_id not in refused
    ]

    assert carry_over(first.state, kept).log == []
