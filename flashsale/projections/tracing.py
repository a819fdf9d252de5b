"""Say of single events what became of them: of those that are parked, and of the traced ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from flashsale.events import trace_of
from flashsale.ids import Position
from flashsale.projections.database import Connection
from flashsale.projections.queries import of_shard, query
from flashsale.stream import Entry, ShardId

log = structlog.get_logger(__name__)

#: Parked events of one batch that are logged one by one. `events_parked` counts them all, `dead-letter list` has them.
PARKED_TOLD_MAX = 20


def tell(connection: Connection, shard: ShardId, batch: Sequence[Entry], parked: int) -> None:
    """Log what was parked of a batch that is written, and, at level debug, what was applied of it and has a trace id.

    `parked`: how many of its events are.
    """
    if not parked and not log.is_enabled_for(logging.DEBUG):
        return
    left, withheld = PARKED_TOLD_MAX, _withheld(connection, shard, batch) if parked else {}
    for entry in batch:
        trace_id = trace_of(entry.body or b"")
        letter = withheld.get(entry.position)
        if letter is None and trace_id:
            log.debug(
                "applied",
                action="event_applied", shard=str(shard), position=str(entry.position), trace_id=trace_id,
            )  # fmt: skip
        elif letter is not None and left:
            left -= 1
            log.error(
                letter.error,
                action="event_parked", shard=str(shard), position=str(entry.position), trace_id=trace_id or None,
                order_id=letter.order_id, error_class=letter.error_class,
            )  # fmt: skip


class _Letter(NamedTuple):
    order_id: str | None
    error_class: str
    error: str


def _withheld(connection: Connection, shard: ShardId, batch: Sequence[Entry]) -> dict[Position, _Letter]:
    first, last = batch[0].position, batch[-1].position
    rows = connection.execute(
        query("dead_letters", "parked_between"),
        of_shard(*shard)
        | {
            "first_epoch": first.epoch,
            "first_seq": first.seq,
            "last_epoch": last.epoch,
            "last_seq": last.seq,
        },
    )
    return {Position(epoch, seq): _Letter(*letter) for epoch, seq, *letter in rows}
