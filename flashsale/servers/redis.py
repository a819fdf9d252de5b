"""The Redis (or Valkey) of a data directory."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from urllib.parse import quote

from flashsale.servers import binaries, directories
from flashsale.servers.location import REDIS_SOCKET, Place
from flashsale.servers.process import Process
from flashsale.servers.server import PROBE_WAIT_S_MAX, Answer


class Redis:
    """Acknowledges a write when it is on disk, throws nothing away, and listens on a socket only its user can reach."""

    name = "redis"
    title = "Redis"
    stop_signals = (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)

    def __init__(self, place: Place, binary: Path | None) -> None:
        self._place = place
        self._binary = binary
        self.data_dir = place.root / "redis"
        self.socket = place.run_dir / REDIS_SOCKET
        self.process = Process(place.root / "redis.pid", place.root / "redis.log", place.account)

    @property
    def url(self) -> str:
        """For redis-py's `from_url`."""
        return f"unix://{quote(str(self.socket))}"

    def launch(self, claim: int) -> None:
        """Start the server; it becomes ready later."""
        program = binaries.redis_program(self._place, self._binary)
        directories.make_private(self.data_dir, self._place.account)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "maxmemory": str(_half_of_memory()),
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": "",
        }
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self.process.launch(claim, program.version, [program.path, *options])

    def ask(self) -> Answer:
        """Send PING."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PROBE_WAIT_S_MAX)
            try:
                connection.connect(str(self.socket))
            except (FileNotFoundError, ConnectionRefusedError):
                return Answer.NOBODY
            except (TimeoutError, BlockingIOError):
                return Answer.NOT_YET
            try:
                connection.sendall(b"PING\r\n")
                reply = connection.recv(64)
            except (TimeoutError, ConnectionError):
                return Answer.NOT_YET
        # Any other reply, -BUSY or -NOAUTH for instance, comes from a server that works.
        return Answer.NOT_YET if not reply or reply.startswith(b"-LOADING") else Answer.READY


def _half_of_memory() -> int:
    """In bytes. Without a limit, a machine that is full kills the server instead of hearing that it is full."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
