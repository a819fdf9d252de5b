"""What somebody who waits costs Redis."""

from __future__ import annotations

import uuid
from typing import Any

from flashsale.scripts import script
from tests.lua.kit import Shard
from tests.lua.room_kit import open_room

PEOPLE = 100_000
#: So that two million fit into 200 MB.
BYTES_MAX = 100


def used(shard: Shard) -> int:
    """Bytes that the server has in use for its data."""
    info: Any = shard.redis.info("memory")
    return int(info["used_memory_dataset"])


def test_a_person_who_waits_takes_a_hundred_bytes_at_most(shard: Shard) -> None:
    """With names of 36 characters, as a UUID has."""
    open_room(shard, shuffle=1)
    buyers = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(n))) for n in range(PEOPLE)]
    keys = shard.keys_of("join")
    sha: Any = shard.redis.script_load(script("join").source)
    before = used(shard)

    for i in range(0, PEOPLE, 1000):
        shard.redis.evalsha(sha, len(keys), *keys, "0-0", "test", *buyers[i : i + 1000])

    assert shard.redis.hlen(shard.room_keys.line) == PEOPLE
    each = (used(shard) - before) / PEOPLE
    assert 20 < each <= BYTES_MAX, f"{each:.1f} bytes"
