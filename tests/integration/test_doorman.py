"""The doorman, on a real Redis: how many it calls."""

from __future__ import annotations

import asyncio
import time

import msgspec
import redis

from flashsale.client import AsyncClient, Client, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.commands import Code, Item, Load, Open, RoomSettings, SetRoom
from flashsale.errors import Halted
from flashsale.gateway.catalogue import Catalogue
from flashsale.gateway.doorman import Doorman
from flashsale.gateway.messages import SaleState
from flashsale.gateway.rooms import Rooms
from flashsale.gateway.sales import Sales
from flashsale.ids import START
from flashsale.room.lag import SLOWEST_FROM_MS
from flashsale.stream import Fence, ShardId
from tests.helpers import wait_until

UP_TO_DATE, BEHIND = "up-to-date", "behind"
RATE_PER_S = 100
LASTS_S = 3.0


def prepare(redis_url: str, sale: str) -> None:
    """An open sale in which more people wait than are called in this test."""
    with Client(redis_url, by="test") as client:
        client.control(sale, Load((Item("phone", 10_000),), hold_ms=60_000))
        client.control(sale, SetRoom(RoomSettings(rate_per_s=RATE_PER_S, active_max=10_000)))
        for number in range(10 * RATE_PER_S):
            assert client.join(sale, f"buyer-{number}").code is Code.WAITING
        client.control(sale, Open(at_once=True))
        assert client.admit(sale, 0).code is Code.CALLED, "it is drawn: nothing more is written"


async def look(reads: AsyncReads, rooms: Rooms, sale: str, *, ago_ms: int = 0) -> int:
    """What the task that looks at the sales tells the rooms; returns how many places were called."""
    (snapshot,) = await reads.snapshots([(sale, 0)])
    (room,) = await reads.rooms([sale])
    assert not isinstance(snapshot, Halted)
    assert not isinstance(room, Halted)
    state = SaleState(
        sale=sale, title="", currency="EUR", state="open", opens_ms=0, closes_ms=0, hold_ms=60_000, items=[],
        poll_after_ms=4_000, server_time_ms=room.now_ms,
    )  # fmt: skip
    rooms.saw(state, snapshot, msgspec.structs.replace(room, now_ms=room.now_ms - ago_ms))
    return room.serving


async def test_a_sale_that_postgres_is_behind_of_calls_fewer(
    redis_url: str, clean_redis: redis.Redis
) -> None:
    for sale in (UP_TO_DATE, BEHIND):
        prepare(redis_url, sale)
    fences, rooms = Fences(), Rooms()
    async with AsyncClient(redis_url, by="gateway-1", fences=fences) as client:
        reads = AsyncReads(redis_url, fences)
        (now,) = await reads.rooms([UP_TO_DATE])
        assert not isinstance(now, Halted)
        logs = {ShardId(UP_TO_DATE, 0): Fence(now.position, None), ShardId(BEHIND, 0): Fence(START, None)}
        sales = Sales(lambda: Catalogue({}, logs, frozenset()), fences)
        reading = asyncio.create_task(sales.keep_read())
        doorman = Doorman(client, sales, rooms)
        try:
            await asyncio.to_thread(wait_until, lambda: sales.are_known, 10, "Postgres has told")
            for sale in (UP_TO_DATE, BEHIND):
                await look(reads, rooms, sale, ago_ms=SLOWEST_FROM_MS)
            ends_s = time.monotonic() + LASTS_S
            while time.monotonic() < ends_s:
                called = {sale: await look(reads, rooms, sale) for sale in (UP_TO_DATE, BEHIND)}
                await doorman.call()
                await asyncio.sleep(0.1)
        finally:
            reading.cancel()
            await reads.close()
    assert doorman.shares_permille == {UP_TO_DATE: 1_000, BEHIND: 100}
    assert 0 < called[BEHIND] < called[UP_TO_DATE] / 5
    assert called[UP_TO_DATE] <= doorman.called <= RATE_PER_S * (LASTS_S + 3) * 1.1
