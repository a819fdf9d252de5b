"""The daemons of the demo: real processes, started, watched, and one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from flashsale.servers import Urls

#: Time a daemon has to finish its batch when it is asked to stop.
STOP_TIMEOUT_S = 10


class Daemons:
    """Projectors and sweepers as child processes; all are gone when the context ends."""

    def __init__(self, urls: Urls, log_dir: Path) -> None:
        self._urls, self._log_dir = urls, log_dir
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, kind: str, name: str, *options: str, **more: str) -> None:
        """Start `flashsale KIND run --name NAME`, with more options, and more variables of its environment."""
        self.launch(name, "flashsale", kind, "run", "--name", name, *options, **more)

    def launch(self, name: str, module: str, *arguments: str, **more: str) -> None:
        """Start a module with these arguments. Ctrl-C in the terminal reaches this process only.

        `-P`: without, Python would take modules from the working directory.
        """
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FLASHSALE_")}
        environment |= {
            "FLASHSALE_REDIS_URL": self._urls.redis_url,
            "FLASHSALE_POSTGRES_URL": self._urls.postgres_url,
            **more,
        }
        with self.log_of(name).open("ab") as log_file:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                env=environment,
                start_new_session=True,
            )

    def log_of(self, name: str) -> Path:
        """Where a daemon's output goes."""
        return self._log_dir / f"{name}.log"

    def pid_of(self, name: str) -> int:
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """kill -9, and wait until it is dead."""
        process = self._processes[name]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        """What it has logged so far."""
        return (self._log_dir / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def dead(self) -> list[str]:
        """Daemons that ended, killed ones included."""
        return [name for name, process in self._processes.items() if process.poll() is not None]
