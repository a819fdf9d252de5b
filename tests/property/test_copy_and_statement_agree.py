"""Whether batches are copied or go through the statement, the tables are the same, whatever stands in the log."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flashsale.events import encode
from flashsale.events.types import (
    OrderCancelled,
    OrderConfirmed,
    OrderReserved,
    SalePaused,
    StockAdded,
    StockLoaded,
)
from flashsale.ids import START, Position
from flashsale.projections import apply
from flashsale.projections.batch import read_entry
from flashsale.stream import Entry
from tests.fixtures.read_side import ReadSide
from tests.integration.desk_kit import Desk, open_desk

TABLES = ("event_log", "orders", "stock", "parked", "checkpoint")
#: Times; and errors, which name what was tried at once.
NEVER_THE_SAME = "{error,first_at,last_at,heartbeat_at}"
UNITS = 10
#: What may be wrong with an event: nothing, mostly. Each of the others Postgres refuses, or nobody can read.
DAMAGES = (*[""] * 12, "no units", "too many", "NUL", "lost units", "unreadable", "again")
#: (what happens, to which order, damage)
Steps = Sequence[tuple[str, int, str]]


def bodies(steps: Steps) -> Iterator[bytes]:
    """The log of a sale in which this happened."""
    available, held, sold, more = UNITS, 0, 0, 0
    yield encode(StockLoaded(1, 1, "x", "phone", UNITS, 0, UNITS, 0, 0, 0))
    for at_ms, (kind, number, damage) in enumerate(steps, 2):
        order, buyer = f"0-order-{number:04d}", "ann\0" if damage == "NUL" else "ann"
        quantity = {"no units": 0, "too many": 2**31}.get(damage, 1)
        lost = damage == "lost units"
        if kind == "reserve":
            available, held = available - 1, held + 1
            until_ms = at_ms + 60
            counters = (available - lost, held, sold, 0)
            body = encode(OrderReserved(1, at_ms, "x", order, buyer, "phone", quantity, *counters, until_ms))
        elif kind == "confirm":
            held, sold = held - 1, sold + 1
            counters = (available - lost, held, sold, 0)
            body = encode(
                OrderConfirmed(1, at_ms, "x", order, buyer, "phone", quantity, *counters, late=False)
            )
        elif kind == "cancel":
            available, held = available + 1, held - 1
            counters = (available - lost, held, sold, 0)
            body = encode(OrderCancelled(1, at_ms, "x", order, buyer, "phone", quantity, *counters))
        elif kind == "add":
            available, more = available + 1, more + 1
            counters = (available - lost, held, sold, 0)
            body = encode(StockAdded(1, at_ms, "x", f"r-{more}", "phone", quantity, *counters))
        else:
            body = encode(SalePaused(1, at_ms, "x"))
        yield b"no event" if damage == "unreadable" else body
        if damage == "again":
            yield body


def written(desk: Desk, log: Sequence[bytes], cuts: Sequence[int], copy_min: int) -> list[list[tuple[str]]]:
    """All tables after this log was applied from its beginning, in batches of these sizes."""
    desk.side.postgres.execute(
        "DELETE FROM event_log; DELETE FROM orders; DELETE FROM stock; DELETE FROM parked; "
        "UPDATE checkpoint SET epoch = 0, seq = 0"
    )
    desk.lease.checkpoint = START
    rows = [read_entry(Entry(Position(1, seq), body)) for seq, body in enumerate(log, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "COPY_MIN", copy_min)
        for size in itertools.cycle(cuts):
            batch, rows = rows[:size], rows[size:]
            apply.apply_rows(desk.side.postgres, desk.lease, batch)
            if not rows:
                break
    return [
        desk.side.rows(f"SELECT (to_jsonb(t) - '{NEVER_THE_SAME}'::text[])::text FROM {table} t ORDER BY 1")
        for table in TABLES
    ]


@pytest.fixture
def desk(read_side: ReadSide) -> Desk:
    """The desk of a sale that nothing is written of."""
    read_side.define("sale-1")
    read_side.postgres.execute("SET synchronous_commit = off")  # many small transactions, and no crash
    return open_desk(read_side)


step = st.tuples(
    st.sampled_from(("reserve", "reserve", "confirm", "cancel", "add", "pause")),
    st.integers(0, 5),
    st.sampled_from(DAMAGES),
)
cut = st.lists(st.sampled_from((1, 2, 5, 100)), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=25), cuts=cut)
def test_both_ways_end_in_the_same_tables(desk: Desk, steps: Steps, cuts: list[int]) -> None:
    log = list(bodies(steps))
    assert written(desk, log, cuts, 1) == written(desk, log, cuts, len(log) + 1)
