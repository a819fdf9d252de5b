"""Events that only a newer release knows: an older one halts, refuses, and changes nothing."""

from __future__ import annotations

import pytest

from flashsale.errors import RefusedByState
from flashsale.keys import GROUP
from flashsale.projections import projector as projecting
from flashsale.reconcile import examine
from flashsale.replay import Request
from flashsale.shop import Shop
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide
from tests.integration.replay_kit import replay_of
from tests.integration.skew_kit import earlier_release

#: Keeps every change of a halt.
SEEN = """
CREATE TABLE seen (halted text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO seen VALUES (NEW.halted); RETURN NULL; END $$;
CREATE TRIGGER see AFTER UPDATE OF halted ON checkpoint FOR EACH ROW EXECUTE FUNCTION see();
"""


def refunds(side: ReadSide) -> ShardId:
    """A log in which an older release can read all but the last four events before the end."""
    shard = side.open_sale(hold_ms=1)
    side.whole_story(shard)
    return shard


def test_an_older_reconcile_mends_nothing_in_a_log_that_it_cannot_read(read_side: ReadSide) -> None:
    shard = refunds(read_side)
    read_side.drain(read_side.projector("newer"))
    first = next(
        entry.position for entry in read_side.entries(shard) if b"order.refunded" in (entry.body or b"")
    )
    servers = Shop(read_side.client, read_side.log, read_side.postgres)
    with earlier_release():
        report = examine(servers, shard, timeout_s=5).report

    (finding,) = report.findings
    assert (finding.kind, finding.key) == ("fork", str(first))
    assert "reconcile with the newer flashsale" in finding.refusal


def deliveries(side: ReadSide, shard: ShardId) -> list[int]:
    """How often each pending entry was delivered."""
    pending = side.redis.xpending_range(side.key(shard), GROUP, "-", "+", 1_000)
    return [int(entry["times_delivered"]) for entry in pending]


def test_events_of_a_newer_release_halt_their_shard_until_a_newer_projector_takes_it(
    read_side: ReadSide,
) -> None:
    shard, other = refunds(read_side), read_side.open_sale("other")
    first = next(
        entry.position for entry in read_side.entries(shard) if b"order.refunded" in (entry.body or b"")
    )
    older = read_side.projector("older")
    with earlier_release():
        told = read_side.step_until(older, shard)
        read_side.sell(other, 3)
        read_side.drain(older, shards=[other])  # it goes on with what it can read

        assert f"{shard} at {first}: order.refunded: version 2 is unknown" in told
        assert "upgrade the projectors" in told
        assert read_side.checkpoint(shard).precedes(first)
        assert read_side.holder(shard) is None
        assert read_side.value("SELECT count(*) FROM parked") == 0
        assert (
            read_side.value("SELECT count(*) FROM event_log WHERE sale_id = %s", shard.sale) == first.seq - 1
        )

    read_side.drain(read_side.projector("newer"), shards=[shard])  # the older one still runs
    read_side.assert_projected(shard)
    assert read_side.holder(shard) == "newer"
    assert read_side.holder(other) == "older"


def test_an_older_projector_that_looks_again_changes_nothing(
    read_side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "LEFT_TO_NEWER_MS", 0)
    monkeypatch.setattr(projecting, "ACQUIRE_EVERY_MS", 0)
    shard = read_side.open_sale(hold_ms=1)
    with earlier_release():
        older = read_side.projector("older")
        read_side.drain(older)
        read_side.whole_story(shard)  # delivered by the group, so it is pending when the shard halts
        read_side.step_until(older, shard)
        read_side.postgres.execute(SEEN)
        before = [read_side.checkpoint(shard), read_side.halted(shard), deliveries(read_side, shard)]
        fence = read_side.value("SELECT fence FROM checkpoint")
        while read_side.value("SELECT fence FROM checkpoint") < fence + 8:
            older.step()
        assert [read_side.checkpoint(shard), read_side.halted(shard), deliveries(read_side, shard)] == before
        assert before[2], "some were delivered and not applied"
        assert read_side.rows("SELECT halted FROM seen") == [], (
            "not for a moment did it look as if it were not"
        )
        older.close()
    read_side.drain(read_side.projector("newer"))
    assert read_side.rows("SELECT halted FROM seen") == [(None,)]
    read_side.assert_projected(shard)


def test_an_older_replay_leaves_tables_of_a_newer_release_alone(read_side: ReadSide) -> None:
    shard = refunds(read_side)
    read_side.drain(read_side.projector("newer"))
    for mode in ("swap", "verify", "in-place"):
        with (
            earlier_release(),
            pytest.raises(RefusedByState, match=r"order\.refunded of version 2, applied by a newer"),
        ):
            replay_of(read_side).run(Request(sale=shard.sale, mode=mode))
    read_side.assert_projected(shard)
    assert replay_of(read_side).run(Request(sale=shard.sale)).differing == 0
