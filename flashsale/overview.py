"""Everything that is sold and runs, at one look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from flashsale import comparison_words, words
from flashsale.errors import Halted
from flashsale.looking import Look
from flashsale.sale_view import BUCKETS, View, applied_per_s, events_per_s, sums, view_of

if TYPE_CHECKING:
    from flashsale.definition import SaleDefinition
    from flashsale.projections.comparisons import Comparison
    from flashsale.projections.reads import CheckpointRow, ProjectorRow
    from flashsale.shard_status import ShardStatus
    from flashsale.shop import Shop


class SaleLook(msgspec.Struct, frozen=True):
    """One sale."""

    view: View
    status: ShardStatus
    #: delivered to a projector, not acknowledged
    pending: int
    #: for how long the oldest hold should have ended; None while there is none that should
    overdue_ms: int | None
    #: what `reconcile` found last; None: nobody ever compared it
    comparison: Comparison | None


class Overview(msgspec.Struct, frozen=True):
    """Everything that is not archived."""

    #: by id, in the order in which they were defined
    sales: dict[str, SaleLook]
    #: sale → why its records cannot be read
    unreadable: dict[str, str]
    archived: int
    projectors: list[ProjectorRow]


def take(shop: Shop) -> Overview:
    """Look at everything. A sale whose records cannot be read does not hide the others."""
    from flashsale.projections import catalog, comparisons, reads

    compared = comparisons.every(shop.connection)
    rows = {row.shard.sale: row for row in reads.checkpoints(shop.connection)}
    sales: dict[str, SaleLook] = {}
    unreadable: dict[str, str] = {}
    for definition in catalog.every(shop.connection):
        row = rows.get(definition.sale)
        if row is None or row.archived:  # it was defined since the statement before
            continue
        try:
            sales[definition.sale] = _look_at(shop, definition, row, compared.get(row.shard))
        except Halted as error:
            unreadable[definition.sale] = str(error)
    archived = sum(row.archived for row in rows.values())
    return Overview(sales, unreadable, archived, reads.projectors(shop.connection))


def _look_at(
    shop: Shop, definition: SaleDefinition, row: CheckpointRow, comparison: Comparison | None
) -> SaleLook:
    from flashsale.shard_status import shard_status

    view = view_of(shop, definition)
    return SaleLook(
        view=view,
        status=shard_status(shop.log, row, shop.now_ms),
        pending=sum(consumer.pending for consumer in shop.log.consumers(row.shard)),
        overdue_ms=shop.log.overdue_ms(row.shard, view.snapshot.now_ms),
        comparison=comparison,
    )


def rate(look: Look[Overview], sale: str) -> float | None:
    """Events a second since the look before; None when there was none."""
    before = look.before.sales.get(sale) if look.before else None
    return None if before is None else events_per_s(before.view, look.seen.sales[sale].view)


def applied_rate(look: Look[Overview], sale: str) -> float:
    """Events a second that Postgres applied since the look before; 0 when there was none."""
    before = look.before.sales.get(sale) if look.before else None
    return 0.0 if before is None else applied_per_s(before.view, look.seen.sales[sale].view)


def record(look: Look[Overview]) -> dict[str, Any]:
    """For programs."""
    if look.away:
        return {"away": look.away}
    return {
        "sales": [_sale_record(look, sale) for sale in look.seen.sales],
        "unreadable": look.seen.unreadable,
        "archived_sales": look.seen.archived,
        "projectors": [
            {
                "name": projector.name,
                "shards": projector.shards,
                "heartbeat_age_s": words.seconds(projector.heartbeat_age_ms),
            }
            for projector in look.seen.projectors
        ],
    }


def _sale_record(look: Look[Overview], sale: str) -> dict[str, Any]:
    found = look.seen.sales[sale]
    view, status, events = found.view, found.status, rate(look, sale)
    counters = sums(view) if view.stock else dict.fromkeys(BUCKETS)
    return {
        "at": words.iso(view.snapshot.now_ms),
        "sale": sale,
        "state": view.state,
        **counters,
        "events_per_s": None if events is None else round(events, 1),
        "position": str(view.snapshot.state.position),
        "projection": status.state,
        "lag_events": status.lag_events,
        "lost_events": status.lost_events,
        "lag_s": status.lag_s,
        "pending": found.pending,
        "parked": status.parked,
        "overdue_s": words.seconds(found.overdue_ms),
        "projector": status.holder,
        "heartbeat_age_s": status.heartbeat_age_s if status.holder else None,
        "halted": status.halted,
        "comparison": comparison_words.record(found.comparison),
    }
