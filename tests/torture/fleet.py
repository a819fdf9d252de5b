"""The processes that work on the sale: projectors, a sweeper, a gateway, shops. Who dies is started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.fixtures.processes import PASSED_ON
from tests.helpers import wait_until

ROOT = Path(__file__).parents[2]
LOOK_EVERY_S = 0.2
#: Where several of these runs share two cores, processes end slowly.
STOP_TIMEOUT_S = 120
#: A shop that starts while Postgres is away ends with this, and is started again.
UNREACHABLE = 5


@dataclass
class Slot:
    """One place in the fleet; one process after the other fills it."""

    name: str
    #: projector, sweeper, gateway or shop
    kind: str
    #: the command of its n-th process, n from 1
    command: Callable[[int], list[str]]
    started: int = 0
    #: nobody starts it again meanwhile
    is_held: bool = False
    process: subprocess.Popen[bytes] | None = None
    #: how its processes ended that nobody had killed
    ends: list[int] = field(default_factory=list)
    killed: int = 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Fleet:
    """All slots; `watch` keeps them filled until `stop`."""

    def __init__(self, env: Mapping[str, str], log_dir: Path) -> None:
        self.slots: dict[str, Slot] = {}
        self._env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._env |= {"PYTHONPATH": str(ROOT), "HOME": str(log_dir), **env}
        self._log_dir = log_dir
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="fleet", daemon=True)

    def add(self, name: str, kind: str, command: Callable[[int], list[str]]) -> None:
        self.slots[name] = Slot(name, kind, command)

    def of_kind(self, kind: str) -> list[Slot]:
        return [slot for slot in self.slots.values() if slot.kind == kind]

    def watch(self) -> None:
        self._watcher.start()

    def log(self, name: str) -> str:
        """All that the processes of a slot have said."""
        path = self._log_dir / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def kill(self, slot: Slot) -> bool:
        """kill -9; False when there was nobody."""
        with self._lock:
            if slot.process is None or slot.process.poll() is not None:
                return False
            slot.process.kill()
            slot.process.wait()
            slot.killed += 1
            slot.process = None
            return True

    def send(self, slot: Slot, number: signal.Signals) -> bool:
        """Send a signal; False when there was nobody."""
        with self._lock:
            if not slot.is_running or slot.process is None:
                return False
            slot.process.send_signal(number)
            return True

    def stop_kind(self, kind: str) -> None:
        """Let the processes of a kind end in order, and stay away."""
        slots = self.of_kind(kind)
        for slot in slots:
            slot.is_held = True
            self.send(slot, signal.SIGCONT)
            self.send(slot, signal.SIGTERM)
        wait_until(lambda: not any(slot.is_running for slot in slots), STOP_TIMEOUT_S, f"each {kind} ends")
        self._collect()

    def stop(self) -> None:
        """End everything, at once what does not listen."""
        self._stopping.set()
        self._watcher.join()
        for kind in ("shop", "gateway", "sweeper", "projector"):
            with contextlib.suppress(AssertionError):
                self.stop_kind(kind)
        for slot in self.slots.values():
            self.kill(slot)

    def run(self, name: str, command: list[str], timeout_s: float) -> int:
        """Run one more program to its end; returns its exit code."""
        with (self._log_dir / f"{name}.log").open("ab") as log:
            done = subprocess.run(
                command, env=self._env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                timeout=timeout_s, check=False,
            )  # fmt: skip
        return done.returncode

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            self._collect()
            for slot in self.slots.values():
                if not slot.is_held and not slot.is_running:
                    self._start(slot)

    def _collect(self) -> None:
        for slot in self.slots.values():
            with self._lock:
                if slot.process is not None and (code := slot.process.poll()) is not None:
                    slot.ends.append(code)
                    slot.process = None

    def _start(self, slot: Slot) -> None:
        with self._lock, (self._log_dir / f"{slot.name}.log").open("ab") as log:
            slot.started += 1
            slot.process = subprocess.Popen(
                slot.command(slot.started),
                env=self._env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def daemon_command(kind: str, name: str, *options: str) -> Callable[[int], list[str]]:
    """`flashsale KIND run --name NAME`."""
    command = [
        sys.executable,
        "-m",
        "flashsale",
        kind,
        "run",
        "--name",
        name,
        "--log-format",
        "json",
        *options,
    ]
    return lambda _: command
