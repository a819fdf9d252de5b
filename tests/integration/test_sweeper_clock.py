"""Redis's clock jumps, and every hold is over by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from flashsale.client import Client
from flashsale.sweeper import CLOCK_AHEAD_MS_MAX, Sweeper
from tests.fixtures.clock import Clock
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.read_side import ReadSide, open_read_side
from tests.integration.sweeper_kit import Catalog, state

HOUR_MS = 3_600_000


@pytest.fixture
def clock(clean_redis: redis.Redis, tmp_path: Path) -> Clock:
    """The clock of a Redis that is not started yet."""
    program = Path(PrivateRedis.like(clean_redis, tmp_path).program)
    found = Clock.of(program, tmp_path)
    return found or pytest.skip("moves a server's clock: needs Linux and a C compiler (apt-get install gcc)")


@pytest.fixture
def side(clock: Clock, tmp_path: Path, database_url: str) -> Iterator[ReadSide]:
    with PrivateRedis(tmp_path, str(clock.program)) as server:
        server.start()
        with open_read_side(server.url, database_url) as side:
            yield side


def test_a_clock_that_jumps_ahead_ends_no_hold(
    side: ReadSide, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = side.open_sale(hold_ms=HOUR_MS)
    orders = side.sell(shard, 3)
    with Client(side.redis_url, by="sweeper") as client:
        sweeper = Sweeper(client, Catalog(side.postgres_url), wait=lambda _: None)
        clock.move(2 * HOUR_MS)
        assert [sweeper.step(), sweeper.step()] == [0, 0]
        told = capsys.readouterr().out
        assert told.count("sweeper_braked") == 1
        assert "no hold is ended until they agree" in told
        assert {order.status for order in state(side, shard).orders.values()} == {"held"}

        # The time has come by both clocks: nobody waits longer than the clocks disagree.
        clock.move(-2 * HOUR_MS)
        short = side.open_sale("sale-2", hold_ms=CLOCK_AHEAD_MS_MAX // 2)
        side.sell(short, 2)
        clock.move(CLOCK_AHEAD_MS_MAX * 3 // 4)
        sweeper = Sweeper(client, Catalog(side.postgres_url), wait=lambda _: None)
        assert sweeper.step() == 2
        assert state(side, shard).orders.keys() == set(orders)
