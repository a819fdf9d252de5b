"""The sales defined in Postgres, and the place of each shard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from flashsale.definition import SaleDefinition, SaleItem
from flashsale.errors import NotFound, RefusedByState
from flashsale.events import ShardState
from flashsale.ids import Position
from flashsale.projections import partitions
from flashsale.projections.database import Connection, errors_told, written, written_at_once
from flashsale.projections.queries import of_shard, query
from flashsale.projections.versions import PROJECTION_VERSIONS
from flashsale.stream import Fence, ShardId


def define(connection: Connection, definition: SaleDefinition) -> None:
    """Store a definition, with its partitions and its checkpoints. Raises `RefusedByState` when it exists."""
    sale = definition.sale
    head = {
        "sale_id": sale,
        "title": definition.title,
        "currency": definition.currency,
        "opens_ms": definition.opens_ms,
        "closes_ms": definition.closes_ms,
        "hold_ms": definition.hold_ms,
        "shards": definition.shards,
    }
    items = definition.items
    columns = {
        "sale_id": sale,
        "sku": [item.sku for item in items],
        "line": list(range(1, len(items) + 1)),
        "title": [item.title for item in items],
        "quantity": [item.quantity for item in items],
        "unit_price_minor": [item.unit_price_minor for item in items],
        "buyer_limit": [item.limit for item in items],
    }
    with errors_told(), written(connection):
        if connection.execute(query("catalog", "insert_sale"), head).fetchone() is None:
            raise RefusedByState(
                f"sale {sale} is defined already; choose another id, or `flashsale sale show {sale}`"
            )
        connection.execute(query("catalog", "insert_items"), columns)
        connection.execute(
            query("catalog", "insert_checkpoints"), {"sale_id": sale, "shards": definition.shards}
        )
        _add_partitions(connection, sale)


def get(connection: Connection, sale: str) -> SaleDefinition:
    """One definition. Raises `NotFound`."""
    found = _definitions(connection, [sale])
    if not found:
        raise NotFound(f"sale {sale} is not defined; `flashsale sale list` shows those that are")
    return found[0]


def every(connection: Connection) -> list[SaleDefinition]:
    """All definitions, oldest first."""
    return _definitions(connection, None)


def due(connection: Connection, *, now_ms: int, within_ms: int) -> list[SaleDefinition]:
    """Sales that open by themselves within that time from now, or should have, and were never warmed; soonest first."""
    with errors_told():
        values = {"now_ms": now_ms, "until_ms": now_ms + within_ms}
        soonest_first = [sale for (sale,) in connection.execute(query("catalog", "due"), values).fetchall()]
    found = {definition.sale: definition for definition in _definitions(connection, soonest_first)}
    return [found[sale] for sale in soonest_first]


def known_logs(connection: Connection, *, running: bool = False) -> dict[ShardId, Fence]:
    """Every shard of every sale, and what a client begins with: a Redis that is behind has lost something.

    `running`: without the sales that are archived, which daemons leave alone.
    """
    with errors_told():
        rows = connection.execute(query("catalog", "fences"), {"all": not running})
        return {
            ShardId(sale, shard): Fence(Position(epoch, seq), defined_at and origin_of(defined_at))
            for sale, shard, epoch, seq, defined_at in rows
        }


def fences(connection: Connection, *, running: bool = False) -> dict[ShardId, Position]:
    """The same, without the origins."""
    return {shard: fence.position for shard, fence in known_logs(connection, running=running).items()}


def origin(connection: Connection, sale: str) -> str:
    """When a sale was defined, to the microsecond. Raises `NotFound`."""
    with errors_told():
        row = connection.execute(query("catalog", "origin"), {"sale_id": sale}).fetchone()
        if row is None:
            raise NotFound(f"sale {sale} is not defined")
        return origin_of(row[0])


def origin_of(defined_at: datetime) -> str:
    """How Redis and Postgres say when a sale was defined: UTC, to the microsecond."""
    return defined_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def adopt(connection: Connection, sale: str, origin: str) -> None:
    """Take a sale for the one that Redis has: it was defined anew after Postgres was lost. Not once it was warmed."""
    with errors_told(), written_at_once():
        connection.execute(query("catalog", "adopt"), {"sale_id": sale, "origin": origin})


def founded_epoch(connection: Connection, shard: ShardId) -> int:
    """The epoch in which a shard's log was founded last; 0 before it was warmed. Raises `NotFound`."""
    with errors_told():
        row = connection.execute(query("catalog", "founded"), of_shard(*shard)).fetchone()
        if row is None:
            raise NotFound(f"{shard} is not defined")
        return int(row[0])


def found(connection: Connection, shard: ShardId, epoch: int, *, before: int) -> bool:
    """Say that a shard's log is about to be founded; False when `before` is not the epoch founded last any more.

    Comes before anything is written to Redis: from here on every new client's fence demands this epoch.
    """
    with errors_told(), written_at_once():
        values = of_shard(*shard) | {"epoch": epoch, "before": before}
        return connection.execute(query("catalog", "found"), values).fetchone() is not None


def mark_archived(connection: Connection, sale: str, *, archived: bool) -> None:
    """Have projectors and sweepers leave a sale alone, or look after it again. A repeat changes nothing."""
    with errors_told(), written_at_once():
        connection.execute(query("catalog", "mark_archived"), {"sale_id": sale, "archived": archived})


def keep_in_step(connection: Connection, sale: str, look: Callable[[], ShardState]) -> None:
    """Write into a definition the window, the hold and the limits that its running sale has.

    `look` tells them. It is asked while nobody else keeps this sale in step, so of two changes at once the newer stays.
    """
    with errors_told(), written(connection):
        connection.execute(query("catalog", "lock_sale"), {"sale_id": sale})
        runs = look()
        head = {"opens_ms": runs.opens_ms, "closes_ms": runs.closes_ms, "hold_ms": runs.hold_ms}
        connection.execute(query("catalog", "update_sale"), head | {"sale_id": sale})
        limits = [stock.limit for stock in runs.stock.values()]
        skus = {"sale_id": sale, "sku": list(runs.stock), "buyer_limit": limits}
        connection.execute(query("catalog", "update_limits"), skus)


def _definitions(connection: Connection, sales: list[str] | None) -> list[SaleDefinition]:
    """Those of these sales, or of all, oldest first."""
    with errors_told():
        rows = connection.execute(query("catalog", "definitions"), {"sale_ids": sales}).fetchall()
    return [
        SaleDefinition(
            sale=sale,
            title=title,
            currency=currency,
            opens_ms=opens_ms,
            closes_ms=closes_ms,
            hold_ms=hold_ms,
            shards=shards,
            items=tuple(
                SaleItem(sku=sku, title=name, quantity=quantity, unit_price_minor=price, limit=limit)
                for sku, name, quantity, price, limit in zip(*columns, strict=True)
            ),
        )
        for sale, title, currency, opens_ms, closes_ms, hold_ms, shards, *columns in rows
    ]


def _add_partitions(connection: Connection, sale: str) -> None:
    """Partitions of the archive and of the projections for this sale.

    Made apart and attached: `CREATE TABLE … PARTITION OF` would lock the whole archive against its readers.
    """
    for parent in ("event_log", *PROJECTION_VERSIONS):
        table = partitions.first_name(parent, sale)
        partitions.create(connection, parent, table, sale)
        partitions.attach(connection, parent, table, sale)
    for name, version in PROJECTION_VERSIONS.items():
        values = {"sale_id": sale, "name": name, "version": version}
        connection.execute(
            query("catalog", "insert_projection"), values | {"live_table": partitions.first_name(name, sale)}
        )
