"""A script that a power cut tore is gone at the first start of Redis. At the second one it may come back in part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from flashsale.doctor.versions import torn_scripts
from tests.crash.aof_kit import Recorded
from tests.helpers import wait_until
from tests.lua.kit import Dump


@pytest.fixture
def recorded(clean_redis: redis.Redis, tmp_path: Path) -> Iterator[Recorded]:
    """A log whose last script reserves."""
    with Recorded.like(clean_redis, tmp_path / "first") as recorded:
        recorded.run("load", 0, 0, 1, "A", 9, 2)
        recorded.run("open", 0)
        recorded.run("reserve", "0-torn", "ann", "A", 1)
        yield recorded


def rewrite(client: redis.Redis) -> None:
    """What the runbook has an administrator do."""
    client.bgrewriteaof()

    def is_done() -> bool:
        info = client.info("persistence")
        return not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])

    wait_until(is_done, description="the log is rewritten")


def twice_started(recorded: Recorded, directory: Path, *, rewrites: bool) -> tuple[Dump, Dump]:
    """What a server holds that starts on a file without its last bytes, and sells; and what when it starts again."""
    recorded.stop()
    with recorded.started_on(recorded.written[-1].end - 3, directory) as shard:
        assert shard.dump() == recorded.written[-2].dump, "at the first start the torn script is gone"
        if rewrites:
            rewrite(shard.redis)
        shard.run("reserve", "0-bob", "bob", "A", 1)
        before = shard.dump()
    with recorded.started_again(directory) as shard:
        return before, shard.dump()


def test_after_a_rewrite_of_the_log_it_does_not_come_back(recorded: Recorded, tmp_path: Path) -> None:
    before, after = twice_started(recorded, tmp_path / "second", rewrites=True)
    assert after == before


def test_a_rewrite_that_is_cut_off_is_enough(recorded: Recorded, tmp_path: Path) -> None:
    directory = tmp_path / "second"
    recorded.stop()
    with recorded.started_on(recorded.written[-1].end - 3, directory) as shard:
        shard.redis.config_set("rdb-key-save-delay", 5_000_000)
        shard.redis.bgrewriteaof()
        wait_until(
            lambda: shard.redis.info("persistence")["aof_rewrite_in_progress"], description="it is under way"
        )
        shard.run("reserve", "0-bob", "bob", "A", 1)
        before = shard.dump()
    assert started_at_last(recorded, directory) == before


def started_at_last(recorded: Recorded, directory: Path) -> Dump:
    """What a server holds that systemd starts until it runs: the first try may end once it has cut the log."""
    with suppress(AssertionError), recorded.started_again(directory) as shard:
        return shard.dump()
    assert "the truncated file is not the last file" in (directory / "redis.log").read_text()
    with recorded.started_again(directory) as shard:
        return shard.dump()


def test_doctor_knows_which_servers_need_that(
    recorded: Recorded, clean_redis: redis.Redis, tmp_path: Path
) -> None:
    info = clean_redis.info("server")
    is_valkey = info.get("server_name") == "valkey"
    name, version = ("Valkey", "valkey_version") if is_valkey else ("Redis", "redis_version")

    before, after = twice_started(recorded, tmp_path / "second", rewrites=False)

    assert (after == before) is (torn_scripts(name, info[version]).verdict == "ok")
