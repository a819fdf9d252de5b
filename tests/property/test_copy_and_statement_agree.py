"""Whether a batch is copied or goes through the statement, and however a log is cut: the tables are the same."""

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
from flashsale.ids import Position
from flashsale.projections import apply
from flashsale.projections.batch import read_entry
from flashsale.projections.lease import acquire
from flashsale.stream import Entry
from tests.fixtures.read_side import ReadSide

TABLES = ("event_log", "orders", "stock", "parked", "checkpoint")
#: What differs from sale to sale and from minute to minute: its name, in errors too, and the leader.
ITS_OWN = "{sale_id,error,first_at,last_at,heartbeat_at,holder,backend_pid,backend_start}"
UNITS = 10
#: What may be wrong with an event: nothing, mostly. Each of the others Postgres refuses, or nobody can read.
DAMAGES = (*[""] * 12, "no units", "too many", "NUL", "lost units", "unreadable", "again")
_sales = itertools.count(1)

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


def written(
    side: ReadSide, log: Sequence[bytes], cuts: Sequence[int], copy_min: int
) -> list[list[tuple[str]]]:
    """All tables of a new sale after this log was applied, in batches of these sizes."""
    side.postgres.execute("DELETE FROM checkpoint")  # the earlier ones are nobody's concern
    sale = f"sale-{next(_sales)}"
    side.define(sale)
    (lease,) = acquire(side.postgres, "p1", 1)
    rows = [read_entry(Entry(Position(1, seq), body)) for seq, body in enumerate(log, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "COPY_MIN", copy_min)
        for size in itertools.cycle(cuts):
            batch, rows = rows[:size], rows[size:]
            apply.apply_rows(side.postgres, lease, batch)
            if not rows:
                break
    return [
        side.rows(
            f"SELECT (to_jsonb(t) - '{ITS_OWN}'::text[])::text FROM {table} t WHERE sale_id = %s ORDER BY 1",  # noqa: S608 - constants
            sale,
        )
        for table in TABLES
    ]


step = st.tuples(
    st.sampled_from(("reserve", "reserve", "confirm", "cancel", "add", "pause")),
    st.integers(0, 5),
    st.sampled_from(DAMAGES),
)
cut = st.lists(st.sampled_from((1, 2, 5, 100)), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=25), copied=cut, stated=cut)
def test_both_ways_and_all_cuts_end_in_the_same_tables(
    read_side: ReadSide, steps: Steps, copied: list[int], stated: list[int]
) -> None:
    log = list(bodies(steps))
    assert written(read_side, log, copied, 1) == written(read_side, log, stated, len(log) + 1)
