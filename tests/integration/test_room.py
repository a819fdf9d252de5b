"""A sale with a waiting room: its clients, its archive, what a recovery and a comparison make of it."""

from __future__ import annotations

import asyncio

import pytest

from flashsale import history
from flashsale.client import AsyncClient, Client, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.commands import Close, Code, Confirm, Pause, RoomSettings, SetRoom, standing
from flashsale.errors import Halted
from flashsale.events import Room
from flashsale.keys import room_keys, shard_keys
from flashsale.reconcile import Item, apply_plan, examine
from flashsale.room import Shuffle
from flashsale.stream import ShardId
from tests.fixtures.read_side import SKU, ReadSide
from tests.integration.reconcile_kit import open_books
from tests.integration.reconcile_kit import servers as servers_of
from tests.integration.recover_kit import agrees, busy, known, mended
from tests.integration.test_sale_archive import end

SETTINGS = RoomSettings(rate_per_s=100, active_max=50, message='Größe "M" only')
PEOPLE = 300


def with_room(side: ReadSide, shard: ShardId) -> Room:
    """Have a room in the sale, and all of it in Postgres."""
    assert side.client.control(shard.sale, SetRoom(SETTINGS)).code is Code.ROOM_SET
    side.drain(side.projectors[0])
    room = side.client.snapshot(shard.sale).state.room
    assert room is not None
    return room


# ------------------------------------------------------------------------------------------------------- the clients


async def test_a_crowd_joins_is_called_and_buys_once_each(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=40)
    seed = "5eed" * 16
    read_side.client.control(shard.sale, SetRoom(SETTINGS, seed))
    buyers = [f"buyer-{n}" for n in range(PEOPLE)]
    async with AsyncClient(read_side.redis_url, by="gate") as client:
        before = await asyncio.gather(*(client.join(shard.sale, buyer) for buyer in buyers))
        called = await client.admit(shard.sale, 1_000)
        after = await asyncio.gather(*(client.join(shard.sale, buyer) for buyer in buyers))
        orders = [read_side.new_order() for _ in buyers]
        sold = await asyncio.gather(
            *(
                client.reserve(shard.sale, order, buyer, SKU)
                for order, buyer in zip(orders, buyers, strict=True)
            )
        )
        left, gone = await asyncio.gather(
            client.leave(shard.sale, buyers[0]), client.stand(shard.sale, "stranger")
        )

    assert [standing(answer).ticket for answer in before] == [*range(PEOPLE)]
    assert {standing(answer).place for answer in before} == {None}
    assert (called.code, called.detail, called.status) == (Code.CALLED, "50", "50")
    places = Shuffle(shard.sale, PEOPLE, seed)
    chosen = [ticket for ticket in range(PEOPLE) if places.place_of(ticket) < 50]
    assert [ticket for ticket, answer in enumerate(after) if answer.code is Code.ADMITTED] == chosen
    codes = [answer.code for answer in sold]
    assert codes.count(Code.RESERVED) == 40
    assert codes.count(Code.SOLD_OUT) + codes.count(Code.NO_PASS) == PEOPLE - 40
    assert {n for n, code in enumerate(codes) if code is Code.RESERVED} <= set(chosen)
    assert (left.code, gone.code) == (Code.LEFT, Code.NOT_FOUND)


async def test_who_waits_is_answered_by_a_server_that_forgot_the_script(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.client.control(shard.sale, SetRoom(SETTINGS))
    buyers = [f"buyer-{n}" for n in range(1_500)]
    async with AsyncClient(read_side.redis_url, by="gate") as client:
        first = await asyncio.gather(*(client.join(shard.sale, buyer) for buyer in buyers))
        read_side.redis.script_flush()
        again = await asyncio.gather(*(client.join(shard.sale, buyer) for buyer in buyers))

    assert [standing(answer).ticket for answer in again] == [standing(answer).ticket for answer in first]


async def test_rooms_are_read_in_one_batch(read_side: ReadSide) -> None:
    shards = [read_side.open_sale(name) for name in ("with", "without", "broken")]
    for shard in (shards[0], shards[2]):
        read_side.client.control(shard.sale, SetRoom(SETTINGS))
    read_side.client.join("with", "ann")
    read_side.redis.set(room_keys("broken").passes, "foreign")
    reads = AsyncReads(read_side.redis_url, Fences())
    try:
        first, second, third = await reads.rooms([shard.sale for shard in shards])
        assert await reads.rooms([]) == []
    finally:
        await reads.close()

    assert not isinstance(first, Halted)
    assert (first.settings, first.tickets, first.waiting) == (SETTINGS, 1, 1)
    assert first.room == read_side.client.snapshot("with").state.room
    assert not isinstance(second, Halted)
    assert second.room is None
    assert isinstance(third, Halted)


def test_the_sync_client_does_the_same(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    client = read_side.client
    assert client.join(shard.sale, "ann").code is Code.NO_ROOM
    client.control(shard.sale, SetRoom(SETTINGS))

    assert standing(client.join(shard.sale, "ann")).ticket == 0
    assert client.admit(shard.sale, 1_000).code is Code.CALLED
    assert client.stand(shard.sale, "ann").code is Code.WAITING
    assert client.join(shard.sale, "ann").code is Code.ADMITTED
    assert client.room(shard.sale).active == 1
    assert client.leave(shard.sale, "ann").code is Code.LEFT
    assert client.room(shard.sale).active == 0


# ----------------------------------------------------------------------------------------------- archive and recovery


def test_an_archived_sale_leaves_nothing_of_its_room(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.projector()
    with_room(read_side, shard)
    for n in range(3):
        read_side.client.join(shard.sale, f"b{n}")
    read_side.client.admit(shard.sale, 1_000)
    read_side.client.join(shard.sale, "b0")
    read_side.client.control(shard.sale, Close())
    read_side.drain(read_side.projectors[0])
    assert read_side.redis.exists(*room_keys(shard.sale)) == 4

    assert end(read_side, shard).code is Code.ARCHIVED

    assert read_side.redis.exists(*room_keys(shard.sale)) == 0
    assert set(read_side.redis.hkeys(shard_keys(*shard).sale)) == {"state", "epoch", "seq"}
    assert read_side.client.join(shard.sale, "b1").code is Code.ARCHIVED


@pytest.mark.parametrize("when", ["before the draw", "after it"])
def test_a_recovery_keeps_settings_commitment_and_draw(read_side: ReadSide, when: str) -> None:
    shard = busy(read_side)
    room, drawn = with_room(read_side, shard), when == "after it"
    for n in range(5):
        read_side.client.join(shard.sale, f"b{n}")
    if drawn:
        read_side.client.admit(shard.sale, 1_000)
        read_side.drain(read_side.projectors[0])
        found = read_side.client.snapshot(shard.sale).state.room
        assert found is not None
        room = found
        assert room.drawn == 5
    read_side.redis.flushdb()

    assert mended(read_side, shard).done

    assert read_side.client.snapshot(shard.sale).state.room == room
    with Client(read_side.redis_url, by="shop", fences=known(read_side)) as client:
        assert client.reserve(shard.sale, read_side.new_order(), "eve", SKU).code is Code.NO_PASS
        told = standing(client.join(shard.sale, "b3"))
        assert (told.ticket, told.place) == ((5, 5) if drawn else (0, None)), "people join again"
        assert client.admit(shard.sale, 1_000).code is Code.CALLED
        assert client.join(shard.sale, "b3").code is Code.ADMITTED
        after = client.snapshot(shard.sale).state.room
        assert after is not None
        assert (after.drawn, after.seed) == ((5, room.seed) if drawn else (0, ""))
    agrees(read_side, shard)


def test_a_recovery_leaves_a_line_alone_that_redis_still_has(read_side: ReadSide) -> None:
    shard = busy(read_side)
    with_room(read_side, shard)
    for n in range(5):
        read_side.client.join(shard.sale, f"b{n}")
    read_side.redis.delete(shard_keys(*shard).stock)

    assert mended(read_side, shard).done

    with Client(read_side.redis_url, by="shop", fences=known(read_side)) as client:
        assert standing(client.join(shard.sale, "b3")).ticket == 3
    agrees(read_side, shard)


@pytest.mark.parametrize("before", ["no room", "another room"])
def test_what_only_the_records_say_of_a_room_is_told_again(read_side: ReadSide, before: str) -> None:
    """The log's tail is gone from Redis; its head still has settings and draw."""
    shard = busy(read_side)
    if before == "another room":
        with_room(read_side, shard)
    read_side.client.control(shard.sale, SetRoom(RoomSettings(rate_per_s=9, active_max=9)))
    read_side.client.join(shard.sale, "ann")
    read_side.client.admit(shard.sale, 1_000)
    room = read_side.client.snapshot(shard.sale).state.room
    entries = read_side.entries(shard)
    at = read_side.checkpoint(shard)
    read_side.redis.delete(read_side.key(shard))
    read_side.replace(shard, [entry for entry in entries if entry.position <= at])

    assert mended(read_side, shard).done

    assert read_side.client.snapshot(shard.sale).state.room == room
    agrees(read_side, shard)


# ------------------------------------------------------------------------------------------------------- comparison


@pytest.mark.parametrize(
    ("field", "change"), [("door", "open 1 1 1 1 1 ab x"), ("door", None), ("drawn", "7 ")]
)
def test_settings_that_somebody_wrote_are_found_and_put_back(
    read_side: ReadSide, field: str, change: str | None
) -> None:
    books = open_books(read_side)
    with_room(read_side, books.shard)
    key = books.keys.sale
    before = read_side.redis.hgetall(key)
    if change is None:
        read_side.redis.hdel(key, field)
    else:
        read_side.redis.hset(key, field, change)

    findings = examine(servers_of(books), books.shard, timeout_s=5).report.findings
    assert [(finding.kind, finding.key) for finding in findings] == [("hot-setting", field)]
    (outcome,) = apply_plan(servers_of(books), [Item.of(books.shard, findings[0])], timeout_s=5)

    assert outcome.result == "mended"
    assert read_side.redis.hgetall(key) == before | {"mended": "1"}


def test_a_paused_sale_keeps_who_waits(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    read_side.client.control(shard.sale, SetRoom(SETTINGS))
    read_side.client.join(shard.sale, "ann")
    read_side.client.control(shard.sale, Pause())

    answer = read_side.client.admit(shard.sale, 1_000)

    assert (answer.code, answer.detail) == (Code.HELD, "paused")
    assert read_side.client.join(shard.sale, "ann").code is Code.WAITING


def test_confirm_needs_no_pass(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    (order,) = read_side.sell(shard, 1)
    read_side.client.control(shard.sale, SetRoom(SETTINGS))

    read_side.run(shard, [Confirm(order)])

    assert len(list(history.whole(read_side.log, read_side.postgres, shard))) == 6
