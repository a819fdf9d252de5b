"""One server process: started apart from us, found again by any later process, and stopped.

Its pid file is the proof of life. Whoever starts a server locks the file (flock), and the server inherits the locked
descriptor: the lock lives exactly as long as the server or a child of it. So no pid is ever taken for another's, it
does not matter at which moment the starter is killed, and two servers never work on one data directory. What the file
says (version, pid, start time) is written by the process that becomes the server, just before it does; it is needed
for sending signals only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import Signals
from typing import NamedTuple

from flashsale.errors import Unreachable
from flashsale.servers.account import ENVIRONMENT, Account
from flashsale.servers.lock import POLL_INTERVAL_S, try_lock

#: A killed Postgres needs this long, at most, until its last child has noticed.
CLAIM_WAIT_S_MAX = 30
LOG_BYTES_MAX = 4_000_000
_TAIL_BYTES_MAX = 4_000
_TAIL_LINES_MAX = 16
_TAIL_LINE_LENGTH_MAX = 240

# Linux has it; elsewhere, ps tells the same more slowly.
_PROC = Path("/proc/self/stat")

# The outer shell ends at once, so that the server's parent is init: it never becomes a zombie of ours, nor a warning
# of Python's. A shell, because it starts in 1 ms and root's `nobody` may not be able to run our Python.
_DETACH = '/bin/sh -c "$0" "$@" &'
# stdout is the pid file. The shell becomes the server: pid and start time stay the same.
_BECOME_SERVER = """\
if [ -r /proc/$$/stat ]; then read -r started </proc/$$/stat; else started=$(ps -o lstart= -p $$); fi
printf '%s %s %s\\n' "$0" "$$" "$started" || exit 1
exec "$@" >&2
"""


class Identity(NamedTuple):
    """What the pid file says."""

    version: str
    pid: int
    #: as the kernel counts it; tells the server from a later process with the same pid
    started: str


class Process:
    """The process that `pid_file` and `log_file` belong to, whether it runs or not."""

    def __init__(self, pid_file: Path, log_file: Path, account: Account) -> None:
        self.pid_file = pid_file
        self.log_file = log_file
        self.account = account
        self._log_begin = 0

    def is_alive(self) -> bool:
        """Whether the server, a child of it, or somebody who is about to start it is there."""
        try:
            descriptor = os.open(self.pid_file, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            # Shared: two that look at the same moment must not see each other.
            return not try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def last_identity(self) -> Identity | None:
        """The server that runs or ran last."""
        try:
            version, pid, started = self.pid_file.read_text(encoding="utf-8", errors="replace").split(" ", 2)
            return Identity(version, int(pid), _started_of(started)) if started.endswith("\n") else None
        except (FileNotFoundError, ValueError, IndexError):
            return None

    def identity(self) -> Identity | None:
        """The server, if it runs; None also while it is being started, or when it runs in another container."""
        identity = self.last_identity()
        return identity if identity and self._is_ours(identity) and self.is_alive() else None

    @contextlib.contextmanager
    def claim(self) -> Iterator[int]:
        """Lock the pid file: until this ends no server runs, unless `launch` passes the lock on to it."""
        descriptor = os.open(self.pid_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            deadline_s = time.monotonic() + CLAIM_WAIT_S_MAX
            while not try_lock(descriptor, fcntl.LOCK_EX):
                if time.monotonic() >= deadline_s:
                    raise Unreachable(
                        f"Something that an earlier server started still runs and holds {self.pid_file}."
                    )
                time.sleep(POLL_INTERVAL_S)
            yield descriptor
        finally:
            os.close(descriptor)

    def launch(self, claim: int, version: str, command: Sequence[str | os.PathLike[str]]) -> None:
        """Start the server, which from now on holds `claim`."""
        os.ftruncate(claim, 0)
        with self.opened_log() as log:
            outer = ["/bin/sh", "-c", _DETACH, _BECOME_SERVER, version, *command]
            self.account.run(outer, stdout=claim, stderr=log, pass_fds=[claim])

    def send(self, number: Signals) -> None:
        """Signal the server. A process that merely has its pid is left alone."""
        identity = self.last_identity()
        if identity and self._is_ours(identity):
            with contextlib.suppress(ProcessLookupError):
                os.kill(identity.pid, number)

    def wait_until_gone(self, limit_s: float) -> bool:
        """Wait for the server and its children to end; False when some are left after `limit_s`."""
        deadline_s = time.monotonic() + limit_s
        while self.is_alive():
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(POLL_INTERVAL_S)
        return True

    @contextlib.contextmanager
    def opened_log(self) -> Iterator[int]:
        """The log file, for appending. One that has grown large is put aside first."""
        with contextlib.suppress(FileNotFoundError):
            if self.log_file.lstat().st_size > LOG_BYTES_MAX:
                self.log_file.replace(self.log_file.with_suffix(".log.1"))
        descriptor = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            self._log_begin = os.fstat(descriptor).st_size
            yield descriptor
        finally:
            os.close(descriptor)

    def log_tail(self) -> str:
        """The last lines that were logged since we started something, for an error message."""
        try:
            with self.log_file.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_begin, end - _TAIL_BYTES_MAX))
                text = log.read(_TAIL_BYTES_MAX).decode(errors="replace")
        except FileNotFoundError:
            text = ""
        lines = [line for line in text.splitlines() if line.strip()][-_TAIL_LINES_MAX:] or ["(nothing)"]
        return f"{self.log_file} ends with:\n" + "\n".join(
            f"  {line[:_TAIL_LINE_LENGTH_MAX]}" for line in lines
        )

    def _is_ours(self, identity: Identity) -> bool:
        # The owner is compared because the server can write to the file: it must not make root signal anything else.
        return process_start(identity.pid, self.account.uid) == identity.started


def process_start(pid: int, uid: int) -> str | None:
    """When process `pid` of user `uid` began, in the kernel's count; None when there is no such process."""
    if not _PROC.exists():
        return _ps(pid, "lstart") if _ps(pid, "uid") == str(uid) else None
    try:
        with Path(f"/proc/{pid}/stat").open(encoding="utf-8", errors="replace") as file:
            return _started_of(file.read()) if os.fstat(file.fileno()).st_uid == uid else None
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def works_in(pid: int, directory: Path) -> bool:
    """Whether process `pid` is a server of `directory`."""
    if not _PROC.exists():
        return str(directory) in _ps(pid, "command")
    try:
        return Path(f"/proc/{pid}/cwd").samefile(directory)
    except OSError:
        return False


def _started_of(text: str) -> str:
    # Linux: /proc/PID/stat. The command's name stands in brackets and may hold anything; field 22 is the start.
    _, bracket, fields = text.rpartition(")")
    if not bracket:
        return text.strip()
    return fields.split()[19]


def _ps(pid: int, field: str) -> str:
    command = ["ps", "-o", f"{field}=", "-p", str(pid)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env=ENVIRONMENT
    ).stdout.strip()
