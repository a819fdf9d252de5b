"""Warm a sale once. Postgres is told first: a Redis that lost everything is then known to have had something."""

from __future__ import annotations

from flashsale.client import Client
from flashsale.commands import Answer
from flashsale.definition import SaleDefinition
from flashsale.errors import FlashsaleError, UnknownOutcome
from flashsale.projections import catalog
from flashsale.projections.database import Connection
from flashsale.stream import ShardId


def warm(client: Client, connection: Connection, definition: SaleDefinition, shard: int = 0) -> Answer:
    """Put the stock of a defined sale into Redis; its log begins.

    Answered LOADED, ALREADY_LOADED, or LOG_REGRESSED when it was warmed before and Redis has nothing of it any more.
    Interrupted half way, it leaves a sale that counts as warmed: `recover` tells the two apart, and asks.
    """
    place = ShardId(definition.sale, shard)
    is_first = catalog.found(connection, place, 1, before=0)
    if not is_first:
        client.fences.saw(place.sale, shard, catalog.fences(connection)[place])
    try:
        return client.control(place.sale, definition.load(), shard)
    except UnknownOutcome:
        raise  # it may have been done
    except FlashsaleError:
        if is_first:  # nothing was done: the next attempt is the first again
            catalog.found(connection, place, 0, before=1)
        raise
