"""A Redis with the shipped users comes back from its log with all that was in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashsale.servers import location
from flashsale.servers.account import server_account
from flashsale.servers.binaries import Program, redis_program
from tests.fixtures.roles import Guarded, guarded_redis
from tests.fixtures.servers import private_binaries
from tests.lua.kit import Shard
from tests.lua.scenes import prepare


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="flashsale-test-") as home:
        Path(home).chmod(0o755)
        yield Path(home)


@pytest.fixture
def program(home: Path, pytestconfig: pytest.Config) -> Program:
    binary, _ = private_binaries(pytestconfig)
    return redis_program(location.locate(home / "dev", server_account()), binary)


def test_a_restart_keeps_what_scripts_wrote(program: Program, home: Path) -> None:
    """Redis before 8.6 asks whether the default user may carry out each transaction of its log, and drops what not."""
    servers = Guarded(home / "redis.sock", postgres_url="")
    with guarded_redis(program, home, servers), Shard(servers.redis_url("admin")) as shard:
        prepare(shard, "confirm")
        before = shard.dump()
        assert len(before) > 1

    with guarded_redis(program, home, servers), Shard(servers.redis_url("admin")) as shard:
        assert shard.dump() == before
        shard.check()
