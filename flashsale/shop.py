"""The connected parts that whoever looks after a sale works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from flashsale.errors import UnknownOutcome, Unreachable

if TYPE_CHECKING:
    # redis and psycopg: imported when a command connects.
    from flashsale.client import Client
    from flashsale.commands import RoomState, Snapshot
    from flashsale.events import Order
    from flashsale.projections.database import Connection
    from flashsale.stream import Log


class Shop(NamedTuple):
    """Connections to both servers. For one thread."""

    client: Client
    log: Log
    connection: Connection

    def snapshot(self, sale: str, shard: int = 0) -> Snapshot:
        """The counters of a shard now."""
        with _nothing_lost():
            return self.client.snapshot(sale, shard)

    def room(self, sale: str) -> RoomState:
        """The waiting room now."""
        with _nothing_lost():
            return self.client.room(sale)

    def now_ms(self) -> int:
        """Redis's clock."""
        with _nothing_lost():
            return self.client.now_ms()

    def order(self, sale: str, order_id: str) -> Order | None:
        """An order as Redis holds it."""
        with _nothing_lost():
            return self.client.order(sale, order_id)


@contextmanager
def _nothing_lost() -> Iterator[None]:
    """A read whose reply was lost leaves nothing unknown: it may simply be repeated."""
    try:
        yield
    except UnknownOutcome as error:
        raise Unreachable(f"Redis went away: {error.__cause__}") from error
