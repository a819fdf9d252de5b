"""The schedule of `make torture`: the same for the same seed, and every fault has its turn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.schedule import TRACKS, schedule

ROOT = Path(__file__).parents[2]


def test_the_same_seed_has_the_same_schedule_in_every_process() -> None:
    program = "from tests.torture.schedule import schedule; print(schedule(7, 3))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT, env={"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    ]  # fmt: skip
    assert runs == [str(schedule(7, 3))] * 2


def test_another_seed_has_another_schedule() -> None:
    assert schedule(1, 3) != schedule(2, 3)


def test_a_longer_run_begins_as_the_shorter_one() -> None:
    for track, planned in schedule(5, 3).items():
        assert schedule(5, 10)[track][: len(planned)] == planned


@pytest.mark.parametrize("seed", range(20))
def test_every_fault_comes_in_three_minutes(seed: int) -> None:
    for track, planned in schedule(seed, 3).items():
        assert {fault.fault for fault in planned} == set(TRACKS[track])
        assert [fault.at_s for fault in planned] == sorted(fault.at_s for fault in planned)
        assert planned[-1].at_s < 180
