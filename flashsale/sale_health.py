"""Whether each sale's log is whole and applied: a quick look at the ends of log and archive, not at every event."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flashsale import history
from flashsale.errors import Halted
from flashsale.ids import START
from flashsale.projections import reads
from flashsale.projections.continuity import refuse_other_shop
from flashsale.projections.database import Connection
from flashsale.stream import Log, ShardId


class Health(msgspec.Struct, frozen=True):
    """What is wrong with one shard's log; the last word is whether it still may be sold from."""

    shard: ShardId
    found: str
    remedy: str
    #: the log is lost, forked or halted: nothing is sold, or nothing is applied
    is_halted: bool


def troubles(log: Log, connection: Connection, sale: str | None = None) -> Iterator[Health]:
    """Every shard with which something is wrong, of one sale or of all. Raises `OtherShop`, and `Unreachable`."""
    rows = reads.checkpoints(connection, sale)
    half_archived = log.existing([row.shard for row in rows if row.archived])
    for row in rows:
        if row.reached == START:
            yield from _half_warmed(log, row)
            continue
        if row.archived:
            if row.shard in half_archived:
                yield _half_archived(row)
            continue
        if halted := why_lost(log, connection, row):
            yield Health(row.shard, halted, f"see `flashsale recover {row.shard.sale}`", is_halted=True)
        elif row.halted:
            yield Health(
                row.shard, f"halted: {row.halted}", "see `flashsale projector status`", is_halted=True
            )
        else:
            yield from _delayed(log, row)


def _half_warmed(log: Log, row: reads.CheckpointRow) -> Iterator[Health]:
    """A warming that ended before it told Postgres, and no projector has seen the log yet."""
    try:
        is_there = log.head(row.shard) is not None
    except Halted as error:
        yield Health(row.shard, str(error), "see `flashsale projector status`", is_halted=True)
        return
    if is_there:
        found = "in Redis, and Postgres does not know: should Redis lose it now, it would look as if it never was warm"
        yield Health(row.shard, found, f"run `flashsale sale warm {row.shard.sale}` again", is_halted=False)


def _half_archived(row: reads.CheckpointRow) -> Health:
    """An archiving that was interrupted: projectors leave the sale alone, and Redis still takes payments for it."""
    found = "archived in Postgres, but Redis still has it: what is done with it now reaches no table"
    return Health(row.shard, found, f"repeat `flashsale sale archive {row.shard.sale}`", is_halted=True)


def why_lost(log: Log, connection: Connection, row: reads.CheckpointRow) -> str:
    """Why nothing may be sold from the log of a shard that was warmed; "" when it is whole.

    Raises `Unreachable`, and `OtherShop` when it is not that shard's log.
    """
    try:
        refuse_other_shop(row.shard, log.origin(row.shard), row.origin)
        return _why_lost(log, connection, row)
    except Halted as error:
        return str(error)


def _why_lost(log: Log, connection: Connection, row: reads.CheckpointRow) -> str:
    # The head first: scripts count and write in one step, so their count is never behind what was read before it.
    head = log.head(row.shard) or START
    counted, lost = log.record(row.shard)
    if head < row.reached:
        missing = history.distance(log, row, head).lost
        events = "its newest events" if missing is None else f"{missing:,} event(s)"
        return f"FORK: Redis has lost {events}: its log ends at {head}, Postgres knows of {row.reached}"
    if counted is None or counted < head:
        return f"FORK: the log ends at {head}, its scripts have counted to {counted or START}"
    if lost is not None:
        return f"FORK: the log ends at {head}, and somebody has seen {lost}"
    if _is_forked(log, connection, row):
        return f"FORK at {row.checkpoint}: Postgres holds another event there than Redis"
    return ""


def _is_forked(log: Log, connection: Connection, row: reads.CheckpointRow) -> bool:
    """Whether log and archive differ at the checkpoint; a trimmed entry was proven equal."""
    if row.checkpoint == START:
        return False
    before = row.checkpoint._replace(seq=row.checkpoint.seq - 1)
    in_log = log.entries(row.shard, before, up_to=row.checkpoint, count=1)
    archived = reads.events(connection, row.shard, before, 1)
    return bool(in_log and archived) and in_log != archived


def _delayed(log: Log, row: reads.CheckpointRow) -> Iterator[Health]:
    if row.parked:
        remedy = f"see `flashsale dead-letter list {row.shard.sale}`"
        yield Health(row.shard, f"{row.parked:,} dead letter(s)", remedy, is_halted=False)
    head = log.head(row.shard) or START
    if row.holder is None and head > row.checkpoint:
        lag = history.count_after(log, row.shard, row.checkpoint, head)
        yield Health(
            row.shard,
            f"no projector, {lag:,} event(s) behind",
            "run `flashsale projector run`",
            is_halted=False,
        )
