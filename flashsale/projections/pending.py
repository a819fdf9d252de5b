"""What the group delivered of a shard and nobody acknowledged: a hint of where a predecessor stopped, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flashsale.errors import Unreachable
from flashsale.ids import Position
from flashsale.projections.apply import Lease
from flashsale.projections.batch import Row
from flashsale.stream import PAGE_MAX, Log, NoGroup, Pending

#: An entry that was delivered this often is processed alone: one of its batch may be killing the process.
ALONE_AFTER_DELIVERIES = 5
#: Delivered once more after that, it did kill the process: it is parked without another try.
PARK_AFTER_DELIVERIES = 6


class PendingEntries:
    """The pending entries of one shard under one lease, and those of them that may be killing whoever reads them."""

    def __init__(self, log: Log, consumer: str, lease: Lease) -> None:
        self._log, self._consumer, self._lease = log, consumer, lease
        #: pending entries that others left behind, with the times they were delivered
        self._suspects: dict[Position, int] = {}
        #: the one of them at which the process died while it was processed alone
        self._culprit: Position | None = None

    def has_suspects(self, rows: Sequence[Row]) -> bool:
        """Whether one of these entries was delivered so often that it goes alone."""
        return any(row.position in self._suspects for row in rows)

    def is_culprit(self, row: Row) -> bool:
        """Whether this entry was tried alone, and the process died."""
        return row.position == self._culprit

    def acquit(self, row: Row) -> int:
        """Take an entry off the suspects, for it is processed now; returns how often it was delivered."""
        return self._suspects.pop(row.position, 1)

    def take_over(self, *, first_time: bool) -> None:
        """Claim what any consumer of the group left pending, and remember what was delivered too often."""
        self._suspects.clear()
        for page in self._pages():
            positions = [pending.position for pending in page if pending.position > self._lease.checkpoint]
            if not positions:
                continue
            if first_time:
                self._log.claim(self._lease.shard, self._consumer, positions)
            else:
                # This process failed on them and lives: Postgres or Redis was away. That is nobody's fault.
                self._log.forgive(self._lease.shard, self._consumer, positions)
                continue
            self._suspects.update(
                (pending.position, pending.deliveries + 1)
                for pending in page
                if pending.deliveries + 1 >= ALONE_AFTER_DELIVERIES
                and pending.position > self._lease.checkpoint
            )
        # Only the next one was tried: those behind it were delivered with it each time, and may well be harmless.
        self._culprit = next(
            (
                position
                for position, deliveries in self._suspects.items()
                if deliveries >= PARK_AFTER_DELIVERIES and self._lease.checkpoint.precedes(position)
            ),
            None,
        )

    def settle(self) -> None:
        """Acknowledge what is applied but still pending: a predecessor died between COMMIT and XACK."""
        for page in self._pages():
            applied = [pending.position for pending in page if pending.position <= self._lease.checkpoint]
            if applied:
                self._log.acknowledge(self._lease.shard, applied)

    def forgive(self) -> None:
        """Say that what this process has pending did not kill it: a successor counts on from one."""
        try:
            for page in self._pages():
                mine = [pending.position for pending in page if pending.consumer == self._consumer]
                if mine:
                    self._log.forgive(self._lease.shard, self._consumer, mine)
        except (Unreachable, NoGroup):
            return  # best effort: the successor is only more careful

    def _pages(self) -> Iterator[list[Pending]]:
        after: Position | None = None
        while page := self._log.pending(self._lease.shard, after):
            yield page
            if len(page) < PAGE_MAX:
                return
            after = page[-1].position
