"""Projectors bring every shard's tables to the fold of its log, share the shards, and take over from each other."""

from __future__ import annotations

import time

import pytest

from flashsale.commands import Cancel, Confirm, RoomSettings, SetRoom
from flashsale.commands.sale import Close, Pause, Reconfigure, Resume
from flashsale.errors import RefusedByState, Unreachable
from flashsale.events import EVENT_TYPES
from flashsale.keys import GROUP
from flashsale.projections import projector as projecting
from flashsale.projections.database import SchemaMissing, connect
from flashsale.projections.projector import Projector
from tests.fixtures.log_side import event_types
from tests.fixtures.meeting import Meeting
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until


@pytest.mark.parametrize("batch_max", [1, 7, 1_000])
def test_the_tables_are_the_fold_of_a_log_with_every_event(read_side: ReadSide, batch_max: int) -> None:
    shard = read_side.open_sale(skus=("phone", "case"), hold_ms=1)
    for sku in ("phone", "case"):
        read_side.whole_story(shard, sku)
    room = SetRoom(RoomSettings(rate_per_s=5, active_max=5, message="Größe"))
    for request in (Pause(), Resume(), Reconfigure(hold_ms=2_000, limits=(("phone", 3),)), room):
        read_side.client.control(shard.sale, request)
    read_side.client.admit(shard.sale, 1_000)
    read_side.client.control(shard.sale, Close())
    projector = read_side.projector(batch_max=batch_max)

    read_side.drain(projector)

    assert event_types(read_side.entries(shard)) == set(EVENT_TYPES) - {"epoch.started"}
    read_side.assert_projected(shard)
    head = read_side.log.head(shard)
    assert head is not None
    assert projector.totals.events == head.seq
    assert projector.totals.batches >= head.seq / batch_max
    assert (projector.totals.parked, projector.totals.ack_missing) == (0, 0)
    assert read_side.pending(shard) == 0


def test_a_projector_follows_a_log_that_grows(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    for _ in range(5):
        orders = read_side.sell(shard, 20)
        read_side.drain(projector)
        read_side.run(
            shard, [*(Confirm(order) for order in orders[::2]), *(Cancel(order) for order in orders[1::4])]
        )
        read_side.drain(projector)

    read_side.assert_projected(shard)


def test_several_sales_are_applied_by_one_projector(read_side: ReadSide) -> None:
    shards = [read_side.open_sale(f"sale-{n}", quantity=50) for n in range(1, 5)]
    for n, shard in enumerate(shards):
        read_side.sell(shard, 10 * n)
    projector = read_side.projector()

    read_side.drain(projector)

    assert projector.shards == shards
    for shard in shards:
        read_side.assert_projected(shard)


def test_projectors_that_start_together_share_the_shards(read_side: ReadSide) -> None:
    shards = [read_side.open_sale(f"sale-{n}") for n in range(1, 5)]
    one, other = read_side.projector("p1"), read_side.projector("p2")
    for _ in range(2):
        for shard in shards:
            read_side.sell(shard, 10)
        read_side.drain(one, other)

    assert sorted([*one.shards, *other.shards]) == shards
    assert one.shards
    assert other.shards
    assert {read_side.holder(shard) for shard in one.shards} == {"p1"}
    for shard in shards:
        read_side.assert_projected(shard)


def test_a_sale_that_is_not_warm_yet_is_picked_up_when_it_is(read_side: ReadSide) -> None:
    shard = read_side.define()
    projector = read_side.projector()
    assert projector.step() == 0
    assert (projector.shards, read_side.holder(shard)) == ([], "p1")
    assert read_side.redis.dbsize() == 0

    read_side.warm(shard)
    read_side.sell(shard, 3)
    read_side.drain(projector)

    read_side.assert_projected(shard)


def test_a_sale_that_is_defined_later_is_picked_up(read_side: ReadSide) -> None:
    first = read_side.open_sale("sale-1")
    projector = read_side.projector()
    read_side.drain(projector)
    second = read_side.open_sale("sale-2")
    read_side.drain(projector)

    assert projector.shards == [first, second]
    read_side.assert_projected(second)


def test_a_projector_that_is_closed_hands_over(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    one, other = read_side.projector("p1"), read_side.projector("p2")
    read_side.sell(shard, 10)
    read_side.drain(one)
    assert other.step() == 0
    assert other.shards == []

    one.close()
    one.close()  # twice is harmless
    assert read_side.holder(shard) is None
    read_side.sell(shard, 10)
    read_side.drain(other)

    assert other.shards == [shard]
    read_side.assert_projected(shard)


def test_a_projector_whose_session_ends_is_replaced_at_once_and_comes_back(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    one, other = read_side.projector("p1"), read_side.projector("p2")
    read_side.sell(shard, 10)
    read_side.drain(one)
    read_side.end_sessions("p1")

    read_side.sell(shard, 10)
    read_side.drain(other)
    with pytest.raises(Unreachable):
        one.step()

    other.close()
    read_side.sell(shard, 10)
    read_side.drain(one)
    assert read_side.holder(shard) == "p1"
    read_side.assert_projected(shard)


def test_a_holder_that_is_silent_is_replaced_and_its_late_write_is_fenced_out(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    silent, successor = read_side.projector("p1"), read_side.projector("p2")
    read_side.drain(silent)
    read_side.postgres.execute("UPDATE checkpoint SET heartbeat_at = now() - interval '19 s'")
    successor.step()
    assert read_side.holder(shard) == "p1"
    read_side.postgres.execute("UPDATE checkpoint SET heartbeat_at = now() - interval '21 s'")
    wait_until(lambda: successor.step() == 0 and successor.shards == [shard])

    read_side.sell(shard, 10)
    assert silent.step() == 0  # it takes the news from the group, and may not write it
    assert (silent.shards, read_side.holder(shard)) == ([], "p2")
    assert read_side.pending(shard) == 10

    read_side.drain(successor)
    read_side.assert_projected(shard)


def test_a_holder_that_was_replaced_notices_when_it_says_that_it_lives(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    silent, successor = read_side.projector("p1"), read_side.projector("p2")
    read_side.drain(silent)
    read_side.postgres.execute("UPDATE checkpoint SET heartbeat_at = now() - interval '21 s'")
    wait_until(lambda: successor.step() == 0 and successor.shards == [shard])

    wait_until(lambda: silent.step() == 0 and silent.shards == [])


def test_a_projector_renews_its_lease_while_nothing_happens(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.drain(projector)
    before = read_side.value("SELECT heartbeat_at FROM checkpoint")

    wait_until(
        lambda: projector.step() == 0 and read_side.value("SELECT heartbeat_at FROM checkpoint") > before
    )
    assert read_side.holder(shard) == "p1"


def test_a_checkpoint_that_an_operator_moves_back_is_believed(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.sell(shard, 10)
    read_side.drain(projector)

    read_side.postgres.execute("DELETE FROM event_log WHERE seq > 5")
    read_side.postgres.execute("DELETE FROM orders WHERE seq > 5")
    read_side.postgres.execute("UPDATE checkpoint SET seq = 5")
    read_side.sell(shard, 1)
    read_side.drain(projector)

    read_side.assert_projected(shard)


def test_writes_are_paced(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector(max_rate=200, batch_max=10)
    read_side.sell(shard, 97)  # with two events of the warm-up and one of the opening: a hundred
    began_s = time.monotonic()
    read_side.drain(projector)

    assert time.monotonic() - began_s >= 100 / 200
    read_side.assert_projected(shard)


def test_a_slow_pace_is_kept_by_small_batches_not_by_long_waits(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    waits: list[float] = []
    projector = read_side.projector(max_rate=5, wait=waits.append)
    read_side.sell(shard, 40)

    assert projector.step() == 5
    assert waits[0] <= 1  # a longer one, and the others would take this projector for dead


def test_a_round_is_no_longer_with_many_sales_than_with_one(
    read_side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between, leases are renewed and signals heard. Whoever was not served comes first the next time."""
    monkeypatch.setattr(projecting, "ROUND_MS", 0)
    shards = [read_side.open_sale(f"sale-{n}") for n in range(1, 5)]
    projector = read_side.projector(batch_max=10)
    rounds: list[int] = []

    def is_applied() -> bool:
        rounds.append(projector.step())
        return all(read_side.checkpoint(shard) == read_side.log.head(shard) for shard in shards)

    for shard in shards:
        read_side.sell(shard, 30)
    wait_until(is_applied, 20, "the backlog is applied")
    assert max(rounds) <= 20  # a batch from those behind, and one from those that are not
    wait_until(lambda: projector.step() == 0 and projector.shards == shards)
    rounds.clear()
    for shard in shards:
        read_side.sell(shard, 10)
    wait_until(is_applied, 20, "what was sold then is applied")

    assert [applied for applied in rounds if applied] == [10, 10, 10, 10]
    assert projector.totals.ack_missing == 0
    for shard in shards:
        read_side.assert_projected(shard)


def test_many_shards_that_are_free_are_taken_without_a_pause(read_side: ReadSide) -> None:
    first = [read_side.define(f"sale-{n}") for n in range(1, projecting.ACQUIRE_SLOWLY)]
    more = [read_side.define(f"sale-{n}") for n in range(projecting.ACQUIRE_SLOWLY, 15)]
    waits: list[float] = []
    projector = read_side.projector(wait=waits.append)
    for shards, waited_s in ((first, [0.2] * len(first)), (more, [0] * len(more))):
        waits.clear()
        for _ in shards:
            projector.step()
        assert waits == waited_s

    assert {read_side.holder(shard) for shard in first + more} == {"p1"}


def test_entries_that_somebody_else_took_off_the_pending_list_are_counted(read_side: ReadSide) -> None:
    shard = read_side.open_sale()
    projector = read_side.projector()
    read_side.drain(projector)
    read_side.sell(shard, 5)
    with Meeting(read_side.postgres_url) as meeting, meeting.stepping(projector) as step:
        read_side.redis.xgroup_delconsumer(read_side.key(shard), GROUP, "p1")

    assert step.result() == 5
    assert projector.totals.ack_missing == 5
    read_side.assert_projected(shard)


def test_a_database_without_the_schema_is_refused(redis_url: str, empty_database_url: str) -> None:
    with pytest.raises(SchemaMissing, match="run `flashsale db migrate`"):
        Projector(redis_url, empty_database_url, "p1").step()


def test_a_newer_schema_is_refused(read_side: ReadSide) -> None:
    read_side.postgres.execute("INSERT INTO schema_migrations VALUES ('9999')")
    with pytest.raises(RefusedByState, match="newer flashsale"):
        read_side.projector().step()
    with connect(read_side.postgres_url) as connection:  # and the session is not left behind
        left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'flashsale projector p1'"
        wait_until(lambda: connection.execute(left).fetchone() == (0,))
