"""Servers set up in ways that the doctor must find."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flashsale.doctor import Check, Report
from flashsale.servers import DevServers
from flashsale.servers.account import Account, server_account


def finding(report: Report, name: str) -> Check:
    """The check of this name."""
    return next(check for check in report.checks if check.name == name)


def verdicts(report: Report) -> dict[str, str]:
    """Name → verdict."""
    return {check.name: check.verdict for check in report.checks}


def free_port() -> int:
    """A port where nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@dataclass
class PrivatePostgres:
    """The Postgres of a test's own servers, stopped, to be started with other settings."""

    data_dir: Path
    bin_dir: Path
    account: Account

    @classmethod
    def of(cls, servers: DevServers) -> PrivatePostgres:
        """Stop the servers, and take their Postgres over."""
        (server,) = (server for server in servers.status() if server.name == "postgres")
        program = Path(f"/proc/{server.pid}/exe").readlink()
        servers.down()
        return cls(server.data_dir, program.parent, server_account())

    @contextmanager
    def running(self, *settings: str) -> Iterator[int]:
        """Run it with these settings, on a port of 127.0.0.1 that is given."""
        port = free_port()
        options = [
            f"-c {setting}"
            for setting in (
                "listen_addresses=127.0.0.1",
                f"port={port}",
                "unix_socket_directories=",
                *settings,
            )
        ]
        self.do("pg_ctl", "-w", "-l", str(self.data_dir / "log"), "-o", " ".join(options), "start")
        try:
            yield port
        finally:
            self.do("pg_ctl", "-w", "-m", "fast", "stop")

    def do(self, program: str, *args: str) -> None:
        """Run one of Postgres's programs on the data."""
        done = self.account.run([self.bin_dir / program, "-D", self.data_dir, *args], limit_s=60)
        assert done.returncode == 0, f"{program} {args} ended with {done.returncode}"
