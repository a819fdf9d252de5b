"""What the tests of trimming share: a sale that is applied, and what its log holds."""

from __future__ import annotations

import pytest

from flashsale.stream import Entry, ShardId
from flashsale.trim import Trimmed, trim
from tests.fixtures.read_side import ReadSide


def cut(side: ReadSide, shard: ShardId, keep: int = 0, *, dry_run: bool = False) -> Trimmed:
    """Trim one log."""
    return trim(side.client, side.log, side.postgres, shard, keep=keep, dry_run=dry_run)


def told(done: Trimmed) -> list[str]:
    """Why events had to stay."""
    return [str(obstacle) for obstacle in done.obstacles]


def seqs(side: ReadSide, shard: ShardId) -> list[int]:
    """What the stream holds."""
    return [entry.position.seq for entry in side.entries(shard)]


@pytest.fixture
def sold(read_side: ReadSide) -> ShardId:
    """A sale of 23 events, all applied."""
    shard = read_side.open_sale()
    read_side.sell(shard, 20)
    read_side.drain(read_side.projector())
    return shard


@pytest.fixture
def whole(read_side: ReadSide, sold: ShardId) -> list[Entry]:
    """The log of that sale before it is trimmed."""
    return read_side.entries(sold)
