"""What the tests of the stream share: two shards, and entries of one whose bodies tell their place."""

from __future__ import annotations

import redis

from flashsale.ids import Position
from flashsale.keys import shard_keys
from flashsale.stream import Entry, ShardId

SHARD = ShardId("sale-1", 0)
OTHER = ShardId("sale-2", 0)
KEY = shard_keys("sale-1", 0).events


def write(client: redis.Redis, *seqs: int, shard: ShardId = SHARD, epoch: int = 1) -> None:
    """Write entries as a script does, at their places."""
    for seq in seqs:
        key = shard_keys(shard.sale, shard.shard).events
        client.execute_command("XADD", key, f"{epoch}-{seq}", "e", f"event {seq}")


def entry(seq: int, epoch: int = 1) -> Entry:
    """The entry that was written there."""
    return Entry(Position(epoch, seq), f"event {seq}".encode())
