"""What an earlier release left half way (tables, log, hot state, pending entries) is carried on by this one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from flashsale.commands import Cancel, Code, Confirm, Expire, Refund
from flashsale.errors import RefusedByState
from flashsale.history import whole
from flashsale.ids import Position
from flashsale.projections.database import connect
from flashsale.projections.migrate import check_schema, migrate, migrations, schema_status
from flashsale.projections.projector import Projector
from flashsale.reconcile import compare
from flashsale.replay import Request
from flashsale.stream import ShardId
from flashsale.verify import verify
from tests.fixtures.read_side import ReadSide, open_read_side
from tests.integration.replay_kit import replay_of
from tests.integration.upgrade_kit import SCHEMA, restore_redis, restore_tables, totals

SHARDS = [ShardId("ended", 0), ShardId("open", 0)]
#: Of the sale that goes on: two holds and a paid order that the earlier release made.
HELD, GIVEN_UP, PAID = "0-order-00000018", "0-order-00000019", "0-order-00000013"


@pytest.fixture
def earlier_database_url(empty_database_url: str) -> str:
    """A database as the earlier release left it."""
    restore_tables(empty_database_url)
    return empty_database_url


@pytest.fixture
def left(redis_url: str, clean_redis: redis.Redis, earlier_database_url: str) -> Iterator[ReadSide]:
    """Both servers as the earlier release left them, and the migrations that came since."""
    restore_redis(clean_redis)
    migrate(earlier_database_url)
    with open_read_side(redis_url, earlier_database_url) as side:
        yield side


def test_before_the_migrations_nothing_works_on_the_older_tables_and_the_remedy_is_told(
    redis_url: str, clean_redis: redis.Redis, earlier_database_url: str
) -> None:
    restore_redis(clean_redis)
    missing = [migration.version for migration in migrations() if migration.version > SCHEMA]
    with connect(earlier_database_url) as database:
        before = database.execute("SELECT c::text FROM checkpoint c ORDER BY 1").fetchall()
        projector = Projector(redis_url, earlier_database_url, "p1")
        try:
            with pytest.raises(RefusedByState, match=rf"lacks migration {missing[0]}.*flashsale db migrate"):
                projector.step()
        finally:
            projector.close()
        assert database.execute("SELECT c::text FROM checkpoint c ORDER BY 1").fetchall() == before

        assert schema_status(database).missing == tuple(missing)
        assert migrate(earlier_database_url) == missing
        check_schema(database)


def test_the_rest_of_the_log_ends_in_the_totals_of_the_earlier_release(left: ReadSide) -> None:
    assert all(left.pending(shard) > 0 for shard in SHARDS)
    left.drain(left.projector())

    assert_totals(left)
    for shard in SHARDS:
        left.assert_projected(shard)
        assert left.pending(shard) == 0
    assert_books_agree(left)


def test_orders_that_the_earlier_release_took_are_paid_given_up_refunded_and_expired(left: ReadSide) -> None:
    left.drain(left.projector())
    ended, shard = SHARDS
    assert len(left.client.expire(ended.sale, Expire()).order_ids) == 2
    done = left.client.execute(shard.sale, [Confirm(HELD), Cancel(GIVEN_UP), Refund(PAID), Confirm(PAID)])
    assert [answer.code for answer in done] == [Code.CONFIRMED, Code.CANCELLED, Code.REFUNDED, Code.CONFIRMED]
    left.sell(shard, 3)
    left.drain(*left.projectors)

    status = {order_id: status for order_id, _, _, _, status, *_ in left.orders(shard)}
    assert [status[order] for order in (HELD, GIVEN_UP, PAID)] == ["confirmed", "cancelled", "refunded"]
    left.assert_projected(shard)
    assert_books_agree(left)


def assert_totals(side: ReadSide) -> None:
    """Stock and orders are, row by row, what the earlier release's own projector wrote."""
    for sale, there in totals().items():
        shard = ShardId(sale, 0)
        assert side.checkpoint(shard) == Position(*there["checkpoint"])
        assert [list(row) for row in side.stock(shard)] == there["stock"]
        assert [list(row) for row in side.orders(shard)] == there["orders"]


def assert_books_agree(side: ReadSide) -> None:
    """Reconcile, a replay (compared, then swapped in) and verify find nothing."""
    for shard in SHARDS:
        assert compare(side.client, side.log, side.postgres, shard, timeout_s=5).drifts == []
        assert replay_of(side).run(Request(sale=shard.sale, mode="verify")).differences == {
            "stock": 0, "orders": 0,
        }  # fmt: skip
        assert replay_of(side).run(Request(sale=shard.sale)).outcome == "swapped"
        side.assert_projected(shard)
        shown = whole(side.log, side.postgres, shard)
        report = verify(json.dumps(event.record()).encode() for event in shown)
        assert (report.violations, report.events) == ([], side.checkpoint(shard).seq)
