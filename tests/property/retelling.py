"""What Postgres must hold after a log, told from the text of its events alone: without the projections or the fold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flashsale.ids import Position

Rows = list[tuple[Any, ...]]


def retell(log: Iterable[tuple[Position, bytes]]) -> tuple[Rows, Rows]:
    """The rows of `stock` and of `orders`, as `ReadSide` reads them. Fails where units appear or vanish."""
    stock: dict[str, tuple[int, ...]] = {}
    orders: dict[str, dict[str, Any]] = {}
    for position, body in log:
        kind, _, at_ms, _, *rest = json.loads(body)
        subject, _, verb = kind.partition(".")
        if subject == "order":
            name, buyer, sku, quantity, *counters = rest[:8]
            assert sum(counters) == sum(stock[sku]), f"units appear or vanish at {position}"
            stock[sku] = tuple(counters)
            if verb == "reserved":
                assert name not in orders, f"{name} is reserved twice, again at {position}"
                orders[name] = {"by": (name, buyer, sku, quantity), "until": rest[8], "reserved": at_ms}
            orders[name]["changed"] = (*position, at_ms)
            orders[name]["status"] = "held" if verb == "reserved" else verb
        elif subject == "stock":
            sku, counters = (rest[0], rest[3:7]) if verb == "loaded" else (rest[1], rest[3:7])
            stock[sku] = tuple(counters)
    assert all(min(counters) >= 0 for counters in stock.values()), "more is sold than there is"
    return (
        sorted((sku, *counters, sum(counters)) for sku, counters in stock.items()),
        sorted(
            (*o["by"], o["status"], o["until"], *o["changed"][:2], o["reserved"], o["changed"][2])
            for o in orders.values()
        ),
    )
