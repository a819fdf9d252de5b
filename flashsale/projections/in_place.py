"""Rebuild a sale's live tables where they are: one transaction, no second copy, and the projector waits for it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from psycopg import sql

from flashsale.ids import START, Position
from flashsale.projections.database import Connection, errors_told, written
from flashsale.projections.queries import query
from flashsale.projections.rebuild import OnChunk, fill, next_range
from flashsale.projections.replays import Live
from flashsale.projections.state_hash import state_hash
from flashsale.projections.versions import PROJECTION_VERSIONS


class InPlace(msgspec.Struct, frozen=True):
    """What a rebuild in place did."""

    position: dict[int, Position]
    events: int
    hash_before: str
    hash: str


def rebuild_in_place(
    connection: Connection, sale: str, live: Mapping[str, Live], names: tuple[str, ...], on_chunk: OnChunk
) -> InPlace:
    """Delete the rows and write them anew. Readers see the old ones until the end. What `on_chunk` raises undoes it."""
    every = {name: table.table for name, table in live.items()}
    tables = {name: every[name] for name in names}
    events = 0
    with errors_told(), written(connection):
        # First of all: a projector's next batch waits here, and nothing moves until the end.
        rows = connection.execute(query("replay", "lock_checkpoints"), {"sale_id": sale}).fetchall()
        position = {shard: Position(epoch, seq) for shard, epoch, seq in rows}
        before = state_hash(connection, every)
        for table in tables.values():
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        for shard, target in position.items():
            reached = START
            while reached < target:
                part = next_range(connection, sale, shard, reached, target)
                fill(connection, sale, shard, tables, part)
                reached = Position(part.epoch, part.end)
                events += part.end - part.start
                on_chunk(part.end - part.start)
        for name in names:
            values = {"sale_id": sale, "name": name, "live_table": tables[name]}
            connection.execute(query("replay", "make_live"), values | {"version": PROJECTION_VERSIONS[name]})
        return InPlace(position, events, before, state_hash(connection, every))
