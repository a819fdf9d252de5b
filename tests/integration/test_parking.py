"""What Postgres refuses is parked alone: archived, its effect withheld, its followers with it; all else goes on."""

from __future__ import annotations

import psycopg
import pytest

from flashsale.events import Event, encode
from flashsale.ids import Position
from flashsale.projections.apply import Applied, apply_rows
from flashsale.projections.database import connect
from tests.integration.desk_kit import Desk, added, confirmed, loaded, reserved


@pytest.mark.parametrize(
    ("event", "constraint"),
    [
        (reserved("00000002", -1, 11), "never_oversold"),
        (reserved("00000002", 11, -1), "held_is_not_negative"),
        (confirmed("00000001", 10, 1, -1), "sold_is_not_negative"),
        (reserved("00000002", 11, 0, returned=-1), "returned_is_not_negative"),
        (reserved("00000002", 8, 1), "no_unit_is_lost"),
        (reserved("00000002", 9, 1, quantity=0), "quantity_is_positive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "event",
)
def test_what_breaks_the_promise_is_refused_by_the_name_of_the_rule(
    desk: Desk, event: Event, constraint: str
) -> None:
    done = desk.apply(loaded(), reserved("00000001", 9, 1), event)

    assert done == Applied(events=3, parked=1)
    ((seq, kind, error_class, error),) = desk.side.rows("SELECT seq, kind, error_class, error FROM parked")
    assert (seq, kind, error_class) == (3, "poison", "CheckViolation")
    assert f'"{constraint}"' in error
    assert desk.side.stock(desk.lease.shard) == [("phone", 9, 1, 0, 0, 10)]


def test_an_unknown_status_is_refused_by_name(desk: Desk) -> None:
    desk.apply(loaded(), reserved("00000001", 9, 1))
    with pytest.raises(psycopg.errors.CheckViolation, match="status_is_known"):
        desk.side.postgres.execute("UPDATE orders SET status = 'lost'")


def test_the_guilty_are_found_among_many_and_the_others_apply(desk: Desk) -> None:
    guilty = {100, 101, 517, 999}
    events: list[Event | bytes] = [
        reserved(f"{n:08d}", -5 if n in guilty else 2_000 - n, n) for n in range(1, 1_000)
    ]

    # Counters after, as a log has them: a bad event stands last of its part before it is found out.
    done = desk.apply(loaded(2_000), *events)

    assert done.events == 1_000
    parked = {seq - 1 for seq in desk.seqs("parked")}
    assert parked <= guilty
    assert 999 in parked
    assert desk.seqs("event_log") == list(range(1, 1_001))
    assert len(desk.seqs("orders")) == 999 - len(parked)
    assert desk.side.stock(desk.lease.shard) == [("phone", 1_002, 998, 0, 0, 2_000)]


def test_an_event_is_parked_in_the_transaction_that_archives_it(desk: Desk) -> None:
    desk.apply(loaded(), reserved("00000001", -1, 11))

    ((archived, parked, checkpoint),) = desk.side.rows(
        "SELECT e.xmin::text, p.xmin::text, c.xmin::text FROM parked p JOIN event_log e USING (epoch, seq) "
        "JOIN checkpoint c ON c.seq = p.seq"
    )
    assert archived == parked == checkpoint


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON",
        b"",
        b"\xff\xfe",
        b'["order.unheard_of",1,2,"x"]',
        b'["order.\\u0000\\u001b[2J",1,2,"x"]',
        encode(loaded()).replace(b",1,", b",99,", 1),
        encode(reserved("00000002", 8, 2)).replace(b'"ann"', b"5"),
        pytest.param(b"x" * 1_000_000, id="a megabyte"),
        None,  # the entry has another field than `e`
    ],
)
def test_what_cannot_be_decoded_is_archived_byte_for_byte_and_parked(desk: Desk, body: bytes | None) -> None:
    done = desk.apply(loaded(), reserved("00000001", 9, 1), body, reserved("00000003", 8, 2))

    assert done == Applied(events=4, parked=1)
    assert desk.side.archive(desk.lease.shard)[2] == (Position(1, 3), body or b"")
    assert desk.side.rows("SELECT type FROM event_log WHERE seq = 3") == [("",)]
    assert desk.dead_letters() == [(3, "poison", None, None, "undecodable")]
    assert desk.seqs("orders") == [2, 4]
    assert desk.side.stock(desk.lease.shard) == [("phone", 8, 2, 0, 0, 10)]
    assert desk.side.checkpoint(desk.lease.shard) == Position(1, 4)


def test_a_whole_batch_that_cannot_be_decoded_is_parked(desk: Desk) -> None:
    newer = [b'["order.reserved",99,%d]' % n for n in range(1_000)]
    assert desk.apply(loaded(), *newer) == Applied(events=1_001, parked=1_000)

    every_other = [event for n in range(400) for event in (newer[n], loaded(sku=f"sku-{n}"))]
    assert desk.apply(*every_other) == Applied(events=800, parked=400)
    assert len(desk.side.stock(desk.lease.shard)) == 401


@pytest.mark.parametrize(
    "event",
    [
        reserved("00000002", 2**31, 0),
        reserved("00000002", 8, 2, quantity=2**70),
        reserved("00000002", 8, 2, at_ms=2**63),
        reserved("00000002", 8, 2, buyer="a\x00b"),
        reserved("\x00", 8, 2),
        reserved("".join(map(chr, range(0x4E00, 0x4E00 + 9_000))), 8, 2),
    ],
    ids=["counter", "quantity", "time", "buyer", "order", "length"],
)
def test_a_value_that_no_column_takes_is_parked_too(desk: Desk, event: Event) -> None:
    done = desk.apply(loaded(), reserved("00000001", 9, 1), event, reserved("00000003", 8, 2))

    assert done == Applied(events=4, parked=1)
    assert desk.side.archive(desk.lease.shard)[2] == (Position(1, 3), encode(event))
    assert desk.seqs("parked") == [3]
    assert desk.seqs("orders") == [2, 4]


def test_the_followers_of_a_parked_order_are_parked_and_do_not_overtake(desk: Desk) -> None:
    desk.apply(
        loaded(),
        reserved("00000001", 9, 1, hold_until_ms=2**63),
        reserved("00000002", 8, 2),
        confirmed("00000001", 8, 1, 1),
        confirmed("00000002", 8, 0, 2),
    )
    desk.apply(confirmed("00000001", 8, 0, 2))

    assert desk.dead_letters() == [
        (2, "poison", "0-order-00000001", "phone", "NumericValueOutOfRange"),
        (4, "follower", "0-order-00000001", "phone", "follower"),
        (6, "follower", "0-order-00000001", "phone", "follower"),
    ]
    assert desk.side.rows("SELECT order_id, status, seq FROM orders") == [
        ("0-order-00000002", "confirmed", 5)
    ]
    assert desk.side.stock(desk.lease.shard) == [("phone", 8, 0, 2, 0, 10)]


def test_a_later_event_is_held_back_when_its_order_stands_in_the_table(desk: Desk) -> None:
    desk.apply(loaded(), reserved("00000001", 9, 1))
    desk.apply(confirmed("00000001", -1, 0, 1))
    desk.apply(confirmed("00000001", 9, 0, 1))

    assert [row[:2] for row in desk.dead_letters()] == [(3, "poison"), (4, "follower")]
    assert desk.side.rows("SELECT status, seq FROM orders") == [("held", 2)]


def test_a_parked_stock_event_withholds_the_stock_of_its_sku_and_nothing_else(desk: Desk) -> None:
    desk.apply(loaded(), loaded(5, "case"), reserved("00000001", 9, 1))
    desk.apply(
        added(5, 2**31, 1),
        reserved("00000002", 13, 2),
        reserved("00000003", 4, 1, sku="case"),
        added(5, 18, 2, request="again"),
    )

    assert desk.dead_letters() == [
        (4, "poison", None, "phone", "NumericValueOutOfRange"),
        (7, "follower", None, "phone", "follower"),
    ]
    assert desk.side.stock(desk.lease.shard) == [("case", 4, 1, 0, 0, 5), ("phone", 9, 1, 0, 0, 10)]
    assert desk.seqs("orders") == [3, 5, 6]


def test_stock_that_was_never_loaded_is_parked_with_its_orders_applied(desk: Desk) -> None:
    desk.apply(loaded(-1), reserved("00000001", 9, 1), confirmed("00000001", 9, 0, 1))

    assert desk.dead_letters() == [(1, "poison", None, "phone", "CheckViolation")]
    assert desk.side.stock(desk.lease.shard) == []
    assert desk.side.rows("SELECT status FROM orders") == [("confirmed",)]


def test_an_order_that_was_never_reserved_is_parked(desk: Desk) -> None:
    desk.apply(loaded(), confirmed("00000009", 9, 0, 1))

    assert desk.dead_letters() == [(2, "poison", "0-order-00000009", "phone", "NotNullViolation")]


def test_what_is_not_the_fault_of_the_data_is_never_parked(desk: Desk) -> None:
    rows = desk.rows(loaded(), reserved("00000001", 9, 1))
    before = desk.everything()
    fail = """
        CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'not now' USING ERRCODE = '{state}'; END $$;
        CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON orders EXECUTE FUNCTION fail()
    """
    for state in ("40001", "40P01", "53100", "57014", "55P03", "P0001", "42501"):
        desk.side.postgres.execute(fail.format(state=state).encode())
        with pytest.raises(psycopg.Error, match="not now"):
            apply_rows(desk.side.postgres, desk.lease, rows)
        assert desk.everything() == before

    desk.side.postgres.execute("DROP TRIGGER fail ON orders")
    assert apply_rows(desk.side.postgres, desk.lease, rows) == Applied(2, 0)


def test_a_locked_table_is_no_fault_of_the_data(desk: Desk) -> None:
    rows = desk.rows(loaded(), reserved("00000001", 9, 1))
    desk.side.postgres.execute("SET lock_timeout = '20ms'")
    with connect(desk.side.postgres_url) as operator, operator.transaction():
        operator.execute("LOCK TABLE stock")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            apply_rows(desk.side.postgres, desk.lease, rows)

    assert desk.seqs("event_log") == []
    assert apply_rows(desk.side.postgres, desk.lease, rows) == Applied(2, 0)
