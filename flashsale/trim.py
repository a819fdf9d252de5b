"""Take off a shard's log what Postgres has byte for byte and every consumer group has acknowledged; nothing else.

The archive is read page by page, and each page offered to the `trim` script with its number of events and their hash.
The script holds both against the log, asks every group, and trims, all in one step: whatever changed since the archive
was read is found there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Literal

import msgspec
import structlog

from flashsale import history
from flashsale.client import Client
from flashsale.commands import Answer, Code
from flashsale.commands.sale import TRIM_MAX, trim_of
from flashsale.ids import START, Position
from flashsale.keys import GROUP
from flashsale.projections import reads
from flashsale.projections.database import Connection
from flashsale.stream import Entry, Log, NoGroup, ShardId

log = structlog.get_logger(__name__)

#: Events that stay in the log unless somebody says otherwise: a projector that lags as usual is then no reason to
#: refuse, and whoever follows the log finds the newest in Redis. About 200 kB a shard.
KEEP = 1_000
#: Pages of one shard in a row before a projector goes back to its work: 20,000 events, a few tenths of a second.
PAGES_PER_TURN = 20
#: Pages in one run of the command: ten billion events.
PAGES_MAX = 10_000_000


#: Why events stay: not in Postgres yet · a group has not acknowledged them · there is no group · the archive lacks them
Kind = Literal["unprojected", "unacknowledged", "no-group", "unproven"]


class Obstacle(msgspec.Struct, frozen=True):
    """Why events that are older than those to keep stay in the log."""

    kind: Kind
    events: int
    group: str | None = None
    #: the first event that is not proven
    position: str | None = None

    def __str__(self) -> str:
        events = f"{self.events:,} event{'' if self.events == 1 else 's'}"
        return {
            "unprojected": f"{events} {'is' if self.events == 1 else 'are'} not in Postgres yet",
            "unacknowledged": f"group {self.group} has not acknowledged {events}",
            "no-group": f"no consumer group has acknowledged {events}: none exists",
            "unproven": f"Postgres does not hold event {self.position} as Redis does: {events} from it on",
        }[self.kind]


class Trimmed(msgspec.Struct):
    """What a trim did; of a dry run, what it would have done."""

    shard: ShardId
    trimmed: int = 0
    remaining: int = 0
    obstacles: list[Obstacle] = msgspec.field(default_factory=list)
    #: the answer that refused it all: NOT_LOADED, LOG_REGRESSED or ARCHIVED
    refused: Answer | None = None


class _Plan(msgspec.Struct):
    """How far a log may be trimmed, and what stands in the way of more."""

    #: nothing behind it goes
    limit: Position
    #: this many of the oldest events may go
    events: int
    obstacles: list[Obstacle]


def trim(
    client: Client,
    reader: Log,
    connection: Connection,
    shard: ShardId,
    *,
    keep: int = KEEP,
    dry_run: bool = False,
    pages_max: int = PAGES_MAX,
) -> Trimmed:
    """Trim one log down to its newest `keep` events, as far as the rest is proven and acknowledged.

    Raises what the client, the log and the database raise; a repeat goes on where this one stopped.
    """
    checkpoint = history.checkpoint(connection, shard)
    client.fences.saw(shard.sale, shard.shard, checkpoint)
    try:
        length = reader.length(shard)
        plan = _plan(reader, shard, checkpoint, length, keep)
    except NoGroup:  # there is no log: the script says why, and changes nothing
        answer = client.control(shard.sale, trim_of([(Position(1, 1), b"")]), shard.shard)
        return Trimmed(shard, refused=answer)
    done = Trimmed(shard, remaining=length, obstacles=plan.obstacles)
    reached = START
    for _ in range(pages_max):
        count = min(TRIM_MAX, plan.events - done.trimmed)
        oldest = reader.entries(shard, reached, count=count) if count > 0 else []
        oldest = [entry for entry in oldest if entry.position <= plan.limit]
        if not oldest:
            break
        proven = _proven(connection, shard, oldest)
        taken = len(proven) if dry_run or not proven else _take_off(client, shard, proven, done)
        done.trimmed += taken
        done.remaining -= taken
        if len(proven) < len(oldest):
            place, left = oldest[len(proven)].position, plan.events - done.trimmed
            done.obstacles.append(Obstacle("unproven", left, position=str(place)))
        if taken < len(oldest):
            break
        reached = oldest[-1].position
    return done


def _plan(reader: Log, shard: ShardId, checkpoint: Position, length: int, keep: int) -> _Plan:
    """Read how far everybody is. Only the script's word counts in the end."""
    groups = reader.groups(shard)
    head = reader.head(shard) or START
    first = reader.entries(shard, START, count=1)

    def behind(position: Position) -> int:
        if not first or position < first[0].position:
            return length
        return min(length, history.count_after(reader, shard, position, head))

    limits: list[tuple[Kind, str | None, Position]] = [("unprojected", None, checkpoint)]
    limits += [("unacknowledged", group.name, group.acknowledged) for group in groups]
    if not groups:
        limits.append(("no-group", None, START))
    limit = min(at for _, _, at in limits)
    if head.seq > keep:  # also when somebody else trims beside this
        limit = min(limit, head._replace(seq=head.seq - keep))
    told = [
        Obstacle(kind, behind(at) - keep, name)
        for kind, name, at in limits
        # That the projectors' group is where Postgres is goes without saying.
        if behind(at) > keep and not (name == GROUP and at >= checkpoint)
    ]
    return _Plan(limit, length - max(keep, behind(limit)), told)


def _proven(connection: Connection, shard: ShardId, oldest: Sequence[Entry]) -> list[tuple[Position, bytes]]:
    """What the archive has of these entries, up to the first that it lacks, or holds with other bytes."""
    first = oldest[0].position
    archived = reads.events(connection, shard, first._replace(seq=first.seq - 1), len(oldest))
    same = takewhile(lambda pair: pair[0] == pair[1], zip(archived, oldest, strict=False))
    return [(entry.position, entry.body or b"") for entry, _ in same]


def _take_off(client: Client, shard: ShardId, proven: Sequence[tuple[Position, bytes]], done: Trimmed) -> int:
    """Have the script prove it all again, and trim; returns how many events are gone."""
    answer = client.control(shard.sale, trim_of(proven), shard.shard)
    if answer.code is Code.TRIMMED:
        return int(answer.detail)
    if answer.code is Code.NOT_ACKNOWLEDGED:  # a group that was made, or set back, just now
        kind: Kind = "no-group" if answer.detail == "-" else "unacknowledged"
        done.obstacles.append(Obstacle(kind, int(answer.status), answer.detail))
    elif answer.code is not Code.NOT_PROVEN:  # that one: somebody else trims this log, too
        done.refused = answer
    return 0


class Trimmer:
    """Trims for a projector, between its batches. Whatever goes wrong is logged: projecting goes on."""

    def __init__(self, client: Client, keep: int) -> None:
        self._client, self._keep = client, keep
        #: what was said of each shard last: a lasting obstacle is told once
        self._told: dict[ShardId, list[str]] = {}

    def __call__(self, connection: Connection, reader: Log, shard: ShardId) -> None:
        """Trim one shard's log a little."""
        try:
            done = trim(self._client, reader, connection, shard, keep=self._keep, pages_max=PAGES_PER_TURN)
        except Exception as error:  # noqa: BLE001 - an aid must not stop the work; a lost server is met there as well
            self._tell(shard, [type(error).__name__], str(error))
            return
        if done.trimmed:
            log.info(
                "trimmed", action="log_trimmed", shard=str(shard), events=done.trimmed, left=done.remaining
            )
        why = [f"{obstacle.kind} {obstacle.group}" for obstacle in done.obstacles]
        sentence = "; ".join(map(str, done.obstacles))
        if done.refused is not None:
            why, sentence = [done.refused.code], str(done.refused.code)
        self._tell(shard, why, sentence)

    def _tell(self, shard: ShardId, why: list[str], sentence: str) -> None:
        if why and why != self._told.get(shard):
            log.info(sentence, action="trim_refused", shard=str(shard))
        self._told[shard] = why
