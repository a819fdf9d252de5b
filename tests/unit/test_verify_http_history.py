"""Histories of clients that speak HTTP: no answer names its place in the log, and lies are found all the same."""

from __future__ import annotations

from typing import Any

import pytest

from flashsale.verify import Source, verify
from tests.unit.verify_kit import Record, counters, event, lines

ORDER, OTHER = "0-order-0001", "0-order-0002"


def about(order: str) -> Record:
    return {"order_id": order, "buyer": "ada", "sku": "phone", "quantity": 1}


LOG = lines(
    event(1, "sale.loaded", opens_ms=0, closes_ms=0, hold_ms=60),
    event(2, "stock.loaded", sku="phone", quantity=3, limit=0, **counters(3, 0)),
    event(3, "sale.opened", opens_ms=5),
    event(4, "order.reserved", **about(ORDER), hold_until_ms=99, **counters(2, 1)),
    event(5, "order.reserved", **about(OTHER), hold_until_ms=99, **counters(1, 2)),
    event(6, "order.confirmed", **about(ORDER), late=False, **counters(1, 1, 1)),
)


def asked(op: int, at_ns: int, order: str = ORDER, command: str = "reserve") -> Record:
    content = {"buyer": "ada", "sku": "phone", "quantity": 1} if command == "reserve" else {}
    of = {"op": op, "at_ns": at_ns, "sale": "s", "shard": 0, "command": command, "order_id": order}
    return {"type": "invoke", **of, **content}


def told(op: int, at_ns: int, code: str = "RESERVED", **fields: Any) -> Record:
    outcome = "ok" if code in ("RESERVED", "CONFIRMED") else "refused"
    detail = "99" if code == "RESERVED" else ""
    return {
        "type": "return",
        "op": op,
        "at_ns": at_ns,
        "outcome": outcome,
        "code": code,
        "detail": detail,
    } | fields


def broken(*records: Record) -> list[tuple[str, int]]:
    header = {"type": "history", "version": 1, "client": "crowd", "clock": "machine boot"}
    report = verify(LOG, "log", [Source("crowd", lines(header, *records))])
    assert report.history is not None
    return [(found.rule, found.op) for found in report.history.violations]


def test_what_is_true_is_believed() -> None:
    assert broken(
        asked(1, 10),
        told(1, 20),
        asked(2, 30, OTHER),
        told(2, 40),
        asked(3, 50, command="confirm"),
        told(3, 60, "CONFIRMED"),
        asked(4, 70),
        told(4, 80, status="confirmed"),
        asked(5, 90, "0-order-0003"),
        told(5, 95, "LIMIT"),
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([asked(1, 10, "0-order-0003"), told(1, 20)], ("K1", 1)),
        ([asked(1, 10, OTHER, "confirm"), told(1, 20, "CONFIRMED")], ("K1", 1)),
        ([asked(1, 10), told(1, 20, detail="98")], ("K1", 1)),
        ([asked(1, 10), told(1, 20, "LIMIT")], ("K2", 1)),
        ([asked(1, 10, OTHER), told(1, 20), asked(2, 30), told(2, 40)], ("K4", 2)),
        ([asked(1, 10, "0-order-0003"), told(1, 20, "SOLD_OUT")], ("K5", 1)),
        ([asked(1, 10), told(1, 20), asked(2, 30), told(2, 40)], ("K6", 2)),
        ([asked(1, 10), told(1, 20), asked(2, 30), told(2, 40, status="cancelled")], ("K6", 2)),
    ],
    ids=[
        "acknowledged, not there",
        "paid, not there",
        "held for another time",
        "refused, and done",
        "asked later, decided before",
        "sold out, and never was",
        "done twice, both as new",
        "repeated as what it never was",
    ],
)
def test_a_lie_is_found(records: list[Record], found: tuple[str, int]) -> None:
    assert broken(*records) == [found]
