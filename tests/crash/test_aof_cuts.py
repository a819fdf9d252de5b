"""A power cut leaves the append-only file cut at any byte: Redis makes whole scripts of it, never a part of one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from tests.crash.aof_kit import Recorded
from tests.crash.thoroughness import every_case

#: Most of the time they wait for a server to start.
WORKERS = 4
#: The records, counted from the end, that are cut at every byte; at the bytes around its ends every record is.
CUT_EVERYWHERE = 2


@pytest.fixture
def recorded(clean_redis: redis.Redis, tmp_path: Path) -> Iterator[Recorded]:
    """A log with every script in it that buyers and operators run."""
    with Recorded.like(clean_redis, tmp_path / "first") as recorded:
        recorded.run("load", 0, 0, 1, "A", 9, 2, "B", 5, 0)
        recorded.run("open", 0)
        recorded.run("pause")
        recorded.run("resume")
        recorded.run("reserve", *(word for n in range(4) for word in (f"0-late-{n}", f"buyer-{n}", "A", 1)))
        recorded.shard.wait_until_overdue()
        recorded.run("confirm", "0-late-0", "-", "0-late-1", "-")
        recorded.run("cancel", "0-late-2", "-")
        recorded.run("refund", "0-late-0", "-", "restock", "0-late-1", "-", "keep")
        recorded.run("restock", "more", "add", "B", 3)
        recorded.run("reconfigure", "-", "-", 60_000, "A", 3)
        recorded.run("expire", 10)
        recorded.run("reserve", "0-a", "ann", "A", 2, "0-b", "bob", "B", 99)
        recorded.run("confirm", "0-a", "-")
        yield recorded


def cuts(recorded: Recorded) -> list[int]:
    """The bytes at which the file is cut."""
    last = len(recorded.written)
    everywhere = 0 if every_case() else last - CUT_EVERYWHERE
    found = set(range(recorded.begin_of(everywhere), recorded.written[-1].end + 1))
    for written in recorded.written[:everywhere]:
        found |= {written.end - 1, written.end, written.end + 1}
    return sorted(found)


@pytest.mark.timeout(3_600 if every_case() else 600)  # 15 s on an idle machine
def test_wherever_the_file_is_cut_whole_scripts_are_left(recorded: Recorded, tmp_path: Path) -> None:
    recorded.stop()
    places = cuts(recorded)

    def look(worker: int) -> list[str]:
        """What is left at each place, those of one worker."""
        return [_head(recorded, cut_at, tmp_path / f"{worker}") for cut_at in places[worker::WORKERS]]

    with ThreadPoolExecutor(WORKERS) as pool:
        seen = {head for found in pool.map(look, range(WORKERS)) for head in found}

    assert len(seen) == 1 + len(recorded.written), "nothing, and the end of every script"


def _head(recorded: Recorded, cut_at: int, directory: Path) -> str:
    """The newest event that a server finds in the first bytes of the file."""
    expected = recorded.expected(cut_at)
    with recorded.started_on(cut_at, directory) as shard:
        assert shard.dump() == expected, f"cut at byte {cut_at}"
        return str(shard.check().position) if expected else "nothing"
