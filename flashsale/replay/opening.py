"""Which rebuild a command means: the one that was begun before, when it is still the same, or a new one."""

from __future__ import annotations

from collections.abc import Mapping

from flashsale.errors import BadInput, RefusedByState
from flashsale.ids import START, Position
from flashsale.projections import reads, rebuild, replays
from flashsale.projections.database import Connection
from flashsale.projections.replays import Run
from flashsale.projections.versions import PROJECTION_VERSIONS
from flashsale.replay.request import ALL, Request, Watcher
from flashsale.stream import ShardId


def open_run(connection: Connection, request: Request, now: Mapping[int, Position], watcher: Watcher) -> Run:
    """The run that was begun before and is still the same, or a new one. Raises `RefusedByState`, `BadInput`."""
    stops = {shard: _stop_at(connection, request, shard, position) for shard, position in now.items()}
    found = replays.find(connection, request.sale, request.mode)
    if found is not None:
        _refuse_unfinished(found)
        versions = {name: built.version for name, built in found.tables.items()}
        same = {name: PROJECTION_VERSIONS[name] for name in ALL if name in request.names}
        if versions == same and found.until == request.until_text:
            reached = ", ".join(map(str, found.reached.values()))
            watcher.say(f"Goes on with the replay of {request.sale} that had reached {reached}.")
            return found
        replays.discard(connection, found)
    names = tuple(name for name in ALL if name in request.names)
    return replays.begin(
        connection, request.sale, request.mode, names, shards=stops, until=request.until_text
    )


def _stop_at(connection: Connection, request: Request, shard: int, now: Position) -> Position | None:
    if request.until is None:
        return None
    if isinstance(request.until, Position):
        stop: Position | None = request.until
    else:
        stop = rebuild.position_at(connection, request.sale, shard, request.until) or now
    if stop is None or stop > now:
        raise BadInput("until", request.until_text, f"Postgres has sale {request.sale} up to {now}")
    if stop != START and not _is_archived(connection, ShardId(request.sale, shard), stop):
        raise BadInput("until", request.until_text, f"the archive of sale {request.sale} has no event there")
    return stop


def _is_archived(connection: Connection, shard: ShardId, position: Position) -> bool:
    found = reads.events(connection, shard, position._replace(seq=position.seq - 1), 1)
    return [entry.position for entry in found] == [position]


def _refuse_unfinished(run: Run) -> None:
    if run.state == "swapped":
        raise RefusedByState(
            f"the tables of sale {run.sale} were swapped and the old ones are kept: drop them with "
            f"`flashsale replay finish {run.sale}`, or take them back with `flashsale replay rollback {run.sale}`"
        )
    if run.state == "kept":
        raise RefusedByState(
            f"tables of sale {run.sale} as of {run.until} are kept: drop them with `flashsale replay finish {run.sale}`"
        )
