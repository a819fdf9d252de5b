"""What the figures were measured on: they mean nothing without it."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import msgspec

from flashsale import __version__
from flashsale.bench.place import Place

#: Writes of a page, each followed by fsync, to see what the disk takes.
FSYNCS = 200
_PAGE = b"x" * 4096


class Machine(msgspec.Struct, frozen=True):
    """Machine and versions."""

    cpu: str
    cores: int
    memory_mb: int
    system: str
    python: str
    flashsale: str
    #: with its allocator: half of what an order costs there is memory taken and given back
    redis: str
    postgres: str
    #: which servers run here for this run; the machine of the others, and the CPU time of Postgres, are unknown
    private_servers: list[str]
    #: median of a 4 kB write with fsync where a private server keeps its data
    fsync_us: float | None
    #: processes that wanted to run before the start: more than a few tenths, and others were at work
    load_before: float | None


def examine(place: Place, load_before: float | None) -> Machine:
    """Look at the machine."""
    with place.postgres() as connection:
        ((postgres,),) = connection.execute("SHOW server_version")
    info = place.redis.info("server") | place.redis.info("memory")
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info["redis_version"]
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_mb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        flashsale=__version__,
        redis=f"{name} {version} ({info.get('mem_allocator', 'unknown')})",
        postgres=f"PostgreSQL {str(postgres).partition(' ')[0]}",
        private_servers=sorted(server.name for server in place.servers),
        fsync_us=_fsync_us(place.servers[0].data_dir) if place.servers else None,
        load_before=load_before,
    )


def load() -> float | None:
    """The load average of the last minute; None where there is none."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _fsync_us(folder: Path) -> float:
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNCS):
            began = time.perf_counter()
            file.write(_PAGE)
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return round(statistics.median(took) * 1_000_000, 1)
