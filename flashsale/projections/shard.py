"""One shard under one lease: from the log to Postgres, in order, without a gap.

The Postgres checkpoint is the truth; the group's pending list is a hint of where a predecessor stopped and how often.
What the group does not deliver (a lost reply, a deleted consumer, a rewound group) is read from the log itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

import msgspec

from flashsale.ids import START
from flashsale.projections.apply import Applied, Fork, Lease, Poison, apply_rows, park_row, refuse_fork
from flashsale.projections.batch import Row, read_entry
from flashsale.projections.catalog import founded_epoch, origin
from flashsale.projections.continuity import gap, prove_continuity, refuse_foreign, refuse_other_shop
from flashsale.projections.database import Connection
from flashsale.projections.dead_stream import publish
from flashsale.projections.lease import set_halted
from flashsale.projections.newer import readable, refuse_if_newer, refuse_newer
from flashsale.projections.pending import PendingEntries
from flashsale.projections.tracing import tell
from flashsale.stream import Entry, Log, follows


class Phase(Enum):
    """What a leader does with its shard."""

    #: the sale is not warm yet, or the shard is halted: look again later
    WAITING = "waiting"
    #: a predecessor's entries are read from the log
    BEHIND = "behind"
    #: new entries come from the group
    LIVE = "live"


class ShardProjector:
    """Apply one shard's events. Raises `Halted` kinds when the log and the archive cannot both be right."""

    def __init__(self, connection: Connection, log: Log, consumer: str, lease: Lease, batch_max: int) -> None:
        self.lease = lease
        self.phase = Phase.WAITING
        #: why the shard is halted; None while all is well
        self.halted: str | None = None
        self._connection, self._log, self._consumer = connection, log, consumer
        self._batch_max = batch_max
        self._pending = PendingEntries(log, consumer, lease)

    def start(self, *, first_time: bool) -> None:
        """Prove that the log continues the archive, take over what is pending. Does nothing while the sale is not warm.

        `first_time`: this process has not led the shard before, so whoever left entries pending died with them.
        """
        is_founded = founded_epoch(self._connection, self.lease.shard) > 0  # before the log is looked at
        if is_founded:
            mine = origin(self._connection, self.lease.shard.sale)
            refuse_other_shop(self.lease.shard, self._log.origin(self.lease.shard), mine)
        head = self._log.head(self.lease.shard)
        if head is None and self.lease.checkpoint == START:
            if is_founded:
                raise Fork(f"FORK of {self.lease.shard}: it was warmed, and Redis has lost its whole log")
            return
        prove_continuity(self._connection, self._log, self.lease, head or START)
        # Still unreadable, it is halted still: not for a moment does it look as if it were not.
        refuse_if_newer(self.lease.shard, self._log.entries(self.lease.shard, self.lease.checkpoint, count=1))
        self._log.ensure_group(self.lease.shard, self.lease.checkpoint)
        self._pending.take_over(first_time=first_time)
        set_halted(self._connection, self.lease, None)
        # What a predecessor parked, and died before it told others.
        publish(self._connection, self._log, self.lease.shard)
        self.halted = None
        self.phase = Phase.BEHIND

    def catch_up(self) -> Applied:
        """Apply one page of what was delivered once but never applied; when nothing is left, the shard is live.

        The group hands out later entries only; what lies between the checkpoint and its mark comes from the log.
        """
        delivered = self._log.delivered(self.lease.shard)
        if self.lease.checkpoint < delivered:
            page = self._log.entries(
                self.lease.shard, self.lease.checkpoint, up_to=delivered, count=self._batch_max
            )
            # No page: trimmed or deleted up to the group's mark. The next entry, if there is one, shows the gap.
            if page:
                return self._apply_all(page)
        self._pending.settle()
        self.phase = Phase.LIVE
        return Applied()

    def feed(self, entries: Sequence[Entry], meanwhile: Callable[[], None] = lambda: None) -> Applied:
        """Apply what the group delivered, then acknowledge it. Repeats are dropped, holes are read from the log.

        `meanwhile` is called while Postgres works on it.
        """
        new = [entry for entry in entries if entry.position > self.lease.checkpoint]
        if len(new) < len(entries):
            # Delivered again: after a crash the same events, after a failover perhaps others in their place.
            repeated = [entry for entry in entries if entry.position <= self.lease.checkpoint]
            refuse_fork(self._connection, self.lease.shard, repeated)
        done = self._apply_all(new, meanwhile)
        # After the commit, never before. Fewer acknowledged than delivered: somebody else works on this group.
        acknowledged = self._log.acknowledge(self.lease.shard, [entry.position for entry in entries])
        return msgspec.structs.replace(done, ack_missing=len(entries) - acknowledged)

    def look(self) -> Applied:
        """See whether the log holds events that the group does not bring: somebody else read them, or jumped over them.

        While events keep coming, the next one shows such a hole; this finds it at the log's end.
        """
        head = self._log.head(self.lease.shard) or START
        if head > self.lease.checkpoint:
            if not self._log.entries(self.lease.shard, self.lease.checkpoint, count=1):
                raise gap(self.lease, head)
            self.phase = Phase.BEHIND
        return Applied()

    def leave(self) -> None:
        """Say that what is pending did not kill this process: a successor counts on from one."""
        self._pending.forgive()

    def halt(self, reason: str) -> None:
        """Apply nothing more until a new start succeeds; operators read the reason in `checkpoint.halted`."""
        self.phase = Phase.WAITING
        self.halted = reason
        set_halted(self._connection, self.lease, reason)

    def _apply_all(self, entries: Sequence[Entry], meanwhile: Callable[[], None] = lambda: None) -> Applied:
        """Apply entries in order, filling every hole before or between them."""
        total = Applied()
        rest = list(entries)
        if rest:
            refuse_foreign(self._log, self.lease.shard, rest[-1].position)
        while rest:
            total += self._fill_hole(rest[0])
            run = self._run_length(rest)
            total += self._apply(rest[:run], meanwhile)
            rest = rest[run:]
        return total

    def _fill_hole(self, before: Entry) -> Applied:
        """Apply, page by page, what lies between the checkpoint and `before`. Raises `Gap` when the log has lost it."""
        total = Applied()
        while not follows(self.lease.checkpoint, before):
            page = self._log.entries(
                self.lease.shard, self.lease.checkpoint, up_to=before.position, count=self._batch_max
            )
            run = self._run_length([entry for entry in page if entry.position < before.position])
            if not run:
                raise gap(self.lease, before.position)
            total += self._apply(page[:run])
        return total

    def _run_length(self, entries: Sequence[Entry]) -> int:
        """How many of the first entries follow the checkpoint and each other; at most a batch."""
        reached = self.lease.checkpoint
        for i, entry in enumerate(entries[: self._batch_max]):
            if not follows(reached, entry):
                return i
            reached = entry.position
        return min(len(entries), self._batch_max)

    def _apply(self, batch: Sequence[Entry], meanwhile: Callable[[], None] = lambda: None) -> Applied:
        """Apply one run, and tell others what of it was parked: after the commit, never before.

        Raises `NewerEvents` at the first that only a newer flashsale can read; what stands before it is applied.
        """
        rows = [read_entry(entry) for entry in batch]
        known = readable(rows)
        done = self._write(known, meanwhile)
        tell(self._connection, self.lease.shard, batch[: len(known)], done.parked)
        if done.parked:
            publish(self._connection, self._log, self.lease.shard)
        if len(known) < len(rows):
            raise refuse_newer(self.lease.shard, rows[len(known)])
        return done

    def _write(self, rows: Sequence[Row], meanwhile: Callable[[], None]) -> Applied:
        """Write one run; an entry that may be killing the process goes alone."""
        if not self._pending.has_suspects(rows):
            return apply_rows(self._connection, self.lease, rows, meanwhile=meanwhile)
        total = Applied()
        for row in rows:
            deliveries = self._pending.acquit(row)
            if self._pending.is_culprit(row):
                poison = Poison(
                    "crash_loop", f"delivered {deliveries} times, each time the process died", deliveries
                )
                total += park_row(self._connection, self.lease, row, poison)
            else:
                total += apply_rows(self._connection, self.lease, [row], deliveries)
        return total
