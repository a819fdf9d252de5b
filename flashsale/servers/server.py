"""What Redis and Postgres have in common: starting one, waiting for it, stopping several."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterable
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from flashsale.errors import Unreachable
from flashsale.servers.lock import POLL_INTERVAL_S
from flashsale.servers.process import Process

#: One question and its answer.
PROBE_WAIT_S_MAX = 2
#: From the start of a process to its socket.
LISTEN_WAIT_S_MAX = 3
#: Until it is ready. Long, because a log of gigabytes may have to be read first.
READY_WAIT_S_MAX = 60
#: After each of a server's three stop signals.
STOP_WAITS_S_MAX = (20, 6, 6)
#: With less than this a start may fail for want of room: Postgres alone wants a WAL segment of 16 MB.
DISK_FREE_BYTES_MIN = 20_000_000


class Answer(Enum):
    """What became of an attempt to talk to a server."""

    #: it works
    READY = auto()
    #: it is there, and busy with its start
    NOT_YET = auto()
    #: nobody listens
    NOBODY = auto()


class Server(Protocol):
    """A server of a data directory, whether it runs or not."""

    name: str
    title: str
    data_dir: Path
    socket: Path
    process: Process
    #: the first asks for an orderly end, the last cannot be refused
    stop_signals: tuple[signal.Signals, signal.Signals, signal.Signals]

    @property
    def url(self) -> str: ...

    def launch(self, claim: int) -> None: ...

    def ask(self) -> Answer: ...


def start(server: Server) -> bool:
    """Start the server unless it runs; True if it was started. It may not be ready yet when this returns."""
    if _is_listening(server):
        return False
    # It runs, and its socket is gone (somebody emptied /tmp): nobody could ever reach it.
    stop([server])
    with server.process.claim() as claim:
        server.launch(claim)
    return True


def wait_until_ready(server: Server, *, started: bool) -> None:
    """Return when the server works. Raises `Unreachable`, with the end of its log, when it does not.

    A server that ends while we wait is not `started` again, if it was we who did; else it was being stopped, and is.
    """
    deadline_s = time.monotonic() + READY_WAIT_S_MAX
    while server.ask() is not Answer.READY:
        if not server.process.is_alive():
            if started:
                raise Unreachable(
                    f"{server.title} did not start; {_disk_or_log(server)}. If its data is damaged, or was made by"
                    f" another version, `flashsale dev destroy` removes it. {server.process.log_tail()}"
                )
            started = start(server)
        if time.monotonic() >= deadline_s:
            raise Unreachable(
                f"{server.title} runs, but has not become ready for {READY_WAIT_S_MAX} s. Look at its log, or stop it"
                f" with `flashsale dev down`. {server.process.log_tail()}"
            )
        time.sleep(POLL_INTERVAL_S)


def stop(servers: Iterable[Server]) -> list[str]:
    """Stop the servers that run, all at once, each in an orderly way if it can. Returns their names."""
    stopping = running = [server for server in servers if server.process.is_alive()]
    for attempt, limit_s in enumerate(STOP_WAITS_S_MAX):
        for server in running:
            server.process.send(server.stop_signals[attempt])
            server.process.send(signal.SIGCONT)  # or a process that was suspended would never hear of it
        deadline_s = time.monotonic() + limit_s
        running = [
            server
            for server in running
            if not server.process.wait_until_gone(max(0, deadline_s - time.monotonic()))
        ]
    if running:
        titles = " and ".join(server.title for server in running)
        files = " and ".join(str(server.process.pid_file) for server in running)
        raise Unreachable(
            f"{titles} cannot be stopped: something still holds {files}, and is not the process named there. It may run"
            " in another container, or be a program that the server has started."
        )
    return [server.name for server in stopping]


def _is_listening(server: Server) -> bool:
    deadline_s = time.monotonic() + LISTEN_WAIT_S_MAX
    while server.process.is_alive() and time.monotonic() < deadline_s:
        if server.ask() is not Answer.NOBODY:
            return True
        time.sleep(POLL_INTERVAL_S)
    return False


def _disk_or_log(server: Server) -> str:
    """Where to look for the reason. On a full disk the log itself may be cut before it says so."""
    if shutil.disk_usage(server.data_dir).free < DISK_FREE_BYTES_MIN:
        return f"No space left on device for {server.data_dir}"
    return "its log says why"
