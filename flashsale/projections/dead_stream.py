"""Copy what is parked to the stream of dead letters, for consumers that are not flashsale.

The table is the truth. An entry's id is the position of its event, so the stream itself tells how far the copy is: what
a crash, or a Redis that was away, kept from it is made up at the next look.
"""

from __future__ import annotations

import structlog

from flashsale.errors import FlashsaleError
from flashsale.ids import START, Position
from flashsale.projections.database import Connection
from flashsale.projections.queries import of_position, of_shard, query
from flashsale.stream import DeadLetter, Log, ShardId

log = structlog.get_logger(__name__)

#: Dead letters read from Postgres at once.
PAGE_MAX = 500


def publish(connection: Connection, reader: Log, shard: ShardId) -> int:
    """Add what is parked and not in the stream yet; returns how many. A refusal is logged and stops nothing."""
    published = 0
    try:
        reached = reader.last_dead_letter(shard) or START
        while page := _unpublished(connection, shard, reached):
            reader.add_dead_letters(shard, page)
            published += len(page)
            reached = page[-1].position
    except FlashsaleError as error:
        log.warning(
            "dead letters are parked, but not in their stream yet",
            action="dead_letters_unpublished", shard=str(shard), why=str(error),
        )  # fmt: skip
    return published


def _unpublished(connection: Connection, shard: ShardId, after: Position) -> list[DeadLetter]:
    values = of_shard(*shard) | of_position(after) | {"limit": PAGE_MAX}
    rows = connection.execute(query("dead_letters", "unpublished"), values)
    return [
        DeadLetter(Position(epoch, seq), bytes(body), error_class, error)
        for epoch, seq, error_class, error, body in rows
    ]
