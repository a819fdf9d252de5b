"""The sweeper when a server is away or a sale is damaged: all other holds end in time."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from flashsale.client import Client
from flashsale.errors import Unreachable
from flashsale.ids import Position
from flashsale.stream import Fence
from flashsale.sweeper import SHARDS_EVERY_S, Sweeper
from tests.fixtures.proxy import Mode, Proxy
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until
from tests.integration.sweeper_kit import (
    LATE_MS_MAX,
    SKU,
    Catalog,
    Sweeping,
    lateness_ms,
    sell_for,
    state,
    wait_until_nothing_is_held,
)

# ------------------------------------------------------------------------------------------------- something is away


@pytest.mark.parametrize("mode", [Mode.RESET, Mode.BLACK_HOLE])
def test_while_postgres_is_away_or_silent_the_sales_known_so_far_go_on(
    read_side: ReadSide, postgres_proxy: Proxy, mode: Mode
) -> None:
    shard = read_side.open_sale(hold_ms=100)
    shards = Catalog(postgres_proxy.url)
    with capture_logs() as logs, Sweeping(read_side.redis_url, shards):
        wait_until(lambda: shards.answers)
        postgres_proxy.behave(mode)
        connections = postgres_proxy.counts.connections
        wait_until(lambda: postgres_proxy.counts.connections > connections, SHARDS_EVERY_S * 2)
        sell_for(read_side, [shard], duration_ms=1_500)
        wait_until_nothing_is_held(read_side, shard)
        postgres_proxy.heal()

    assert max(lateness_ms(read_side, shard).values()) < LATE_MS_MAX
    assert mode is Mode.BLACK_HOLE or "sweeper_degraded" in {entry["action"] for entry in logs}


def test_without_postgres_at_the_start_it_cannot_know_what_to_sweep(
    read_side: ReadSide, sweeper_client: Client, postgres_proxy: Proxy
) -> None:
    shard = read_side.open_sale(hold_ms=1)
    read_side.sell(shard, 5)
    postgres_proxy.behave(Mode.RESET)
    sweeper = Sweeper(sweeper_client, Catalog(postgres_proxy.url), wait=lambda _: None)
    with pytest.raises(Unreachable):
        sweeper.step()

    postgres_proxy.heal()
    wait_until(lambda: sweeper.step() == 5)


def test_without_redis_it_says_so_and_goes_on_when_redis_is_back(
    read_side: ReadSide, redis_proxy: Proxy
) -> None:
    shard = read_side.open_sale(hold_ms=1)
    read_side.sell(shard, 5)
    with Client(redis_proxy.url, by="sweeper") as client:
        sweeper = Sweeper(client, Catalog(read_side.postgres_url), wait=lambda _: None)
        redis_proxy.behave(Mode.RESET)
        for _ in range(3):
            with pytest.raises(Unreachable):
                sweeper.step()

        redis_proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
        with pytest.raises(Unreachable):
            sweeper.step()  # the holds have ended, the reply is lost
        assert sweeper.step() == 0
    assert state(read_side, shard).stock[SKU].available == 1_000


# -------------------------------------------------------------------------------------------------- something is wrong


def test_a_log_that_lost_its_tail_is_left_alone(read_side: ReadSide, sweeper_client: Client) -> None:
    damaged, sound = (read_side.open_sale(sale, hold_ms=1) for sale in ("sale-1", "sale-2"))
    for shard in (damaged, sound):
        read_side.sell(shard, 5)
    before = read_side.entries(damaged)
    ahead = Position(1, len(before) + 1)  # Postgres has applied an event that Redis lost
    fences = {damaged: Fence(ahead, None), sound: Fence(Position(1, 1), None)}
    sweeper = Sweeper(sweeper_client, lambda: fences, wait=lambda _: None)
    with capture_logs() as logs:
        wait_until(lambda: sweeper.step() == 5)

    assert read_side.entries(damaged) == before
    assert state(read_side, damaged).stock[SKU].held == 5
    assert state(read_side, sound).stock[SKU].held == 0
    assert ("log_regressed", str(damaged)) in {(entry["action"], entry.get("shard")) for entry in logs}


def test_damage_in_one_sale_does_not_stop_the_others(read_side: ReadSide, sweeper: Sweeper) -> None:
    damaged, sound = (read_side.open_sale(sale, hold_ms=1) for sale in ("sale-1", "sale-2"))
    for shard in (damaged, sound):
        read_side.sell(shard, 5)
    read_side.redis.zadd("fs:{sale-1:0}:holds", {"0-nobody-knows": 1})
    before = read_side.entries(damaged)
    with capture_logs() as logs:
        wait_until(lambda: sweeper.step() == 5)

    assert read_side.entries(damaged) == before
    assert ("sweeper_halted", str(damaged)) in {(entry["action"], entry.get("shard")) for entry in logs}
