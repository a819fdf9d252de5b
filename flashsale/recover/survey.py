"""See what a loss has left: what Postgres has, what Redis has, and up to where the two agree. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import msgspec

from flashsale.client import Client
from flashsale.commands import Snapshot
from flashsale.errors import Halted
from flashsale.events import (
    AnyEvent,
    InvariantBroken,
    NewerEvent,
    OrderEvent,
    ShardState,
    UndecodableEvent,
    continues,
    decode,
    evolve,
)
from flashsale.ids import START, Position
from flashsale.keys import GROUP
from flashsale.projections import reads
from flashsale.projections.database import Connection
from flashsale.recover.remains import remains
from flashsale.stream import PAGE_MAX, Entry, Log, NoGroup, ShardId

#: One more each time a log is founded anew. Scripts and Postgres take no larger one.
EPOCH_MAX = 999_999_999


class Survey(msgspec.Struct):
    """What the two stores hold of one shard."""

    shard: ShardId
    checkpoint: Position
    founded_epoch: int
    #: the log in Redis ends here; 0-0: there is none
    head: Position
    #: the scripts have counted up to here; 0-0: the sale's record is gone
    counted: Position
    #: up to here both hold the same events
    common: Position
    #: the fold of the archive and of `tail`
    state: ShardState
    #: archived events that Redis has lost, or holds other events in the place of
    only_postgres: list[tuple[Position, AnyEvent]] = msgspec.field(default_factory=list)
    #: entries that follow the archive, to be projected as they are
    tail: list[Entry] = msgspec.field(default_factory=list)
    #: events of another history than the archive's
    branch: list[tuple[Position, AnyEvent]] = msgspec.field(default_factory=list)
    #: what only Redis's records still say, told as events: the log that had them is gone
    remains: list[tuple[Position, AnyEvent]] = msgspec.field(default_factory=list)
    #: somebody has seen the log reach this place, and halted the sale; 0-0: nobody
    seen: Position = START
    #: entries that no script wrote, or that cannot be read: they are dropped
    foreign: list[Position] = msgspec.field(default_factory=list)
    #: consumer groups of others, which begin with the new log: what they have not read yet is in the archive only
    groups: list[str] = msgspec.field(default_factory=list)
    #: what else is wrong, as sentences
    damage: list[str] = msgspec.field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Nothing is lost, forked or damaged: there is nothing to recover."""
        return not (self.only_postgres or self.branch or self.remains or self.foreign or self.damage)

    @property
    def orders_lost(self) -> list[str]:
        """Ids of the orders whose newest events Redis has lost, in the order of those events."""
        return list(
            dict.fromkeys(event.order_id for _, event in self.only_postgres if isinstance(event, OrderEvent))
        )

    @property
    def next_epoch(self) -> int:
        """The epoch in which the log would go on: later than any that anybody may have seen.

        What no script wrote was never answered to anybody; a claim to have seen an epoch that no sale reaches is none.
        """
        branch = [position for position, _ in self.branch[-1:]]
        positions = (self.checkpoint, self.common, *branch, self.counted, self.seen)
        claimed = [position.epoch for position in positions if position.epoch < EPOCH_MAX]
        return max(self.founded_epoch, *claimed) + 1


def survey(client: Client, log: Log, connection: Connection, shard: ShardId) -> Survey:
    """Look at one shard in both stores. A sale that is well may go on selling meanwhile.

    Raises `Halted` when the archive itself does not add up: then nothing is left to found a log on.
    """
    # Postgres first: Redis can then not be behind it, unless it lost something.
    row = reads.checkpoint_row(connection, shard)
    snapshot, problem = _hot(client, shard)
    counted = snapshot.state.position if snapshot else _counted(log, shard)
    head = snapshot.log_position if snapshot else _head(log, shard)
    found = Survey(shard, row.checkpoint, row.founded_epoch, head, counted, START, ShardState())
    if problem:
        found.damage.append(problem)
    entries = list(_entries(log, shard, head))
    # What was applied and trimmed while the log was read is in the archive by now.
    found.checkpoint = max(row.checkpoint, min(reads.checkpoint_row(connection, shard).checkpoint, head))
    _join(found, connection, entries)
    found.groups = _groups(log, shard)
    _judge(found, row, snapshot)
    if snapshot:
        found.remains = remains(
            snapshot, found.state, found.branch,
            common=found.common, checkpoint=found.checkpoint, entries=entries,
        )  # fmt: skip
    return found


def _hot(client: Client, shard: ShardId) -> tuple[Snapshot | None, str]:
    try:
        return client.snapshot(shard.sale, shard.shard, everything=True), ""
    except Halted as error:
        return None, str(error)


def _groups(log: Log, shard: ShardId) -> list[str]:
    try:
        return sorted(group.name for group in log.groups(shard) if group.name != GROUP)
    except NoGroup:
        return []


def _counted(log: Log, shard: ShardId) -> Position:
    try:
        return log.counted(shard) or START
    except Halted:
        return START


def _head(log: Log, shard: ShardId) -> Position:
    try:
        return log.head(shard) or START
    except Halted:  # something else stands in its place
        return START


def _entries(log: Log, shard: ShardId, head: Position) -> Iterator[Entry]:
    after = START
    while head > START and (page := log.entries(shard, after, up_to=head, count=PAGE_MAX)):
        yield from page
        after = page[-1].position


def _join(found: Survey, connection: Connection, entries: list[Entry]) -> None:
    """Fold the archive, hold the stream against it, and sort what lies behind the place where they part."""
    in_redis = {entry.position: entry for entry in entries}
    first = entries[0].position if entries else None
    parted = False
    # Counters that somebody tampered with stand in the events that came after. What the events did is what counts.
    contradictions: list[InvariantBroken] = []
    for entry in _archive(connection, found):
        event, position = _decoded(found.shard, entry), entry.position
        try:
            found.state = evolve(found.state, position, event, contradictions.append)
        except InvariantBroken as broken:
            raise Halted(
                f"the archive of {found.shard} does not add up at {broken}; `flashsale reconcile {found.shard.sale} "
                "--plan FILE` puts back what the log in Redis still has, else restore event_log from a backup"
            ) from broken
        # What was trimmed was proven before: only the place after which Redis holds entries can be compared.
        trimmed = position <= found.head and (first is None or position < first)
        same = trimmed or (position in in_redis and in_redis[position].body == entry.body)
        parted = parted or not same
        if parted:
            found.only_postgres.append((position, event))
        else:
            found.common = position
    for sku, stock in found.state.stock.items():
        if min(stock.available, stock.held, stock.sold, stock.returned) < 0:
            raise Halted(
                f"{found.shard}: more of {sku} was sold than there was, first at {contradictions[0]}"
            )
    later = [entry for entry in entries if entry.position > found.common]
    for entry in later:
        if _follows(found, connection, entry, parted=parted):
            found.tail.append(entry)
            found.common = entry.position


def _archive(connection: Connection, found: Survey) -> Iterator[Entry]:
    after = START
    while page := reads.events(connection, found.shard, after, PAGE_MAX):
        for entry in page:
            if entry.position > found.checkpoint:
                return
            yield entry
        after = page[-1].position
    if after < found.checkpoint:
        raise Halted(f"{found.shard}: the archive ends at {after}, before its checkpoint {found.checkpoint}")


def _decoded(shard: ShardId, entry: Entry) -> AnyEvent:
    try:
        return decode(entry.body or b"")
    except UndecodableEvent as error:
        raise Halted(
            f"{shard}: the archived event {entry.position} cannot be read ({error.reason}): "
            "a newer flashsale may know it"
        ) from error


def _follows(found: Survey, connection: Connection, entry: Entry, *, parted: bool) -> bool:
    """Fold one entry that only Redis has, if it continues the archive; else it is another branch's, or nobody's."""
    is_uncounted = found.counted != START and entry.position > found.counted
    try:
        event = decode(entry.body or b"")
    except UndecodableEvent as error:
        if isinstance(error, NewerEvent) and not is_uncounted:
            raise Halted(
                f"{found.shard} at {entry.position}: {error.name}: {error.reason}. What somebody was told yes for "
                "would be dropped: recover with the newer flashsale that wrote it"
            ) from error
        found.foreign.append(entry.position)
        return False
    if is_uncounted:
        found.foreign.append(entry.position)
        return False
    if not (parted or found.branch) and continues(found.state.position, entry.position, event):
        try:
            found.state = evolve(found.state, entry.position, event)
        except InvariantBroken:
            # It was refused half way, and the fold is spoiled. Once: what comes behind it is never tried.
            found.state = _folded(found, connection)
        else:
            return True
    found.branch.append((entry.position, event))
    return False


def _folded(found: Survey, connection: Connection) -> ShardState:
    state = ShardState()
    for entry in chain(_archive(connection, found), found.tail):
        state = evolve(state, entry.position, _decoded(found.shard, entry), lambda _: None)
    return state


def _judge(found: Survey, row: reads.CheckpointRow, snapshot: Snapshot | None) -> None:
    """What is wrong beside the log itself."""
    if found.head < row.reached and not found.only_postgres:
        found.damage.append("it was warmed, and Redis has nothing of it")
    if snapshot is None:
        return
    if snapshot.lost:
        found.seen = snapshot.lost
        found.damage.append(f"it has halted: somebody has seen {snapshot.lost}")
    known = max(found.common, *(position for position, _ in found.branch), *found.foreign, START)
    if known < found.head:
        found.damage.append(f"events between {known} and {found.head} are in neither log")
    holds = {key: order.hold_until_ms for key, order in found.state.orders.items() if order.status == "held"}
    is_folded = snapshot.state == found.state and snapshot.holds == holds
    if found.counted == found.state.position and not is_folded:
        found.damage.append("what Redis keeps hot is not what the log adds up to (see `flashsale reconcile`)")
    elif found.counted != found.head:
        found.damage.append(f"the scripts have counted to {found.counted}, the log ends at {found.head}")
