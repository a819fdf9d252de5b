"""The offline check of an exported log: a whole one passes, every kind of damage is found and named."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from flashsale.errors import BadInput
from flashsale.events import RULES, AnyEvent, ShardState, evolve, type_name
from flashsale.events import types as t
from flashsale.ids import Position
from flashsale.verify import verify
from tests.unit.history import (
    CANCELLED,
    DUE,
    EXPIRED,
    HELD,
    KEPT,
    LATE,
    PAID,
    RESTOCKED,
    SETTLED,
    SETTLED_AFTER_CANCEL,
    WARM,
)

Record = dict[str, Any]

ORDERS = 300
CAPACITY = 120


def record(position: Position, event: AnyEvent, sale: str = "s") -> Record:
    """An event as `events export` prints it."""
    head = {"sale": sale, "shard": 0, "epoch": position.epoch, "seq": position.seq, "type": type_name(event)}
    return head | msgspec.structs.asdict(event)


def lines(records: list[Record]) -> list[bytes]:
    return [json.dumps(item).encode() + b"\n" for item in records]


def busy_log(seed: int) -> list[Record]:
    """A sale with every kind of order event, made by a small shop of its own."""
    lot = random.Random(seed)
    state, records = ShardState(), []

    def emit(event: AnyEvent) -> None:
        nonlocal state
        at = Position(1, state.position.seq + 1)
        state = evolve(state, at, event)
        records.append(record(at, event))

    def now() -> int:
        return 1000 + state.position.seq

    emit(t.SaleLoaded(1, 1, "x", 0, 10**9, 60))
    emit(t.StockLoaded(1, 1, "x", "A", CAPACITY, 3, CAPACITY, 0, 0, 0))
    emit(t.SaleOpened(1, 2, "x", 2))
    free, held, sold, kept = CAPACITY, 0, 0, 0
    for number in range(ORDERS):
        order, buyer, units = f"0-order{number:04}", f"b{number % 200}", lot.choice((1, 1, 2))
        if free < units or state.units.get((buyer, "A"), 0) + units > 3:
            continue
        free, held = free - units, held + units
        emit(t.OrderReserved(1, now(), "x", order, buyer, "A", units, free, held, sold, kept, now() + 60))
        match lot.randrange(5):
            case 0:
                free, held = free + units, held - units
                emit(t.OrderCancelled(1, now(), "x", order, buyer, "A", units, free, held, sold, kept))
            case 1:
                free, held = free + units, held - units
                emit(t.OrderExpired(1, now(), "x", order, buyer, "A", units, free, held, sold, kept))
            case 2 | 3:
                held, sold = held - units, sold + units
                emit(
                    t.OrderConfirmed(
                        1, now(), "x", order, buyer, "A", units, free, held, sold, kept, late=False
                    )
                )
                if lot.random() < 0.4:
                    free, sold = free + units, sold - units
                    emit(
                        t.OrderRefunded(
                            2, now(), "x", order, buyer, "A", units, free, held, sold, kept, "restock"
                        )
                    )
    return records


# --------------------------------------------------------------------------------------------------------- whole logs


@pytest.mark.parametrize(
    "events",
    [WARM, HELD, PAID, CANCELLED, EXPIRED, LATE, DUE, RESTOCKED, KEPT, SETTLED, SETTLED_AFTER_CANCEL],
)
def test_a_log_that_adds_up_has_no_violation(events: list[AnyEvent]) -> None:
    records = [record(Position(1, i), event) for i, event in enumerate(events, 1)]

    report = verify(lines(records))

    assert report.violations == []
    assert report.events == report.shards["s", 0].events == len(events)
    assert report.shards["s", 0].state.position == Position(1, len(events))


@pytest.mark.parametrize("seed", range(5))
def test_a_busy_sale_adds_up(seed: int) -> None:
    records = busy_log(seed)

    assert len(records) > 200
    assert verify(lines(records)).violations == []


def test_sales_that_are_mixed_in_one_file_are_judged_apart() -> None:
    first, second = busy_log(1), [item | {"sale": "other"} for item in busy_log(2)]
    del second[40]
    mixed = [item for pair in zip(first, second, strict=False) for item in pair]

    (violation,) = verify(lines(mixed)).violations

    assert (violation.sale, violation.rule, violation.position) == ("other", "U4", Position(1, 42))


@pytest.mark.parametrize("content", [[], [b"\n", b"  \n"]])
def test_an_empty_file_is_no_log_that_adds_up(content: list[bytes]) -> None:
    with pytest.raises(BadInput, match="the file: 'no event' is not accepted; nothing was checked"):
        verify(content)


# ------------------------------------------------------------------------------------------------------------ damage


def test_a_part_of_a_log_cannot_be_checked() -> None:
    with pytest.raises(
        BadInput, match=r"line 1: 'seq 5' is not accepted; a log is checked from its first event on"
    ):
        verify(lines(busy_log(1)[4:]))


def renumbered(records: list[Record]) -> list[Record]:
    return [item | {"seq": i} for i, item in enumerate(records, 1)]


def dropped(records: list[Record], i: int) -> list[Record]:
    return records[:i] + records[i + 1 :]


def doubled(records: list[Record], i: int) -> list[Record]:
    return [*records[: i + 1], *records[i:]]


def swapped(records: list[Record], i: int) -> list[Record]:
    return [*records[:i], records[i + 1], records[i], *records[i + 2 :]]


def changed(field: str, by: Callable[[Any], Any]) -> Callable[[list[Record], int], list[Record]]:
    def change(records: list[Record], i: int) -> list[Record]:
        return [*records[:i], records[i] | {field: by(records[i][field])}, *records[i + 1 :]]

    return change


MUTANTS: dict[str, Callable[[list[Record], int], list[Record]]] = {
    "an event is gone": dropped,
    "an event is gone, and its place too": lambda records, i: renumbered(dropped(records, i)),
    "an event stands twice": doubled,
    "an event stands twice, renumbered": lambda records, i: renumbered(doubled(records, i)),
    "neighbours changed places": swapped,
    "neighbours changed places, renumbered": lambda records, i: renumbered(swapped(records, i)),
    "one unit more": changed("quantity", lambda value: value + 1),
    "one unit less": changed("quantity", lambda value: value - 1),
    "available is off by one": changed("available", lambda value: value + 1),
    "held is off by one": changed("held", lambda value: value - 1),
    "sold is off by one": changed("sold", lambda value: value + 1),
    "returned is off by one": changed("returned", lambda value: value + 1),
    "another order": changed("order_id", lambda value: value + "x"),
    "another buyer": changed("buyer", lambda value: value + "x"),
    "another SKU": changed("sku", lambda value: value + "x"),
    "another epoch": changed("epoch", lambda value: value + 1),
    "no such type": changed("type", lambda value: value + "x"),
    "no number": changed("quantity", str),
}

#: What a single order event cannot show: it is the first of its order, nothing in the log contradicts the new name.
SILENT_AT_RESERVATION = {"another order", "another buyer"}


@pytest.mark.parametrize("name", MUTANTS)
def test_damage_is_found_wherever_it_is(name: str) -> None:
    records = busy_log(7)
    orders = [i for i, item in enumerate(records[:-1]) if item["type"].startswith("order.")]
    lonely = {item["order_id"] for item in records if item["type"].startswith("order.")}
    for item in records:
        if item["type"].startswith("order.") and item["type"] != "order.reserved":
            lonely.discard(item["order_id"])
    judged = 0
    for i in orders[::15]:  # a sample: each is a fold of its own
        if name in SILENT_AT_RESERVATION and records[i]["order_id"] in lonely:
            continue
        if name.startswith("neighbours") and not _matters(records[i], records[i + 1]):
            continue
        mutant = MUTANTS[name](records, i)
        if mutant == records:
            continue
        judged += 1
        (violation,) = verify(lines(mutant)).violations
        assert violation.rule in {*RULES, "decode"}, (name, i)
    assert judged > 10


def _matters(first: Record, second: Record) -> bool:
    """Whether two neighbours can be told apart after they changed places and numbers."""
    return any(first[name] != second[name] for name in ("available", "held", "sold", "returned"))


def test_an_entry_that_could_not_be_read_is_named() -> None:
    records = busy_log(3)
    records[50] = {name: records[50][name] for name in ("sale", "shard", "epoch", "seq")} | {
        "type": None,
        "problem": "Invalid JSON",
        "body": "?",
    }

    (violation,) = verify(lines(records)).violations

    assert violation.rule == "decode"
    assert violation.sentence == "1-51: Invalid JSON"


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"sale":"s","shard":0,"epoch":1,"seq":"1"}',
        b'{"shard":0,"epoch":1,"seq":1}',
    ],
)
def test_a_line_that_is_no_export_is_refused_with_its_number(line: bytes) -> None:
    with pytest.raises(BadInput, match=r"log\.ndjson, line 2: .*events export"):
        verify([*lines(busy_log(1)[:1]), line], "log.ndjson")
