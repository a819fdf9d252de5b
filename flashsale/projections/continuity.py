"""Whether the log in Redis goes on where the archive ends: proven before anything of it is applied."""

from __future__ import annotations

from flashsale.errors import Halted, OtherShop
from flashsale.ids import START, Position
from flashsale.projections.apply import Fork, Lease, refuse_fork
from flashsale.projections.database import Connection
from flashsale.stream import Log, ShardId, follows


class Gap(Halted):
    """Events between the checkpoint and the rest of the log are gone from Redis."""


def prove_continuity(connection: Connection, log: Log, lease: Lease, head: Position) -> None:
    """Raise `Fork` or `Gap` unless the log, which ends at `head`, holds what the archive has and what follows it."""
    checkpoint = lease.checkpoint
    if head < checkpoint:
        raise Fork(
            f"FORK of {lease.shard}: Postgres has applied {checkpoint}, the log in Redis ends at {head}: "
            "it lost its tail"
        )
    if head > checkpoint:
        following = log.entries(lease.shard, checkpoint, count=1)
        if not following or not follows(checkpoint, following[0]):
            raise gap(lease, following[0].position if following else head)
    if checkpoint != START:
        # A trimmed entry proves nothing either way; the archive had proven it before it was trimmed.
        before = Position(checkpoint.epoch, checkpoint.seq - 1)
        refuse_fork(connection, lease.shard, log.entries(lease.shard, before, up_to=checkpoint, count=1))


def refuse_other_shop(shard: ShardId, in_redis: str | None, in_postgres: str | None) -> None:
    """Raise `OtherShop` unless both origins are the same, or one is not known.

    Before anything else: held against the history of a stranger, every log looks forked, and a fork halts a sale.
    """
    if in_redis and in_postgres and in_redis != in_postgres:
        raise OtherShop(str(shard), in_redis, in_postgres)


def refuse_foreign(log: Log, shard: ShardId, newest: Position) -> None:
    """Raise `Fork` unless the scripts have counted up to this entry: they move counters and log in one step.

    So an entry beyond their count, looked up after the entry was read, was written by somebody else.
    """
    counted = log.counted(shard)
    if counted is None or counted < newest:
        raise Fork(
            f"FORK of {shard}: the log holds {newest}, the scripts have counted to {counted or START}: "
            "an entry that no script wrote, or counters that were lost"
        )


def gap(lease: Lease, up_to: Position) -> Gap:
    """What to raise when the log has lost what follows the checkpoint."""
    return Gap(f"{lease.shard}: events between {lease.checkpoint} and {up_to} are missing in Redis")
