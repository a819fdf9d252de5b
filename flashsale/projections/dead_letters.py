"""Dead letters: what is parked and why, and giving an event up.

A parked event stands in the archive like any other; its row in `parked` says that its effect is withheld. Later events
of the same order wait behind it, and so do later stock events behind a parked one of the same SKU.
"""

from __future__ import annotations

import msgspec

from flashsale.errors import NotFound
from flashsale.ids import Position
from flashsale.projections.database import Connection, errors_told, written
from flashsale.projections.queries import of_position, of_shard, query
from flashsale.stream import ShardId

#: Groups that one list shows.
LIST_MAX = 200
#: Followers that are read of one dead letter.
FOLLOWERS_MAX = 1_000


class ErrorGroup(msgspec.Struct, frozen=True):
    """The dead letters of one shard with which the same is wrong."""

    sale: str
    shard: int
    #: poison, discarded, or follower: one that waits behind an event which was discarded
    kind: str
    error_class: str
    error: str
    events: int
    #: events that wait behind these
    followers: int
    #: of the one that was tried most often
    attempts: int
    first_ms: int
    last_ms: int
    #: the oldest of them
    oldest: Position


class Follower(msgspec.Struct, frozen=True):
    """An event that waits behind another one."""

    position: Position
    kind: str
    #: empty when it could not be decoded
    type: str


class Act(msgspec.Struct, frozen=True):
    """What somebody did with a dead letter."""

    #: retried or discarded
    action: str
    #: why it was parked at the time
    error_class: str
    error: str
    #: why it was discarded
    reason: str | None
    actor: str
    at_ms: int


class Letter(msgspec.Struct, frozen=True):
    """One dead letter."""

    position: Position
    #: poison, follower or discarded
    kind: str
    order_id: str | None
    sku: str | None
    error_class: str
    error: str
    attempts: int
    first_ms: int
    last_ms: int
    body: bytes
    followers: list[Follower]
    acts: list[Act]


def groups(connection: Connection, sale: str | None = None) -> list[ErrorGroup]:
    """The oldest `LIST_MAX` groups, of one sale or of all; what waits first, then what was discarded."""
    with errors_told():
        rows = connection.execute(
            query("dead_letters", "groups_of_errors"), {"sale_id": sale, "limit": LIST_MAX}
        )
        return [ErrorGroup(*[*row[:-2], Position(*row[-2:])]) for row in rows]


def get(connection: Connection, shard: ShardId, position: Position) -> Letter:
    """One dead letter. Raises `NotFound` when nothing is parked there."""
    values = of_shard(*shard) | of_position(position) | {"limit": FOLLOWERS_MAX}
    with errors_told(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute(query("dead_letters", "letter"), values).fetchone()
        if row is None:
            raise not_parked(shard, position)
        followers = connection.execute(query("dead_letters", "followers"), values).fetchall()
        acts = connection.execute(query("dead_letters", "audit"), values).fetchall()
    kind, order_id, sku, error_class, error, attempts, first_ms, last_ms, body = row
    return Letter(
        position=position,
        kind=kind,
        order_id=order_id,
        sku=sku,
        error_class=error_class,
        error=error,
        attempts=attempts,
        first_ms=first_ms,
        last_ms=last_ms,
        body=bytes(body),
        followers=[Follower(Position(epoch, seq), kind, name) for epoch, seq, kind, name in followers],
        acts=[Act(*act) for act in acts],
    )


def discard(
    connection: Connection, shard: ShardId, position: Position, *, reason: str, actor: str, dry_run: bool
) -> list[Position]:
    """Give up an event and those that wait behind it: their effect never comes, unless they are retried by name.

    Returns what was discarded now; nothing, when all of it was before. Raises `NotFound` when nothing is parked there.
    `dry_run`: say so, and change nothing.
    """
    values = of_shard(*shard) | of_position(position)
    with errors_told(), written(connection, force_rollback=dry_run):
        connection.execute(query("apply", "lock_shard"), values)
        if connection.execute(query("dead_letters", "letter"), values).fetchone() is None:
            raise not_parked(shard, position)
        rows = connection.execute(query("dead_letters", "discard"), values | {"reason": reason, "by": actor})
        return [Position(epoch, seq) for epoch, seq in rows]


def not_parked(shard: ShardId, position: Position) -> NotFound:
    """Nothing is parked at that place."""
    return NotFound(
        f"event {position} of sale {shard.sale} is not parked; `flashsale dead-letter list {shard.sale}` shows what is"
    )
