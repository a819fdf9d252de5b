"""Fixtures of the script tests."""

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.lua.kit")

from tests.lua.kit import Shard  # noqa: E402 - after the line above, or its asserts stay dumb


@pytest.fixture
def shard(redis_url: str, clean_redis: object) -> Iterator[Shard]:
    """A shard of an empty server. After the test its log must add up, unless the test damaged it."""
    with Shard(redis_url) as shard:
        yield shard
        if not shard.is_damaged and not shard.is_shortened:
            shard.check()
