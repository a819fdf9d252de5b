"""Reads of archived orders: few at once, none too long, and beside the event loop. On a real Postgres that hangs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from flashsale.errors import Overloaded, Unreachable
from flashsale.gateway import archive
from flashsale.gateway.archive import READS_MAX, WAITING_MAX, Archive
from flashsale.projections import reads
from flashsale.projections.database import connect
from flashsale.projections.reads import OrderRow
from tests.helpers import wait_until


class Locked:
    """A table of orders that somebody has locked; and who waits for it."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._holder = connect(database_url)
        self._holder.execute("BEGIN")
        self._holder.execute("LOCK TABLE orders")
        self._lock = threading.Lock()
        self.reading = self.reading_max = 0

    def read(self, sale: str, order_id: str) -> OrderRow | None:
        with self._lock:
            self.reading += 1
            self.reading_max = max(self.reading, self.reading_max)
        try:
            with connect(self._url) as connection:
                return reads.order(connection, sale, order_id)
        finally:
            with self._lock:
                self.reading -= 1

    def unlock(self) -> None:
        self._holder.close()


async def test_few_at_once_and_more_than_wait_are_refused(database_url: str) -> None:
    locked = Locked(database_url)
    orders = Archive(locked.read)
    asked = [asyncio.create_task(orders.order("drop", "0-AAAAAAAA")) for _ in range(WAITING_MAX)]
    await asyncio.to_thread(wait_until, lambda: locked.reading == READS_MAX, 30, "all threads wait")

    with pytest.raises(Overloaded):
        await orders.order("drop", "0-AAAAAAAA")
    locked.unlock()

    assert await asyncio.gather(*asked) == [None] * WAITING_MAX
    assert locked.reading_max == READS_MAX


async def test_a_postgres_that_hangs_is_given_up_and_no_thread_more_is_begun(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "READ_S", 0.3)
    locked = Locked(database_url)
    orders = Archive(locked.read)
    for _ in range(2):
        asked = [orders.order("drop", "0-AAAAAAAA") for _ in range(READS_MAX)]
        for told in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(told, Unreachable)
    assert locked.reading_max == READS_MAX, "those that hang still count"

    locked.unlock()
    await asyncio.to_thread(wait_until, lambda: not locked.reading, 10, "all threads have ended")
    assert await orders.order("drop", "0-AAAAAAAA") is None
