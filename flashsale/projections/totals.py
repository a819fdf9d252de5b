"""What a projector process has done, and what of it operators are told."""

from __future__ import annotations

import msgspec
import structlog

from flashsale.projections.apply import Applied
from flashsale.stream import ShardId

log = structlog.get_logger(__name__)


class Totals(msgspec.Struct):
    """Counted since the process began."""

    events: int = 0
    batches: int = 0
    parked: int = 0
    ack_missing: int = 0

    def add(self, shard: ShardId, done: Applied) -> None:
        """Count what was done on a shard; say what of it is no routine."""
        self.events += done.events
        self.batches += 1 if done.events else 0
        self.parked += done.parked
        self.ack_missing += done.ack_missing
        if done.parked:
            log.error("parked events", action="events_parked", shard=str(shard), events=done.parked)
        if done.ack_missing:
            log.warning(
                "XACK found fewer entries than were delivered: somebody else works on this group",
                action="ack_missing", shard=str(shard), events=done.ack_missing,
            )  # fmt: skip
        if done.events:
            log.debug("applied", action="batch_applied", shard=str(shard), events=done.events)
