"""End a sale in Redis: prove that Postgres has all of it, then leave nothing there but a tombstone that says so.

Postgres is told first. From then on no projector leads the sale, and that its log is gone is no loss; if Redis then
refuses, because a payment came in between, that is taken back.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flashsale.client import Client
from flashsale.commands import Answer, Code
from flashsale.commands.sale import Archive
from flashsale.errors import DriftFound, RefusedByState, UnknownOutcome, Unreachable
from flashsale.ids import START, Position
from flashsale.projections import catalog, reads
from flashsale.projections.database import Connection
from flashsale.projections.lease import HEARTBEAT_MS
from flashsale.reconcile import compare
from flashsale.stream import Log, ShardId
from flashsale.trim import trim

#: A projector gives the sale back with its next heartbeat. One that hangs does not, and its fence is no danger.
LET_GO_S = 3 * HEARTBEAT_MS / 1000
LOOK_EVERY_S = 0.05


def archive(
    client: Client,
    log: Log,
    connection: Connection,
    shard: ShardId,
    *,
    timeout_s: float,
    wait: Callable[[float], object] = time.sleep,
) -> Answer:
    """Archive a sale of one shard. A repeat finishes what another began, and is answered the same.

    Waits up to `timeout_s` for Postgres to catch up. Raises `NotCaughtUp`, `DriftFound` when the stores do not agree,
    `Halted` when the log does not add up, `RefusedByState` when it cannot be trimmed; then nothing was removed.
    """
    client.fences.saw(shard.sale, shard.shard, reads.checkpoint_row(connection, shard).checkpoint)
    answer = _ask(client, shard, START)
    if answer.code is Code.ARCHIVED:  # also when the reply to the first try was lost
        catalog.mark_archived(connection, shard.sale, archived=True)
        return answer
    # A first try that was refused by Redis, and died before it said so here.
    catalog.mark_archived(connection, shard.sale, archived=False)
    if answer.code is not Code.NOT_PROVEN:
        return answer
    found = compare(client, log, connection, shard, timeout_s=timeout_s, wait=wait)
    if found.drifts:
        first = found.drifts[0]
        raise DriftFound(
            f"sale {shard.sale}: log, Redis and Postgres disagree in {len(found.drifts):,} place(s), first about "
            f"{first.kind} {first.key}: log {first.log}, Redis {first.redis}, Postgres {first.postgres}"
        )
    left = trim(client, log, connection, shard, keep=0)
    if left.remaining:
        why = "; ".join(map(str, left.obstacles)) or "something was written meanwhile: repeat it"
        raise RefusedByState(f"the log of sale {shard.sale} cannot be given up: {why}")
    catalog.mark_archived(connection, shard.sale, archived=True)
    _wait_until_let_go(connection, shard, wait)
    try:
        answer = _ask(client, shard, found.position)
    except UnknownOutcome:
        raise  # it may be done; a repeat finds out
    except Unreachable:
        catalog.mark_archived(connection, shard.sale, archived=False)
        raise
    # Also when it is done: another command that was refused meanwhile may have taken the mark back.
    catalog.mark_archived(connection, shard.sale, archived=answer.code is Code.ARCHIVED)
    return answer


def _ask(client: Client, shard: ShardId, up_to: Position) -> Answer:
    return client.control(shard.sale, Archive(up_to), shard.shard)


def _wait_until_let_go(connection: Connection, shard: ShardId, wait: Callable[[float], object]) -> None:
    """Return when no projector leads the shard, or none that lives: it would report the missing log as a fault."""
    deadline = time.monotonic() + LET_GO_S
    while time.monotonic() < deadline and reads.checkpoint_row(connection, shard).holder is not None:
        wait(LOOK_EVERY_S)
