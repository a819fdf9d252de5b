"""What Postgres says of all sales, read again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from flashsale.definition import SaleDefinition
from flashsale.errors import FlashsaleError
from flashsale.projections import catalog
from flashsale.projections.database import Connection
from flashsale.stream import Fence, ShardId


class Catalogue(msgspec.Struct, frozen=True):
    """What Postgres says of all sales."""

    definitions: Mapping[str, SaleDefinition]
    #: what is known of each log
    logs: Mapping[ShardId, Fence]
    #: sales that only Postgres has
    archived: frozenset[str]


class CatalogueReader:
    """Reads on one connection, which is kept: every new one costs Postgres a process, and whoever buys meanwhile waits.

    Used by one thread at a time, by `close` when nobody reads any more.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    def read(self) -> Catalogue:
        """What it says now. Raises what `connect` raises, and `FlashsaleError`."""
        if self._connection is not None:
            with suppress(FlashsaleError):  # it was restarted, or migrated: a new connection tells
                return _read(self._connection)
            self.close()
        self._connection = self._connect()
        try:
            return _read(self._connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _read(connection: Connection) -> Catalogue:
    definitions = {definition.sale: definition for definition in catalog.every(connection)}
    logs = catalog.known_logs(connection)
    running = {shard.sale for shard in catalog.fences(connection, running=True)}
    return Catalogue(definitions, logs, frozenset(definitions) - running)
