"""What a piece of work costs: time, CPU of each server and of this process, memory of Redis."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis

from flashsale.servers import ServerStatus

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: In /proc/PID/stat, behind the name: state is 0, the parent 1; user, system, and the same of the children waited for.
_PARENT, _UTIME, _CUTIME, _CSTIME = 1, 11, 13, 14


class Reading(NamedTuple):
    """One look at all meters."""

    at_s: float
    #: CPU seconds; None when it cannot be known: a server that somebody else runs
    redis_cpu_s: float
    postgres_cpu_s: float | None
    client_cpu_s: float
    redis_memory: int
    #: of the HTTP server that is watched; None when none is, or where there is no /proc
    http_cpu_s: float | None = None


class Meter:
    """Reads the meters. Redis tells its own CPU time, to the microsecond; of Postgres the pid is needed."""

    def __init__(self, redis: Redis, servers: list[ServerStatus]) -> None:
        self._redis = redis
        self._postgres_pid = next((s.pid for s in servers if s.name == "postgres"), None)
        self._http_pid: int | None = None

    def read(self) -> Reading:
        info: dict[str, Any] = self._redis.info("cpu", "memory")
        pid = self._postgres_pid
        return Reading(
            at_s=time.perf_counter(),
            redis_cpu_s=float(info["used_cpu_user"]) + float(info["used_cpu_sys"]),
            postgres_cpu_s=None if pid is None else cpu_of_tree(pid),
            client_cpu_s=time.process_time(),
            redis_memory=int(info["used_memory"]),
            http_cpu_s=None if self._http_pid is None else cpu_of(self._http_pid),
        )

    @contextmanager
    def watching(self, http_pid: int) -> Iterator[None]:
        """For a while, the CPU time of an HTTP server is read, too."""
        self._http_pid = http_pid
        try:
            yield
        finally:
            self._http_pid = None


def cpu_of_tree(pid: int) -> float | None:
    """CPU seconds of a process, the children it waited for, and those that live; None where there is no /proc."""
    parent = _stat(Path(f"/proc/{pid}"))
    if parent is None:
        return None
    ticks = sum(map(int, parent[_UTIME : _CSTIME + 1]))
    for entry in Path("/proc").glob("[0-9]*"):
        child = _stat(entry)
        if child is not None and int(child[_PARENT]) == pid:
            ticks += sum(map(int, child[_UTIME:_CUTIME]))
    return ticks / _TICKS_PER_S


def cpu_of(pid: int) -> float | None:
    """CPU seconds of one process, all its threads; None where there is no /proc."""
    found = _stat(Path(f"/proc/{pid}"))
    return None if found is None else sum(map(int, found[_UTIME:_CUTIME])) / _TICKS_PER_S


def _stat(process: Path) -> list[str] | None:
    try:
        text = (process / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended, or there is no /proc
        return None
    return text.rpartition(")")[2].split()
