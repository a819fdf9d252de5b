"""Real processes of `flashsale` by the hundred: each is forked from one that has imported everything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.fixtures.processes import PASSED_ON, Finished
from tests.helpers import wait_until

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "nursery.py"
#: A cursor of the server's whose `with` ends because its session was ended: closing it fails, and it stays as it is.
PSYCOPG_LEAVES_OPEN = "ignore:<psycopg.ServerCursor:ResourceWarning"
#: Longer than any timeout of a command, so that one that hangs is told from one that waits.
END_TIMEOUT_S = 40


@dataclass
class Nursery:
    """Starts commands in a home of their own."""

    home: Path
    #: what is added to the environment of every command from now on
    env: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-W", PSYCOPG_LEAVES_OPEN, PROGRAM],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate(timeout=END_TIMEOUT_S)

    def start(self, *args: str) -> Child:
        """Start a command."""
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        env = {**passed_on, "HOME": str(self.home), **self.env}
        output = self.home / "output"
        for end in (".out", ".err"):
            output.with_suffix(end).write_bytes(b"")  # nothing of the one before
        job: Mapping[str, Any] = {"args": args, "env": env, "output": str(output)}
        return Child(self, args, self.ask(start=job), output)

    def run(self, *args: str) -> Finished:
        """Run a command to its end."""
        return self.start(*args).wait()

    def ask(self, **question: Any) -> Any:
        """Ask the program."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


class Child:
    """A command that runs. Only one of a nursery runs at a time: they share the files of their output."""

    def __init__(self, nursery: Nursery, args: tuple[str, ...], pid: int, output: Path) -> None:
        self._nursery, self._args, self.pid, self._output = nursery, args, pid, output
        self._exit_code: int | None = None

    def has_ended(self) -> bool:
        """Whether it has; once it has, its exit code is known."""
        if self._exit_code is None:
            self._exit_code = self._nursery.ask(ended=self.pid)
        return self._exit_code is not None

    @property
    def stderr(self) -> str:
        """What it has said so far."""
        return self._output.with_suffix(".err").read_text(encoding="utf-8", errors="replace")

    def terminate(self) -> None:
        """Ask it to end as systemd does."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> Finished:
        """Wait for its end."""
        try:
            wait_until(self.has_ended, END_TIMEOUT_S, f"{self._args} ends")
        except AssertionError:
            os.kill(self.pid, signal.SIGKILL)
            raise
        assert self._exit_code is not None
        stdout = self._output.with_suffix(".out").read_text(encoding="utf-8", errors="replace")
        return Finished(self._args, self._exit_code, stdout, self.stderr)
