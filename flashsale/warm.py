"""Warm a sale once: its stock goes into Redis, and Postgres is told that it is there."""

from __future__ import annotations

import msgspec

from flashsale.client import Client
from flashsale.commands import Answer, Code
from flashsale.definition import SaleDefinition
from flashsale.errors import UnknownOutcome, Unreachable
from flashsale.projections import catalog
from flashsale.projections.database import Connection
from flashsale.stream import ShardId


def warm(client: Client, connection: Connection, definition: SaleDefinition, shard: int = 0) -> Answer:
    """Put the stock of a defined sale into Redis; its log begins.

    Answered LOADED, ALREADY_LOADED, or LOG_REGRESSED when it was warmed before and Redis has nothing of it any more.
    Interrupted anywhere, it is repeated. Postgres is told last: told first, it would take a sale that never came to
    Redis for one that Redis has lost. Raises `UnknownOutcome` when Redis has the sale and Postgres may not know.
    """
    place = ShardId(definition.sale, shard)
    client.fences.saw(*place, *catalog.known_logs(connection)[place])
    origin = catalog.origin(connection, place.sale)
    answer = client.control(place.sale, msgspec.structs.replace(definition.load(), origin=origin), shard)
    if answer.code not in (Code.LOADED, Code.ALREADY_LOADED):
        return answer
    try:
        if answer.code is Code.ALREADY_LOADED and (there := client.snapshot(*place).origin):
            catalog.adopt(connection, place.sale, there)
        catalog.found(connection, place, 1, before=0)
    except Unreachable as error:
        raise UnknownOutcome(
            f"sale {place.sale} is in Redis, and Postgres may not know it ({error}): warm it again"
        ) from error
    return answer
