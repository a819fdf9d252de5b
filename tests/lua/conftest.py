"""Fixtures of the script tests."""

from collections.abc import Iterator

import pytest

from tests.lua.kit import Shard


@pytest.fixture
def shard(redis_url: str, clean_redis: object) -> Iterator[Shard]:
    """A shard of an empty server. After the test its log must add up, unless the test damaged it."""
    with Shard(redis_url) as shard:
        yield shard
        if not shard.is_damaged and not shard.is_shortened:
            shard.check()
