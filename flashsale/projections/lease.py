"""Who leads which shard. One active projector a shard keeps its events in order; the fence keeps it safe.

The lease is a row, not an advisory lock: a process that was stopped (SIGSTOP, a frozen machine) keeps its lock for
ever, but stops renewing its row. A process that died is seen at once, because its database session is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from flashsale.errors import RefusedByState
from flashsale.ids import Position
from flashsale.projections.apply import Lease
from flashsale.projections.database import STATEMENT_TIMEOUT_MS, Connection, errors_told
from flashsale.projections.queries import of_shard, query
from flashsale.stream import ShardId

#: A holder renews its leases this often …
HEARTBEAT_MS = 1_000
#: … and is taken for dead after this silence. A transaction never lasts as long: its statements time out before.
SILENT_MS = 20_000
#: So long a recovery that does not die may take: it reads and writes a whole sale, and has no time for heartbeats.
RECOVERY_MS = 600_000
assert HEARTBEAT_MS * 5 < STATEMENT_TIMEOUT_MS < SILENT_MS


def acquire(
    connection: Connection, holder: str, limit: int, but_not: Collection[ShardId] = ()
) -> list[Lease]:
    """Take at most `limit` shards that nobody leads, and none of `but_not`."""
    values = {
        "holder": holder, "limit": limit, "silent_ms": SILENT_MS, "but_not": [str(shard) for shard in but_not],
    }  # fmt: skip
    return _leases(connection.execute(query("lease", "acquire"), values))


def seize(connection: Connection, holder: str, shard: ShardId) -> Lease:
    """Take the lease of one shard, whoever has it: a recovery must be the only writer. Raises `RefusedByState`.

    A second recovery of the same shard is refused while the first one's session lives.
    """
    with errors_told():
        locked = connection.execute(query("lease", "lock_recovery"), {"shard": str(shard)}).fetchone()
        if not locked or not locked[0]:
            raise RefusedByState(f"{shard} is being recovered by another session: wait for it")
        values = of_shard(*shard) | {"holder": holder, "lasts_ms": RECOVERY_MS - SILENT_MS}
        (lease,) = _leases(connection.execute(query("lease", "seize"), values))
        return lease


def rivals(connection: Connection, application_name: str) -> int:
    """How many other sessions have the name under which this one connected."""
    row = connection.execute(query("lease", "rivals"), {"application_name": application_name}).fetchone()
    return int(row[0]) if row else 0


def heartbeat(connection: Connection, holder: str) -> list[Lease]:
    """Renew; returns what this session still leads. Shards of archived sales are given back."""
    rows = connection.execute(query("lease", "heartbeat"), {"holder": holder})
    return _leases(lease for *lease, leads in rows if leads)


def release(connection: Connection, holder: str) -> None:
    """Give everything back, so that another projector need not wait."""
    if connection.closed:
        return  # a session that is gone has given everything back; its own error is what there is to tell
    connection.execute(query("lease", "release"), {"holder": holder})


def give_back(connection: Connection, lease: Lease) -> None:
    """Let another projector have this one shard at once."""
    connection.execute(query("lease", "give_back"), of_shard(*lease.shard) | {"fence": lease.fence})


def set_halted(connection: Connection, lease: Lease, reason: str | None) -> None:
    """Record why a shard is not applied any more; None when it is again."""
    values = of_shard(*lease.shard) | {"fence": lease.fence, "reason": reason}
    connection.execute(query("lease", "halt"), values)


def _leases(rows: Iterable[Sequence[Any]]) -> list[Lease]:
    return [
        Lease(ShardId(sale, shard), fence, Position(epoch, seq)) for sale, shard, fence, epoch, seq in rows
    ]
