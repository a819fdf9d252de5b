"""After poison, parking, the fix and a retry, the tables are those of a run in which nothing ever failed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from flashsale.commands import Cancel, Confirm, Refund
from flashsale.commands.sale import Restock
from flashsale.events import codec, upcasters
from flashsale.events.types import EVENT_TYPES
from flashsale.ids import START
from flashsale.projections.apply import Poison, apply_rows, park_row
from flashsale.projections.batch import Row, read_entry
from flashsale.projections.retry import Chosen, Retried, retry
from flashsale.stream import Entry
from tests.fixtures.read_side import ReadSide
from tests.integration.desk_kit import Desk, open_desk

SKUS = ("phone", "case")
#: Each refuses some of what stands in the log, and is gone with the fix.
CONSTRAINTS = (
    "ALTER TABLE orders ADD CONSTRAINT not_these_buyers CHECK (NOT buyer LIKE '%%{digit}')",
    "ALTER TABLE orders ADD CONSTRAINT not_paid CHECK (status <> 'confirmed' OR NOT order_id LIKE '%%{digit}')",
    "ALTER TABLE stock ADD CONSTRAINT not_this_size CHECK (capacity % 4 <> {digit} % 4)",
    "ALTER TABLE event_log ADD CONSTRAINT not_this_place CHECK (type = '' OR at_ms IS NULL OR seq % 7 <> {digit} % 7)",
)
NEVER_FAILED = ("event_log", "orders", "stock")


@pytest.fixture
def desk(read_side: ReadSide) -> Desk:
    """The desk of a sale with a log of every kind of event, of two SKUs whose capacity changes on the way."""
    shard = read_side.open_sale(skus=SKUS, quantity=20, hold_ms=1)
    for round_ in range(3):
        for sku in SKUS:
            orders = read_side.sell(shard, 4, sku)
            read_side.run(shard, [Confirm(order) for order in orders[:3]])
            read_side.client.control(shard.sale, Restock(f"add-{round_}-{sku}", "add", sku, round_ + 1))
            read_side.run(shard, [Cancel(orders[3]), Refund(orders[0]), Refund(orders[1], units="keep")])
            read_side.client.control(shard.sale, Restock(f"less-{round_}-{sku}", "remove", sku, 1))
    for sku in SKUS:
        read_side.whole_story(shard, sku)
    return open_desk(read_side)


def of_another_release(entry: Entry) -> Entry:
    """The same event as a release wrote it that this one does not know: of version 0, where it is of version 1."""
    kind, _, rest = (entry.body or b"").partition(b",1,")
    return entry if b"," in kind else entry._replace(body=kind + b",0," + rest)


@contextmanager
def upgraded() -> Iterator[None]:
    """This release knows version 0 of every event."""
    with pytest.MonkeyPatch.context() as patch:
        for name in EVENT_TYPES:
            patch.setitem(upcasters.UPCASTERS, (name, 0), lambda raw: [raw[0], 1, *raw[2:]])
        patch.setattr(codec, "_LIFTED_TYPES", {name for name, _ in upcasters.UPCASTERS})
        yield


def start_anew(desk: Desk) -> None:
    """Empty all tables; the log stays."""
    desk.side.postgres.execute("TRUNCATE event_log, orders, stock, parked, dead_letter_audit")
    desk.side.postgres.execute("UPDATE checkpoint SET epoch = 0, seq = 0")
    desk.lease.checkpoint = START


def tables(desk: Desk) -> list[list[tuple[object, ...]]]:
    return [desk.side.rows(f"SELECT {table}::text FROM {table} ORDER BY 1") for table in NEVER_FAILED]


def retry_all(desk: Desk) -> list[Retried]:
    return list(retry(desk.side.postgres, desk.lease.shard, Chosen(), actor="tests"))


class Failing:
    """A run in which much fails, by chance."""

    def __init__(self, desk: Desk, seed: int, batch_max: int) -> None:
        self.desk, self.batch_max = desk, batch_max
        self.chance = random.Random(seed)
        self.entries = [
            of_another_release(entry) if self.chance.random() < 0.2 else entry
            for entry in desk.side.entries(desk.lease.shard)
        ]

    def rows(self, first: int, last: int) -> list[Row]:
        return [read_entry(entry) for entry in self.entries[first:last]]

    def apply(self, first: int, last: int) -> None:
        """Apply this part of the log, batch by batch; some events kill their process."""
        at = first
        while at < last:
            if self.chance.random() < 0.1:
                (row,) = self.rows(at, at + 1)
                crash = Poison("crash_loop", "delivered 6 times, each time the process died", 6)
                park_row(self.desk.side.postgres, self.desk.lease, row, crash)
                at += 1
                continue
            until = min(last, at + self.chance.randint(1, self.batch_max))
            apply_rows(self.desk.side.postgres, self.desk.lease, self.rows(at, until))
            at = until

    def break_tables(self) -> list[str]:
        """Add constraints that refuse some; returns the statements that take them off again."""
        chosen = self.chance.sample(CONSTRAINTS, self.chance.randint(1, len(CONSTRAINTS)))
        for statement in chosen:
            self.desk.side.postgres.execute(statement.format(digit=self.chance.randint(0, 9)).encode())
        return [statement.partition(" CHECK")[0].replace(" ADD ", " DROP ") for statement in chosen]


def mend(desk: Desk, statements: Sequence[str]) -> None:
    for statement in statements:
        desk.side.postgres.execute(statement.encode())


@pytest.mark.parametrize("batch_max", [1, 3, 10, 1_000])
@pytest.mark.parametrize("seed", range(8))
def test_a_retry_after_the_fix_ends_where_nothing_ever_failed(desk: Desk, seed: int, batch_max: int) -> None:
    run = Failing(desk, seed, batch_max)
    with upgraded():
        apply_rows(desk.side.postgres, desk.lease, run.rows(0, len(run.entries)))
    assert desk.seqs("parked") == []
    expected = tables(desk)
    middle = run.chance.randint(0, len(run.entries))

    start_anew(desk)
    mending = run.break_tables()
    run.apply(0, middle)
    retry_all(desk)  # nothing is mended yet
    run.apply(middle, run.chance.randint(middle, len(run.entries)))
    done_at = desk.lease.checkpoint.seq
    mend(desk, mending[:1])
    retry_all(desk)
    with upgraded():
        retry_all(desk)
        mend(desk, mending[1:])
        run.apply(done_at, len(run.entries))
        done = retry_all(desk)

    assert [line for line in done if line.refused or line.discarded] == []
    assert desk.seqs("parked") == []
    assert tables(desk) == expected
    assert desk.side.checkpoint(desk.lease.shard) == run.entries[-1].position
