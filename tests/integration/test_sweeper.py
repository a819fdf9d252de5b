"""The sweeper: every hold ends once, less than a second late."""

from __future__ import annotations

import pytest

from flashsale.client import Client
from flashsale.commands import Cancel, Confirm
from flashsale.commands.sale import Close, Pause
from flashsale.events import OrderEvent, decode
from flashsale.sweeper import LOOK_EVERY_MS, Sweeper
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until
from tests.integration.sweeper_kit import (
    LATE_MS_MAX,
    SKU,
    Catalog,
    Sweeping,
    lateness_ms,
    newest_deadline,
    sell_for,
    state,
    wait_until_nothing_is_held,
)


def test_holds_end_less_than_a_second_late_in_every_sale(read_side: ReadSide) -> None:
    shards = [read_side.open_sale("sale-1", hold_ms=150), read_side.open_sale("sale-2", hold_ms=700)]
    with Sweeping(read_side.redis_url, Catalog(read_side.postgres_url)):
        sell_for(read_side, shards, duration_ms=900, orders_min=21)
        wait_until_nothing_is_held(read_side, *shards)

    for shard in shards:
        late = lateness_ms(read_side, shard)
        orders = state(read_side, shard).orders
        assert late.keys() == orders.keys()
        assert len(orders) > 20
        assert min(late.values()) >= 0
        assert max(late.values()) < LATE_MS_MAX


def test_thousands_of_overdue_holds_end_in_one_step(read_side: ReadSide, sweeper: Sweeper) -> None:
    shard = read_side.open_sale(quantity=3_000, hold_ms=1)
    orders = read_side.sell(shard, 2_500)
    wait_until(lambda: read_side.client.snapshot(shard.sale).now_ms > newest_deadline(read_side, shard))

    assert sweeper.step() == sweeper.expired == 2_500
    assert lateness_ms(read_side, shard).keys() == set(orders)
    assert state(read_side, shard).stock[SKU].available == 3_000
    assert sweeper.step() == 0


def test_several_sweepers_end_each_hold_once(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=5_000, hold_ms=50)
    shards = Catalog(read_side.postgres_url)
    running = [Sweeping(read_side.redis_url, shards) for _ in range(3)]
    with running[0], running[1], running[2]:
        for _ in range(10):
            read_side.sell(shard, 300)
        wait_until_nothing_is_held(read_side, shard)

    assert sum(beside.sweeper.expired for beside in running) == 3_000
    assert state(read_side, shard).stock[SKU].available == 5_000


def test_only_what_is_still_held_ends(read_side: ReadSide, sweeper: Sweeper) -> None:
    shard = read_side.open_sale(hold_ms=200)
    paid, given_up, forgotten = read_side.sell(shard, 3)
    read_side.run(shard, [Confirm(paid), Cancel(given_up)])
    assert sweeper.step() == 0, "nothing is overdue yet"
    wait_until(lambda: sweeper.step() > 0)

    found = {name: order.status for name, order in state(read_side, shard).orders.items()}
    assert found == {paid: "confirmed", given_up: "cancelled", forgotten: "expired"}


@pytest.mark.parametrize("request_", [Pause(), Close()], ids=["paused", "closed"])
def test_holds_end_in_a_sale_that_does_not_sell(
    read_side: ReadSide, sweeper: Sweeper, request_: Pause | Close
) -> None:
    shard = read_side.open_sale(hold_ms=20)
    read_side.sell(shard, 5)
    read_side.client.control(shard.sale, request_)
    wait_until(lambda: sweeper.step() == 5)

    assert state(read_side, shard).stock[SKU].held == 0


def test_it_waits_for_the_next_hold_to_end_and_never_long(
    read_side: ReadSide, sweeper_client: Client
) -> None:
    shard = read_side.open_sale(hold_ms=300)
    waits_s: list[float] = []
    sweeper = Sweeper(sweeper_client, Catalog(read_side.postgres_url), waits_s.append)
    sweeper.step()
    read_side.sell(shard, 1)
    sweeper.step()

    assert waits_s[0] == LOOK_EVERY_MS / 1_000, "nothing is held"
    assert 0 < waits_s[1] <= 0.3


def test_a_sale_that_is_not_warm_yet_is_none_of_its_business(read_side: ReadSide, sweeper: Sweeper) -> None:
    read_side.define("sale-1")
    shard = read_side.open_sale("sale-2", hold_ms=20)
    read_side.sell(shard, 5)

    wait_until(lambda: sweeper.step() == 5)


def test_its_events_bear_its_name(read_side: ReadSide, sweeper: Sweeper) -> None:
    shard = read_side.open_sale(hold_ms=20)
    read_side.sell(shard, 1)
    wait_until(lambda: sweeper.step() == 1)

    event = decode(read_side.entries(shard)[-1].body or b"")
    assert isinstance(event, OrderEvent)
    assert event.by == "sweeper"


def test_a_sale_that_is_defined_later_is_found(read_side: ReadSide) -> None:
    shards = Catalog(read_side.postgres_url)
    read_side.open_sale("sale-1", hold_ms=100)
    with Sweeping(read_side.redis_url, shards):
        wait_until(lambda: shards.answers == [1])
        shard = read_side.open_sale("sale-2", hold_ms=100)
        read_side.sell(shard, 5)
        wait_until_nothing_is_held(read_side, shard)

    assert state(read_side, shard).stock[SKU].held == 0
