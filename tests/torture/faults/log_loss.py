"""The log itself is lost or forged: the sale halts by itself, and an operator follows docs/runbook.md."""

from __future__ import annotations

import time

from flashsale.ids import START, Position
from flashsale.keys import shard_keys
from tests.fixtures.proxy import Mode
from tests.torture.faults.registry import fault
from tests.torture.losses import Loss, changes_behind
from tests.torture.operations import recover
from tests.torture.patience import came_true, pause
from tests.torture.schedule import Planned
from tests.torture.world import SALE, World

STREAM = shard_keys(SALE, 0).events
SETTLED_S = 0.7
SYNC_TIMEOUT_S = 30
READ_TIMEOUT_S = 30
#: How long after the recovery a caller may note an answer from before it.
LATE_NS = 5_000_000_000


def _settled_checkpoint(world: World) -> Position:
    """What Postgres has, once no batch is under way any more."""
    seen: list[Position] = []

    def stands_still() -> bool:
        seen.append(world.checkpoint())
        pause(SETTLED_S)
        return len(seen) > 1 and seen[-1] == seen[-2]

    assert came_true(stands_still, READ_TIMEOUT_S), "the checkpoint does not settle although Redis is gone"
    return seen[-1]


@fault("flushall", "events that Redis lost")
def flushall(world: World, planned: Planned) -> int:
    with world.alone():
        assert came_true(world.head, READ_TIMEOUT_S)
        head = world.head()
        with world.redis(5) as commands:
            entries, _ = commands.pipeline().xrange(STREAM).flushall().execute()
        survived = _settled_checkpoint(world)
        lost = changes_behind(survived, entries)
        world.losses.append(Loss("flushall", survived, head.epoch, 0, changes=lost))
    done = recover(world)
    return done["events_lost_in_redis"] if done else 0


@fault("replica-promoted", "promotions that lost a tail")
def replica_promoted(world: World, planned: Planned) -> int:
    with world.alone():
        if not came_true(lambda: _in_step(world), SYNC_TIMEOUT_S):
            return 0
        world.replication.behave(Mode.BLACK_HOLE)
        pause(planned.lasts_s / 4)
        came_true(lambda: world.head() > _head_of_replica(world), SYNC_TIMEOUT_S)
        epoch = world.head().epoch
        old, new = world.master, world.replica
        old.kill()
        # Nobody answers now. What the old master said has reached everybody when the checkpoint stands still.
        checkpoint = _settled_checkpoint(world)
        promoted_ns = time.monotonic_ns()
        new.promote()
        world.master, world.replica = new, old
        head = world.head()
        survived = max(head, checkpoint)
        world.make_current(new)
        world.replication.heal()
        for proxy in world.redis_proxies:
            proxy.heal()
    done = recover(world)
    if done:
        # Somebody who had not seen the lost tail was served before the halt: by a log that lacked what
        # Postgres still had. What is kept of that stands elsewhere now, and what is not was listed to the operator.
        recovered_ns = time.monotonic_ns() + LATE_NS
        world.losses.append(Loss("replica-promoted", START, epoch, recovered_ns, since_ns=promoted_ns))
    # What only the old master has.
    old.start()
    with old.client(5) as commands:
        lost = changes_behind(survived, commands.xrange(STREAM))
    old.kill()
    world.losses.append(Loss("replica-promoted", survived, epoch, promoted_ns, changes=lost))
    old.disk.wipe()
    old.follow(world.replication_address)
    return int(done is not None)


@fault("foreign-entry", "entries that no script wrote")
def foreign_entry(world: World, planned: Planned) -> int:
    with world.alone():
        assert came_true(world.head, READ_TIMEOUT_S)
        with world.redis(5) as commands:
            # In one step, or a shop writes in between.
            commands.eval(FORGE, 1, STREAM)
    done = recover(world)
    return int(done is not None)


FORGE = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
local epoch, seq = newest:match('^(%d+)-(%d+)$')
return redis.call('XADD', KEYS[1], epoch .. '-' .. string.format('%d', seq + 1), 'e', 'not of ours')
"""


def _head_of_replica(world: World) -> Position:
    with world.replica.client() as commands:
        newest = commands.xrevrange(STREAM, count=1)
    return Position.parse(newest[0][0]) if newest else START


def _in_step(world: World) -> bool:
    with world.replica.client() as commands:
        info = commands.info("replication")
        return bool(info.get("master_link_status") == "up" and not info.get("master_sync_in_progress"))
