"""See what a loss has left: what Postgres has, what Redis has, and up to where the two agree. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from flashsale.client import Client
from flashsale.commands import Snapshot
from flashsale.errors import Halted
from flashsale.events import (
    AnyEvent,
    InvariantBroken,
    NewerEvent,
    ShardState,
    UndecodableEvent,
    continues,
    decode,
    evolve,
)
from flashsale.ids import START, Position
from flashsale.keys import GROUP
from flashsale.projections import reads
from flashsale.projections.continuity import refuse_other_shop
from flashsale.projections.database import Connection
from flashsale.recover.remains import remains
from flashsale.recover.survey import Survey
from flashsale.stream import PAGE_MAX, Entry, Log, NoGroup, ShardId


def survey(client: Client, log: Log, connection: Connection, shard: ShardId) -> Survey:
    """Look at one shard in both stores. A sale that is well may go on selling meanwhile.

    Raises `Halted` when the archive itself does not add up: then nothing is left to found a log on; and `OtherShop`.
    """
    # Postgres first: Redis can then not be behind it, unless it lost something.
    row = reads.checkpoint_row(connection, shard)
    snapshot, problem = _hot(client, shard)
    origin = snapshot.origin if snapshot else ""
    refuse_other_shop(shard, origin, row.origin)
    counted = snapshot.state.position if snapshot else _counted(log, shard)
    head = snapshot.log_position if snapshot else _head(log, shard)
    found = Survey(shard, row.checkpoint, row.founded_epoch, head, counted, START, ShardState())
    found.origin = origin
    if problem:
        found.damage.append(problem)
    entries = list(log.walk(shard, up_to=head)) if head > START else []
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
                f"{found.shard} at {entry.position}: {error.name}: {error.reason}. What was acknowledged would "
                "be dropped: recover with the newer flashsale that wrote it"
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
