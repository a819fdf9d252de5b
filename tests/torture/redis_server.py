"""A Redis of the torture: on a disk of its own, with the library of machine.py inside, killed and started at will."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from flashsale.servers.account import ENVIRONMENT, Account
from tests.helpers import wait_until
from tests.torture.machine import Control, Disk

START_TIMEOUT_S = 60
END_TIMEOUT_S = 20
REPLY_TIMEOUT_S = 1.0


class RedisServer:
    """One server process after the other, on the same files."""

    def __init__(self, name: str, home: Path, program: Path, account: Account, library: Path | None) -> None:
        self.name = name
        self.socket = home / f"{name}.sock"
        self.disk = Disk(home / name, account.uid, account.gid)
        self.control = Control(home / f"{name}.control")
        self.log_file = home / f"{name}.log"
        self._program, self._account, self._library = program, account, library
        self._process: subprocess.Popen[bytes] | None = None
        self._master: tuple[str, int] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, master: tuple[str, int] | None = None) -> None:
        """Start it, as a master or as a replica of `master`, and wait until it answers."""
        self._master = master
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.disk.directory),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "maxmemory-policy": "noeviction",
            "repl-diskless-sync-delay": "0",
            "repl-timeout": "5",
            "logfile": "",
        }
        options = [word for key, value in settings.items() for word in (f"--{key}", value)]
        if master is not None:
            options += ["--replicaof", master[0], str(master[1])]
        environment = dict(ENVIRONMENT)
        if self._library is not None:
            environment |= {
                "LD_PRELOAD": str(self._library),
                "FLASHSALE_TORTURE_CONTROL": str(self.control.path),
            }
        switches = self._account.switches
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *options],
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._account.uid if switches else None,
                group=self._account.gid if switches else None,
                extra_groups=[] if switches else None,
                start_new_session=True,
            )
        wait_until(self.answers, START_TIMEOUT_S, f"{self.name} works: {self.log_file}")

    def restart(self) -> None:
        """Start it again as what it was."""
        self.start(self._master)

    def promote(self) -> None:
        """A replica becomes a master, and stays one when it is started again."""
        with self.client(START_TIMEOUT_S) as commands:
            commands.replicaof("NO", "ONE")
        self._master = None

    def answers(self) -> bool:
        """Whether it works. Fails when the process has ended."""
        assert self.is_running, f"{self.name} ended: {self.log_tail()}"
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self, timeout_s: float = REPLY_TIMEOUT_S) -> redis.Redis:
        """Does what it is told, once."""
        return redis.Redis.from_url(
            self.url,
            decode_responses=True,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
        )

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> int:
        """kill -9; returns how it ended."""
        self.send(signal.SIGKILL)
        return self.wait_for_end()

    def wait_for_end(self, timeout_s: float = END_TIMEOUT_S) -> int:
        """Wait until the process has ended; returns its exit code."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def log_tail(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-2_000:]

    def close(self) -> None:
        if self.is_running:
            self.kill()
        self.disk.close()
