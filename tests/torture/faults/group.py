"""Somebody meddles with the consumer group: the checkpoint is the truth, so nothing is lost or applied twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from flashsale.keys import GROUP, shard_keys
from tests.torture.faults.registry import fault
from tests.torture.patience import came_true, pause
from tests.torture.schedule import Planned
from tests.torture.world import SALE, World

STREAM = shard_keys(SALE, 0).events
#: Redis may be down for a fault of the other track.
TIMEOUT_S = 20


def _once(world: World, act: Callable[[redis.Redis], Any]) -> int:
    """Do it as soon as Redis and the group are there; returns what was counted."""
    counted: list[int] = []

    def done() -> bool:
        with world.redis() as commands:
            counted.append(int(act(commands)))
        return counted[-1] > 0

    came_true(done, TIMEOUT_S)
    return sum(counted)


@fault("group-destroyed", "groups destroyed")
def group_destroyed(world: World, planned: Planned) -> int:
    return _once(world, lambda commands: commands.xgroup_destroy(STREAM, GROUP))


@fault("group-rewound", "rewinds")
def group_rewound(world: World, planned: Planned) -> int:
    # To the beginning, or over what nobody has read yet.
    to = "0" if planned.lot < 0.5 else "$"
    return _once(world, lambda commands: commands.xgroup_setid(STREAM, GROUP, to))


@fault("consumer-deleted", "consumers deleted")
def consumer_deleted(world: World, planned: Planned) -> int:
    def delete(commands: redis.Redis) -> int:
        names = [consumer["name"] for consumer in commands.xinfo_consumers(STREAM, GROUP)]
        for name in names:
            commands.xgroup_delconsumer(STREAM, GROUP, name)
        return len(names)

    deleted = _once(world, delete)
    pause(planned.lot)
    return deleted
