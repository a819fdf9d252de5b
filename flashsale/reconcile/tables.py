"""Hold the rows of orders and stock in Postgres against the log. What is a dead letter is kept out on purpose."""

from __future__ import annotations

from collections.abc import Iterator

from flashsale.events import Audit, Order, Told
from flashsale.projections.reads import OrderRow, StockRow, Tables, Withheld
from flashsale.reconcile.finding import Finding


def differences(audit: Audit, tables: Tables) -> Iterator[Finding]:
    """Everything in which Postgres differs from the log at its checkpoint."""
    waiting, resized = kept_back(tables.withheld)
    for key in sorted((audit.state.orders.keys() | tables.orders.keys()) - waiting):
        yield from order_difference(key, audit.state.orders.get(key), tables.orders.get(key))
    for sku in sorted((audit.told.keys() | tables.stock.keys()) - resized):
        yield from stock_difference(sku, audit, tables.stock.get(sku))


def kept_back(withheld: list[Withheld]) -> tuple[set[str], set[str]]:
    """Orders with a dead letter, and SKUs whose stock event is one: Postgres keeps them as they were before it."""
    orders = {letter.order_id for letter in withheld if letter.order_id is not None}
    return orders, {letter.sku for letter in withheld if letter.order_id is None and letter.sku is not None}


def order_difference(key: str, order: Order | None, row: OrderRow | None) -> Iterator[Finding]:
    log, seen = of_order(order), of_row(row)
    if log == seen:
        return
    if order is None:
        yield Finding("extra-order", key, None, seen)
    elif row is None:
        yield Finding("missing-order", key, log, None, order.changed_at, sku=order.sku)
    else:
        yield Finding("wrong-status", key, log, seen, order.changed_at, sku=order.sku)


def stock_difference(sku: str, audit: Audit, row: StockRow | None) -> Iterator[Finding]:
    told = audit.told.get(sku)
    log, seen = of_told(told), of_stock(row)
    if log == seen:
        return
    astray, first = audit.astray.get(sku), None
    if told is not None and row is not None and astray is not None:
        buckets = (row.available, row.held, row.sold, row.returned)
        # Rows take the counters that events carry: wrong ones came with the first event that carries them.
        if tuple(a - b for a, b in zip(buckets, told.counters, strict=True)) == astray.by:
            first = astray.since
    yield Finding("stock-row", sku, log, seen, first, sku=sku)


def of_order(order: Order | None) -> str | None:
    if order is None:
        return None
    return (
        f"{order.status} {order.sku} {order.quantity} {order.buyer} {order.hold_until_ms} {order.changed_at}"
    )


def of_row(row: OrderRow | None) -> str | None:
    if row is None:
        return None
    return f"{row.status} {row.sku} {row.quantity} {row.buyer} {row.hold_until_ms} {row.position}"


def of_told(told: Told | None) -> str | None:
    return None if told is None else " ".join(map(str, (*told.counters, told.capacity)))


def of_stock(row: StockRow | None) -> str | None:
    if row is None:
        return None
    return f"{row.available} {row.held} {row.sold} {row.returned} {row.capacity}"
