"""A shard's whole log: from the archive what Postgres has, from the stream what only Redis has yet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from flashsale.errors import Halted
from flashsale.events import AnyEvent, UndecodableEvent, decode, trace_of, type_name, why_of
from flashsale.ids import START, Position
from flashsale.projections import reads
from flashsale.projections.database import Connection
from flashsale.stream import PAGE_MAX, Entry, Log, ShardId, follows


class Shown(msgspec.Struct, frozen=True):
    """An entry of the log, decoded if it can be."""

    shard: ShardId
    position: Position
    body: bytes
    #: it is in Postgres
    archived: bool
    event: AnyEvent | None
    #: why there is no event
    problem: str = ""

    def record(self) -> dict[str, Any]:
        """For programs: every field by its name."""
        head = {
            "sale": self.shard.sale,
            "shard": self.shard.shard,
            "epoch": self.position.epoch,
            "seq": self.position.seq,
        }
        if self.event is None:
            return head | {"type": None, "problem": self.problem, "body": self.body.decode(errors="replace")}
        beside = {"trace_id": self.trace_id, "why": self.why}
        told = {name: text for name, text in beside.items() if text}
        return head | {"type": type_name(self.event)} | fields_of(self.event) | told

    @property
    def trace_id(self) -> str:
        """Of the request that it answers; empty: none."""
        return trace_of(self.body)

    @property
    def why(self) -> str:
        """As whoever did it wrote; empty: nothing."""
        return why_of(self.body)


def fields_of(event: AnyEvent) -> dict[str, Any]:
    """The fields of an event, which in the log stand without their names."""
    return msgspec.structs.asdict(event)


def shown(shard: ShardId, entry: Entry, *, archived: bool) -> Shown:
    body = entry.body or b""
    try:
        return Shown(shard, entry.position, body, archived, decode(body))
    except UndecodableEvent as error:
        return Shown(shard, entry.position, body, archived, None, error.reason)


def entries(
    log: Log, connection: Connection, shard: ShardId, after: Position = START, up_to: Position | None = None
) -> Iterator[Entry]:
    """Entries after a position, up to another one: from the stream what it holds, from the archive what it does not."""
    reached = after
    while True:
        page = log.entries(shard, reached, up_to=up_to)
        # What lies before the page was trimmed, perhaps while the page before it was read; or the stream lost it. After
        # the last page comes whatever the stream lost and the archive still has.
        if not page or not reached.precedes(page[0].position):
            for entry in _archived(connection, shard, reached, up_to):
                if page and entry.position >= page[0].position:
                    break
                yield entry
        if not page:
            return
        yield from page
        reached = page[-1].position


def whole(
    log: Log, connection: Connection, shard: ShardId, after: Position = START, up_to: Position | None = None
) -> Iterator[Shown]:
    """Events after a position, up to another one, in order. Raises `Halted` where the log has a gap."""
    reached, at = after, checkpoint(connection, shard)
    for entry in entries(log, connection, shard, after, up_to):
        if reached != START and not follows(reached, entry):
            raise Halted(f"{shard}: events between {reached} and {entry.position} are missing")
        reached = entry.position
        yield shown(shard, entry, archived=entry.position <= at)


def follow(log: Log, connection: Connection, shard: ShardId, after: Position) -> list[Entry]:
    """Wait a while for entries after a position; also those that were trimmed before this reader came to them."""
    page = log.wait(shard, after)
    if not page or after.precedes(page[0].position):
        return page
    return list(entries(log, connection, shard, after, page[-1].position))


def newest(log: Log, connection: Connection, shard: ShardId, number: int) -> list[Shown]:
    """The newest events, oldest first."""
    entries = log.newest(shard, number)
    at = checkpoint(connection, shard)
    found = [shown(shard, entry, archived=entry.position <= at) for entry in entries]
    missing = number - len(found)
    first = entries[0].position if entries else Position(at.epoch, at.seq + 1)
    if missing:  # trimmed from the stream, or lost with it
        before = reads.events_before(connection, shard, first, missing)
        found = [shown(shard, entry, archived=True) for entry in before] + found
    return found


def before(log: Log, connection: Connection, shard: ShardId, end: Position, number: int) -> list[Shown]:
    """At most so many events right before a position, oldest first, wherever they are."""
    at = checkpoint(connection, shard)
    # Within an epoch nothing is missing, so the place to begin at can be counted.
    start = Position(end.epoch, max(0, end.seq - 1 - number))
    last = end._replace(seq=end.seq - 1)
    found = [] if last <= start else list(islice(entries(log, connection, shard, start, last), number))
    missing = number - len(found)
    if missing and end.epoch > 1:  # an earlier epoch is in the archive, and nowhere else
        first = found[0].position if found else end
        found = reads.events_before(connection, shard, first, missing) + found
    return [shown(shard, entry, archived=entry.position <= at) for entry in found]


def latest(log: Log, connection: Connection, shard: ShardId, kind: str) -> Shown | None:
    """The newest event of a type, like `sale.paused`: from the stream's newest page, else from the archive."""
    for entry in reversed(log.newest(shard, PAGE_MAX)):
        if kind.encode() in (entry.body or b""):  # few of many: the others need not be decoded
            found = shown(shard, entry, archived=False)
            if found.event is not None and type_name(found.event) == kind:
                return found
    newest_archived = reads.latest_event(connection, shard, kind)
    return None if newest_archived is None else shown(shard, newest_archived, archived=True)


def checkpoint(connection: Connection, shard: ShardId) -> Position:
    """Up to where Postgres has applied the log."""
    rows = reads.checkpoints(connection, shard.sale)
    return next((row.checkpoint for row in rows if row.shard == shard), START)


def count_after(log: Log, shard: ShardId, after: Position, head: Position) -> int:
    """How many events follow a position, exactly."""
    if after.epoch == head.epoch:
        return max(0, head.seq - after.seq)
    return sum(1 for _ in log.walk(shard, after))


class Distance(msgspec.Struct, frozen=True):
    """How far apart log and checkpoint are, in events."""

    #: the log has and Postgres lacks; None when the log ends before the checkpoint: it then cannot be told
    lag: int | None
    #: Postgres has and the log lacks: 0 while all is well; None when they are of different epochs
    lost: int | None


def distance(log: Log, row: reads.CheckpointRow, head: Position) -> Distance:
    """From a checkpoint to a head of the log that was read after it."""
    checkpoint = row.checkpoint
    if head >= row.reached:
        return Distance(count_after(log, row.shard, checkpoint, head), 0)
    is_known = checkpoint.epoch == max(head.epoch, 1) and checkpoint > head
    return Distance(None, checkpoint.seq - head.seq if is_known else None)


def _archived(
    connection: Connection, shard: ShardId, after: Position, up_to: Position | None
) -> Iterator[Entry]:
    while page := reads.events(connection, shard, after, PAGE_MAX):
        for entry in page:
            if up_to is not None and entry.position > up_to:
                return
            yield entry
        after = page[-1].position
