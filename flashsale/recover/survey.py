"""What the two stores hold of one shard after a loss, and what follows from it."""

from __future__ import annotations

import msgspec

from flashsale.events import (
    AnyEvent,
    OrderEvent,
    ShardState,
)
from flashsale.ids import START, Position
from flashsale.stream import Entry, ShardId

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
    #: when the definition was stored from which the sale in Redis was warmed; empty: not known
    origin: str = ""
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
