"""Carry out a schedule: both tracks at the same time, each fault healed before the next of its track begins."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, field

from tests.torture.faults import FAULTS
from tests.torture.operations import assert_not_halted
from tests.torture.schedule import TRACKS, Planned
from tests.torture.world import World


@dataclass
class Tally:
    """What became of one kind of fault."""

    planned: int = 0
    done: int = 0
    #: how often it bit, and how much of its evidence was seen
    bit: int = 0
    evidence: int = 0
    left_out: str = ""


@dataclass
class Outcome:
    """What the schedule came to."""

    tallies: dict[str, Tally] = field(
        default_factory=lambda: {name: Tally() for names in TRACKS.values() for name in names}
    )
    #: faults that could not be carried out: a fault of the torture, or of what it tortures
    errors: list[str] = field(default_factory=list)


class Run:
    """One schedule under way: both tracks, each from its first fault to its last."""

    def __init__(self, world: World) -> None:
        self.outcome = Outcome()
        self._world = world
        self._began_s = time.monotonic()
        self._stop = threading.Event()

    def carry_out(self, planned: dict[str, list[Planned]]) -> Outcome:
        """Returns when the last fault is healed, or one could not be carried out."""
        tracks = [
            threading.Thread(target=self._track, args=(track, faults), name=track, daemon=True)
            for track, faults in planned.items()
        ]
        for thread in tracks:
            thread.start()
        for thread in tracks:
            thread.join()
        return self.outcome

    def _track(self, track: str, planned: list[Planned]) -> None:
        for fault in planned:
            self.outcome.tallies[fault.fault].planned += 1
        for fault in planned:
            if self._stop.wait(max(0.0, self._began_s + fault.at_s - time.monotonic())):
                return
            try:
                # The log's own faults take it when they must be alone.
                with self._world.alone() if track == "rest" else nullcontext():
                    if track == "log":
                        assert_not_halted(self._world)
                    self._fault(fault)
            except Exception:  # noqa: BLE001 - whatever it was, the run has failed, and says so
                self.outcome.errors.append(f"{fault.fault} at {fault.at_s} s:\n{traceback.format_exc()}")
                self._say(f"{fault.fault}: FAILED")
                self._stop.set()

    def _fault(self, fault: Planned) -> None:
        tally, kind = self.outcome.tallies[fault.fault], FAULTS[fault.fault]
        tally.left_out = kind.missing(self._world)
        if tally.left_out:
            return
        began_s = time.monotonic() - self._began_s
        evidence = kind.run(self._world, fault)
        tally.done += 1
        tally.bit += evidence > 0
        tally.evidence += evidence
        self._say(f"{fault.fault}, from {began_s:.1f} s: {evidence} {kind.evidence}")

    def _say(self, sentence: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self._began_s:6.1f} s  {sentence}\n")
        sys.stdout.flush()
