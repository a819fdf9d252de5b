"""The shards that one projector leads, in turns: whoever was served comes last the next time."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from flashsale.projections.shard import Phase, ShardProjector
from flashsale.stream import ShardId


class Led:
    """Shards with their phases. A round serves them until its time is over: then leases and signals have their turn."""

    def __init__(self) -> None:
        self._shards: dict[ShardId, ShardProjector] = {}
        #: until when others may take shards that this process has given back, by the monotonic clock
        self._left: dict[ShardId, float] = {}
        self._round_ends = 0.0

    def __len__(self) -> int:
        return len(self._shards)

    def __contains__(self, shard: ShardId) -> bool:
        return shard in self._shards

    def __iter__(self) -> Iterator[ShardProjector]:
        return iter(list(self._shards.values()))

    def add(self, projector: ShardProjector) -> ShardProjector:
        self._shards[projector.lease.shard] = projector
        return projector

    def drop(self, shard: ShardId) -> None:
        del self._shards[shard]

    def leave_to_others(self, shard: ShardId, until_s: float) -> None:
        """Drop it, and do not take it again before that time."""
        self.drop(shard)
        self._left[shard] = until_s

    def left_to_others(self, now_s: float) -> Collection[ShardId]:
        """Those that are not to be taken now."""
        self._left = {shard: until_s for shard, until_s in self._left.items() if until_s > now_s}
        return self._left

    def clear(self) -> None:
        self._shards.clear()

    def in_phase(self, phase: Phase) -> dict[ShardId, ShardProjector]:
        return {shard: projector for shard, projector in self._shards.items() if projector.phase is phase}

    def begin_round(self, ms: int) -> None:
        """A round begins, and lasts so long."""
        self._round_ends = time.monotonic() + ms / 1000

    @property
    def is_round_over(self) -> bool:
        """Whether the round has lasted its time: what is left is for the next one."""
        return time.monotonic() >= self._round_ends

    def in_turn(self, phase: Phase) -> Iterator[ShardProjector]:
        """Those in a phase until the round is over, but one in any case: no phase may starve another."""
        for number, shard in enumerate(self.in_phase(phase)):
            if number and self.is_round_over:
                return
            projector = self._shards.pop(shard)
            self._shards[shard] = projector
            yield projector
