"""What stands in a log and about it: shards, entries, what is pending, groups and their consumers."""

from __future__ import annotations

from typing import NamedTuple

from flashsale.errors import FlashsaleError
from flashsale.events import UndecodableEvent, continues, decode
from flashsale.ids import Position


class ShardId(NamedTuple):
    """One shard of one sale."""

    sale: str
    shard: int

    def __str__(self) -> str:
        return f"{self.sale}:{self.shard}"


class Fence(NamedTuple):
    """What is known of a shard's log, whatever Redis holds."""

    #: the highest that it is known to have reached; `START` before the sale was warmed
    position: Position
    #: when the sale was defined, to tell it from another shop's of the same id; None before it was warmed
    origin: str | None


class Entry(NamedTuple):
    """One entry of a log as it stands there. `body` is None when the entry lacks the field `e`."""

    position: Position
    body: bytes | None


def follows(before: Position, entry: Entry) -> bool:
    """Whether an entry is the very next one. The first of an epoch says itself what it follows."""
    if before.precedes(entry.position) or before.epoch == entry.position.epoch:
        return before.precedes(entry.position)
    try:
        return continues(before, entry.position, decode(entry.body or b""))
    except UndecodableEvent:
        return False


class Pending(NamedTuple):
    """An entry that was delivered and not acknowledged."""

    position: Position
    consumer: str
    idle_ms: int
    #: 1 after the first delivery; +1 each time another attempt took it over
    deliveries: int


class DeadLetter(NamedTuple):
    """An event that was parked, as other consumers read it."""

    position: Position
    body: bytes
    error_class: str
    error: str


class ConsumerInfo(NamedTuple):
    name: str
    pending: int
    idle_ms: int


class GroupInfo(NamedTuple):
    name: str
    #: everything up to here it has got and acknowledged
    acknowledged: Position


class Account(NamedTuple):
    """A user of Redis, and what the user may do."""

    name: str
    has_password: bool
    #: every command, on every key
    may_everything: bool


class NoGroup(FlashsaleError):
    """The stream or its consumer group is gone: a flush, a failover, a deletion, a key of another type."""
