"""One process at a time starts or stops the servers of a data directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flashsale.errors import Unreachable

#: Longer than a start or stop that takes its time: initdb on a slow disk, a log of gigabytes to read.
LOCK_WAIT_S_MAX = 300
POLL_INTERVAL_S = 0.01


@contextlib.contextmanager
def exclusive(path: Path, prepare: Callable[[], bool]) -> Iterator[bool]:
    """Hold the lock file at `path`, which is made when missing.

    `prepare` is called before every attempt. It makes the directory, or returns False: then there is nothing to lock
    any more, and the context is False. The kernel gives the lock back when the holder dies; the descriptor closes on
    exec, so no server inherits it.
    """
    deadline_s = time.monotonic() + LOCK_WAIT_S_MAX
    while prepare():
        descriptor = _try_open_locked(path)
        if descriptor is not None:
            try:
                yield True
            finally:
                os.close(descriptor)
            return
        if time.monotonic() >= deadline_s:
            raise Unreachable(
                f"Another process has been starting or stopping the servers for {LOCK_WAIT_S_MAX} s; it holds {path}."
                " Wait for it to finish, or end it, and try again."
            )
        time.sleep(POLL_INTERVAL_S)
    yield False


def try_lock(descriptor: int, operation: int) -> bool:
    """Take the flock (LOCK_EX or LOCK_SH) if nobody's is in the way; do not wait."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_open_locked(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:  # destroy() was quicker, and took the directory that `prepare` saw
        return None
    if try_lock(descriptor, fcntl.LOCK_EX) and _is_still_at(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _is_still_at(path: Path, descriptor: int) -> bool:
    # destroy() removes the file while it holds the lock: who waited for that one has locked a file without a name.
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
