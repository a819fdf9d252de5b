"""How far each shard's projection is: what `flashsale projector status` shows, and what becomes metrics."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from flashsale import history
from flashsale.ids import START
from flashsale.projections.reads import CheckpointRow
from flashsale.stream import Log


class ShardStatus(msgspec.Struct, frozen=True):
    """How far one shard's projection is."""

    sale: str
    shard: int
    #: ok, behind, idle (nobody applies it, nothing to apply), waiting (nobody applies it, and should), halted, lost or
    #: archived
    state: str
    log_head: str
    checkpoint: str
    #: None when the log ends before the checkpoint
    lag_events: int | None
    #: events that Postgres has and the log lacks, 0 while all is well; None when it lost an unknown number
    lost_events: int | None
    #: age of the oldest event that is not applied; 0 when there is none, None when that cannot be told
    lag_s: float | None
    holder: str | None
    heartbeat_age_s: float | None
    halted: str | None
    #: dead letters
    parked: int


def shard_status(log: Log, row: CheckpointRow, now_ms: Callable[[], int]) -> ShardStatus:
    """The status of one shard. `now_ms` tells the time by Redis's clock. Raises `Unreachable`, `Halted`."""
    # The log of an archived sale ended where Postgres has it, and is gone.
    head = row.checkpoint if row.archived else log.head(row.shard) or START
    apart = history.distance(log, row, head)
    return ShardStatus(
        sale=row.shard.sale,
        shard=row.shard.shard,
        state=_state(row, apart.lag),
        log_head=str(head),
        checkpoint=str(row.checkpoint),
        lag_events=apart.lag,
        lost_events=apart.lost,
        lag_s=_oldest_age_s(log, row, now_ms) if apart.lag else None if apart.lag is None else 0.0,
        holder=row.holder,
        heartbeat_age_s=None if row.heartbeat_age_ms is None else round(row.heartbeat_age_ms / 1000, 1),
        halted=row.halted,
        parked=row.parked,
    )


def _state(row: CheckpointRow, lag_events: int | None) -> str:
    if row.archived:
        return "archived"
    if lag_events is None:
        return "lost"
    if row.halted:
        return "halted"
    if row.holder is None:
        return "waiting" if lag_events else "idle"
    return "behind" if lag_events else "ok"


def _oldest_age_s(log: Log, row: CheckpointRow, now_ms: Callable[[], int]) -> float | None:
    """By Redis's clock, which also timed the event. None: it cannot be read, or was applied and trimmed meanwhile."""
    entries = log.entries(row.shard, row.checkpoint, count=1)
    event = history.shown(row.shard, entries[0], archived=False).event if entries else None
    return None if event is None else max(0, now_ms() - event.at_ms) / 1000
