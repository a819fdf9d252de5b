"""Dead letters are applied in order once it is mended, or given up with a reason; all else stays as it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from flashsale.errors import NotFound
from flashsale.events import Event, encode
from flashsale.ids import Position
from flashsale.projections import dead_letters, reads
from flashsale.projections.apply import Applied, Poison, park_row
from flashsale.projections.database import connect
from flashsale.projections.retry import Chosen, Refused, Retried, retry
from tests.helpers import wait_until
from tests.integration.desk_kit import Desk, added, confirmed, loaded, reserved
from tests.integration.test_dead_letter_tables import upgraded

NOT_BOB = "ALTER TABLE orders ADD CONSTRAINT not_bob CHECK (buyer <> 'bob')"
BOB_MAY = "ALTER TABLE orders DROP CONSTRAINT not_bob"
ONE, TWO = "0-order-00000001", "0-order-00000002"
WAITING_FOR_A_LOCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def bob(desk: Desk) -> Desk:
    """Bob's paid order is parked, and a second one of his; Ann's order is applied."""
    desk.side.postgres.execute(NOT_BOB)
    desk.apply(
        loaded(),
        reserved("00000001", 9, 1, buyer="bob"),
        reserved("00000003", 8, 2),
        confirmed("00000001", 8, 1, 1),
        reserved("00000002", 7, 2, sold=1, buyer="bob"),
    )
    return desk


def older(event: Event) -> bytes:
    """The event in a version that only `upgraded()` knows."""
    return encode(event).replace(b",1,", b",0,", 1)


def tried(desk: Desk, position: int | None = None, error_class: str | None = None) -> list[Retried]:
    chosen = Chosen(Position(1, position) if position else None, error_class)
    return list(retry(desk.side.postgres, desk.lease.shard, chosen, actor="cli:tess"))


def discard(desk: Desk, seq: int, reason: str = "a test", *, dry_run: bool = False) -> list[Position]:
    return dead_letters.discard(
        desk.side.postgres,
        desk.lease.shard,
        Position(1, seq),
        reason=reason,
        actor="cli:tess",
        dry_run=dry_run,
    )


def at(*seqs: int) -> list[Position]:
    return [Position(1, seq) for seq in seqs]


def audit(desk: Desk) -> list[tuple[object, ...]]:
    return desk.side.rows(
        "SELECT seq, action, error_class, reason, actor FROM dead_letter_audit ORDER BY audit_id"
    )


def statuses(desk: Desk) -> list[tuple[object, ...]]:
    return desk.side.rows("SELECT order_id, status, seq FROM orders WHERE buyer = 'bob' ORDER BY 1")


def test_a_poison_and_its_followers_are_applied_in_order(bob: Desk) -> None:
    bob.side.postgres.execute(BOB_MAY)
    assert tried(bob) == [
        Retried(Position(1, 2), ONE, None, at(2, 4)),
        Retried(Position(1, 5), TWO, None, at(5)),
    ]

    assert bob.seqs("parked") == []
    assert statuses(bob) == [(ONE, "confirmed", 4), (TWO, "held", 5)]
    assert bob.side.stock(bob.lease.shard) == [("phone", 7, 2, 1, 0, 10)]
    assert audit(bob) == [
        (2, "retried", "CheckViolation", None, "cli:tess"),
        (4, "retried", "follower", None, "cli:tess"),
        (5, "retried", "CheckViolation", None, "cli:tess"),
    ]
    assert tried(bob) == []


def test_what_is_refused_again_stays_and_counts_its_attempts(bob: Desk) -> None:
    before = bob.side.rows("SELECT seq, attempts, last_at FROM parked ORDER BY seq")
    (first, second) = tried(bob)

    assert (first.applied, second.applied) == ([], [])
    assert first.refused is not None
    assert (first.refused.position, first.refused.error_class) == (Position(1, 2), "CheckViolation")
    after = bob.side.rows("SELECT seq, attempts, last_at FROM parked ORDER BY seq")
    assert [row[:2] for row in after] == [(2, 2), (4, 1), (5, 2)]
    assert after[0][2] > before[0][2]
    assert after[1] == before[1]
    assert audit(bob) == []


def test_a_follower_that_is_refused_becomes_the_poison_and_those_before_it_count(bob: Desk) -> None:
    bob.side.postgres.execute(BOB_MAY)
    bob.side.postgres.execute("ALTER TABLE orders ADD CONSTRAINT unpaid CHECK (status <> 'confirmed')")
    (line,) = tried(bob, 2)

    assert line.applied == at(2)
    assert line.refused is not None
    assert line.refused.position == Position(1, 4)
    assert bob.dead_letters()[0] == (4, "poison", ONE, "phone", "CheckViolation")
    assert statuses(bob) == [(ONE, "held", 2)]


def test_only_what_is_chosen_is_retried(bob: Desk) -> None:
    bob.apply(b"no event")
    bob.side.postgres.execute(BOB_MAY)

    assert tried(bob, error_class="undecodable")[0].refused == Refused(
        Position(1, 6), "undecodable", "JSON is malformed: invalid character (byte 4)"
    )
    assert [line.position for line in tried(bob, 5)] == at(5)
    assert bob.seqs("parked") == [2, 4, 6]
    assert [line.applied for line in tried(bob, error_class="CheckViolation")] == [at(2, 4)]
    assert tried(bob, 3) == []


def test_what_killed_the_process_is_applied_like_any_other(desk: Desk) -> None:
    desk.apply(loaded())
    (row,) = desk.rows(reserved("00000001", 9, 1))
    park_row(desk.side.postgres, desk.lease, row, Poison("crash_loop", "delivered 6 times", 6))
    (row,) = desk.rows(b'["sale.paused",1,5,"tests"]')
    park_row(desk.side.postgres, desk.lease, row, Poison("crash_loop", "delivered 6 times", 6))

    assert [line.applied for line in tried(desk)] == [at(3), at(2)]
    assert desk.side.stock(desk.lease.shard) == [("phone", 9, 1, 0, 0, 10)]


def test_an_event_that_becomes_readable_takes_its_place_before_what_followed(desk: Desk) -> None:
    desk.apply(loaded(), older(reserved("00000001", 9, 1)), confirmed("00000001", 9, 0, 1))
    assert [row[-1] for row in desk.dead_letters()] == ["undecodable", "NotNullViolation"]
    body = desk.side.archive(desk.lease.shard)[1]

    with upgraded():
        assert [line.applied for line in tried(desk, 3)] == [at(2, 3)]

    assert desk.side.rows("SELECT status, reserved_ms, seq FROM orders") == [("confirmed", 2_000, 3)]
    assert desk.side.rows("SELECT type, order_id FROM event_log WHERE seq = 2") == [("order.reserved", ONE)]
    assert desk.side.archive(desk.lease.shard)[1] == body


def test_the_events_behind_an_unreadable_restock_are_measured_after_it(desk: Desk) -> None:
    desk.side.postgres.execute(NOT_BOB)
    desk.apply(loaded(), reserved("00000001", 9, 1, buyer="bob"), older(added(5, 14, 1)))
    desk.apply(reserved("00000002", 13, 2), confirmed("00000001", 13, 1, 1))
    assert [row[:2] for row in desk.dead_letters()] == [
        (2, "poison"), (3, "poison"), (4, "poison"), (5, "follower"),
    ]  # fmt: skip
    desk.side.postgres.execute(BOB_MAY)

    with upgraded():
        assert [line.applied for line in tried(desk)] == [at(3), at(2, 5), at(4)]

    assert desk.side.stock(desk.lease.shard) == [("phone", 13, 1, 1, 0, 15)]
    assert desk.side.rows("SELECT epoch, seq FROM stock") == [(1, 5)]


def test_stock_that_was_withheld_is_what_the_newest_event_says(desk: Desk) -> None:
    desk.side.postgres.execute("ALTER TABLE stock ADD CONSTRAINT small CHECK (capacity <> 15)")
    desk.apply(loaded(), added(5, 15, 0))
    desk.apply(added(1, 16, 0, "again"), reserved("00000001", 15, 1))
    assert desk.side.stock(desk.lease.shard) == [("phone", 10, 0, 0, 0, 10)]

    (line,) = tried(desk)  # nothing was mended, but nobody asks for 15 any more

    assert (line.sku, line.applied) == ("phone", at(2, 3))
    assert desk.side.stock(desk.lease.shard) == [("phone", 15, 1, 0, 0, 16)]


def test_a_discard_keeps_the_effect_away_and_says_why(bob: Desk) -> None:
    bob.side.postgres.execute(BOB_MAY)
    before = bob.everything()
    assert discard(bob, 2, dry_run=True) == at(2, 4)
    assert bob.everything() == before

    assert discard(bob, 2, "a test order") == at(2, 4)
    assert discard(bob, 2) == []

    assert audit(bob) == [
        (2, "discarded", "CheckViolation", "a test order", "cli:tess"),
        (4, "discarded", "follower", "a test order", "cli:tess"),
    ]
    assert [row.parked for row in reads.checkpoints(bob.side.postgres)] == [1]
    bob.apply(confirmed("00000001", 7, 2, 1))
    assert bob.dead_letters()[-1][:2] == (6, "follower")
    assert [(line.applied, line.discarded) for line in tried(bob)] == [(at(5), None), ([], Position(1, 2))]
    assert [order for order, _, _ in statuses(bob)] == [TWO]

    assert [line.applied for line in tried(bob, 2)] == [at(2, 4, 6)]
    assert statuses(bob)[0] == (ONE, "confirmed", 6)
    assert bob.seqs("parked") == []


def test_nothing_can_be_discarded_where_nothing_is_parked(bob: Desk) -> None:
    with pytest.raises(
        NotFound, match=r"event 1-3 of sale sale-1 is not parked; `flashsale dead-letter list"
    ):
        discard(bob, 3)
    assert bob.seqs("dead_letter_audit") == []


def test_a_dry_run_tries_everything_and_keeps_nothing(bob: Desk) -> None:
    bob.apply(older(added(5, 13, 2)), older(reserved("00000004", 11, 3, sold=1)))
    bob.side.postgres.execute(BOB_MAY)
    before = bob.everything()

    with upgraded():
        dry = list(retry(bob.side.postgres, bob.lease.shard, Chosen(), actor="tests", dry_run=True))
        assert bob.everything() == before
        assert dry == tried(bob)
    assert [line.refused for line in dry] == [None] * 4


def test_a_retry_leaves_the_checkpoint_as_it_is(bob: Desk) -> None:
    row = "SELECT xmin::text, checkpoint::text FROM checkpoint"
    before = bob.side.rows(row)
    bob.side.postgres.execute(BOB_MAY)
    tried(bob)
    assert bob.side.rows(row) == before


def test_a_batch_that_waited_for_a_retry_sees_what_it_did(bob: Desk) -> None:
    """Else it parks what nothing blocks any more, or withholds stock, and nobody would look again."""
    bob.side.postgres.execute(BOB_MAY)
    with (
        connect(bob.side.postgres_url) as watcher,
        connect(bob.side.postgres_url) as operator,
        ThreadPoolExecutor(1) as pool,
    ):
        with operator.transaction():
            list(retry(operator, bob.lease.shard, Chosen(), actor="tests"))
            batch = pool.submit(bob.apply, confirmed("00000002", 7, 1, 2))
            waits = lambda: watcher.execute(WAITING_FOR_A_LOCK).fetchall() == [(1,)]  # noqa: E731 - short
            wait_until(waits, 20, "the batch waits for the retry")
        assert batch.result() == Applied(events=1, parked=0)

    assert bob.seqs("parked") == []
    assert statuses(bob) == [(ONE, "confirmed", 4), (TWO, "confirmed", 6)]


def test_groups_tell_errors_apart_and_count_followers(bob: Desk) -> None:
    bob.apply(b"no event", b"nor this")
    discard(bob, 5)
    bob.apply(confirmed("00000002", 7, 1, 2))
    found = dead_letters.groups(bob.side.postgres)

    assert [(g.kind, g.error_class, g.events, g.followers, g.oldest) for g in found] == [
        ("poison", "CheckViolation", 1, 1, Position(1, 2)),
        ("poison", "undecodable", 2, 0, Position(1, 6)),
        ("follower", "follower", 1, 0, Position(1, 8)),
        ("discarded", "CheckViolation", 1, 0, Position(1, 5)),
    ]
    assert all(0 < group.first_ms <= group.last_ms for group in found)
    assert dead_letters.groups(bob.side.postgres, "sale-2") == []


def test_one_letter_is_told_with_what_waits_and_what_was_done(bob: Desk) -> None:
    discard(bob, 4, "not paid after all")
    letter = dead_letters.get(bob.side.postgres, bob.lease.shard, Position(1, 2))
    follower = dead_letters.get(bob.side.postgres, bob.lease.shard, Position(1, 4))

    assert (letter.order_id, letter.attempts, letter.body) == (
        ONE,
        1,
        encode(reserved("00000001", 9, 1, buyer="bob")),
    )
    assert [(f.position, f.kind, f.type) for f in letter.followers] == [
        (Position(1, 4), "discarded", "order.confirmed")
    ]
    assert [(act.action, act.reason, act.actor) for act in follower.acts] == [
        ("discarded", "not paid after all", "cli:tess")
    ]
    with pytest.raises(NotFound):
        dead_letters.get(bob.side.postgres, bob.lease.shard, Position(1, 3))
