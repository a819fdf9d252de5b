"""The consumer group of a shard's stream: what it has handed out, what is pending, who reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from flashsale.ids import Position
from flashsale.keys import GROUP
from flashsale.stream.entries import ConsumerInfo, Entry, GroupInfo, NoGroup, Pending, ShardId
from flashsale.stream.link import BLOCK_MS, PAGE_MAX, Link, entries_of, flat, key_of


class Asked(NamedTuple):
    """A read whose reply is not waited for. It has a connection of its own until the reply is taken."""

    is_ready: Callable[[], bool]
    #: waits for the reply; returns and raises what `Group.read` does. Once only.
    take: Callable[[], dict[ShardId, list[Entry]]]


class Group(Link):
    """The group `projector`, and a look at those of others."""

    def ensure_group(self, shard: ShardId, at: Position) -> bool:
        """Create the consumer group behind `at` if it does not exist. Never at `$`: that would skip events."""
        try:
            self._call("XGROUP", "CREATE", key_of(shard), GROUP, str(at))
        except ResponseError as error:
            if "BUSYGROUP" in str(error):
                return False
            if "requires the key to exist" in str(error):
                raise NoGroup(f"the stream of {shard} does not exist") from error
            raise
        return True

    def read(
        self, shards: Sequence[ShardId], consumer: str, *, count: int, block_ms: int | None = BLOCK_MS
    ) -> dict[ShardId, list[Entry]]:
        """New entries of several shards for this consumer; waits up to `block_ms` when there are none (None: not).

        Raises `NoGroup` when one of the groups is gone.
        """
        waiting = () if block_ms is None else ("BLOCK", block_ms)
        return _news(shards, self._group_call(*_read(shards, consumer, count, waiting)))

    def ask(self, shards: Sequence[ShardId], consumer: str, *, count: int) -> Asked:
        """Ask for the entries that are there, and go on: they are taken later. Raises `Unreachable`."""
        connection = self._send(*_read(shards, consumer, count, ()))
        return Asked(
            is_ready=lambda: bool(self._guard(connection.can_read)),
            take=lambda: _news(shards, self._group_receive(connection)),
        )

    def delivered(self, shard: ShardId) -> Position:
        """The group's mark: what it hands out next lies behind it. Raises `NoGroup` when there is none."""
        for raw in self._group_call("XINFO", "GROUPS", key_of(shard)):
            group = flat(raw)
            if group["name"] == GROUP.encode():
                return Position.parse(group["last-delivered-id"])
        raise NoGroup(f"{shard} has no consumer group")

    def pending(self, shard: ShardId, after: Position | None = None, count: int = PAGE_MAX) -> list[Pending]:
        """Delivered, not acknowledged entries of all consumers, in order."""
        start = f"({after}" if after else "-"
        raw = self._group_call("XPENDING", key_of(shard), GROUP, start, "+", count)
        return [
            Pending(Position.parse(i), name.decode(), int(idle), int(times)) for i, name, idle, times in raw
        ]

    def claim(self, shard: ShardId, consumer: str, positions: Sequence[Position]) -> None:
        """Make these pending entries this consumer's; each one's delivery count grows by one."""
        self._group_call("XCLAIM", key_of(shard), GROUP, consumer, 0, *map(str, positions))

    def forgive(self, shard: ShardId, consumer: str, positions: Sequence[Position]) -> None:
        """Claim these entries and set their delivery count back: the attempt failed, but nobody crashed."""
        ids = map(str, positions)
        self._group_call("XCLAIM", key_of(shard), GROUP, consumer, 0, *ids, "RETRYCOUNT", 1, "JUSTID")

    def acknowledge(self, shard: ShardId, positions: Sequence[Position]) -> int:
        """Take entries off the pending list; returns how many were on it."""
        return int(self._group_call("XACK", key_of(shard), GROUP, *map(str, positions)))

    def consumers(self, shard: ShardId) -> list[ConsumerInfo]:
        """The group's consumers; empty when there is no group yet."""
        try:
            raw = self._call("XINFO", "CONSUMERS", key_of(shard), GROUP)
        except ResponseError:
            return []
        found = [flat(item) for item in raw]
        return [
            ConsumerInfo(item["name"].decode(), int(item["pending"]), int(item["idle"])) for item in found
        ]

    def groups(self, shard: ShardId) -> list[GroupInfo]:
        """Every consumer group of the stream, also those of others. Raises `NoGroup` when there is no stream."""
        found = []
        for raw in self._group_call("XINFO", "GROUPS", key_of(shard)):
            group = flat(raw)
            reached = Position.parse(group["last-delivered-id"])
            for oldest, *_ in self._group_call("XPENDING", key_of(shard), group["name"], "-", "+", 1):
                pending = Position.parse(oldest)
                reached = min(reached, pending._replace(seq=pending.seq - 1))
            found.append(GroupInfo(group["name"].decode(errors="backslashreplace"), reached))
        return found


def _read(shards: Sequence[ShardId], consumer: str, count: int, waiting: tuple[Any, ...]) -> tuple[Any, ...]:
    keys = map(key_of, shards)
    new = (">",) * len(shards)
    return ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, *waiting, "STREAMS", *keys, *new)


def _news(shards: Sequence[ShardId], raw: Any) -> dict[ShardId, list[Entry]]:
    keys = {key_of(shard).encode(): shard for shard in shards}
    return {keys[key]: entries_of(found) for key, found in raw or ()}
