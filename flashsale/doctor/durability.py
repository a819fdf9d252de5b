"""What an acknowledged order survives: how Redis writes its log to disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from flashsale.doctor.check import Check, checked
from flashsale.stream import Log


class Level(msgspec.Struct, frozen=True):
    """How durable an acknowledged order is."""

    name: str
    may_lose: str


NOT_DURABLE = Level("none", "may lose everything when Redis stops")
D0 = Level("D0", "may lose the last second or two of acknowledged orders when Redis or its machine dies")
D1 = Level(
    "D1", "loses nothing when Redis or its machine dies; may lose orders in a failover, or with its disk"
)
D2 = Level(
    "D2",
    "as D1, and Redis takes writes only while a replica follows; with FLASHSALE_REPLICAS=1 no acknowledged order is "
    "lost in a failover either",
)
_D2_WAITED_FOR = Level(
    "D2", "loses nothing acknowledged when Redis or its machine dies, or its disk, and a replica takes over"
)
UNKNOWN = Level("unknown", "Redis does not tell how it writes its log to disk")
#: D0, but for longer: Redis's own documentation says 30 s at worst.
_D0_IN_REWRITES = Level(
    "D0", "may lose up to 30 s of acknowledged orders when Redis or its machine dies during a log rewrite"
)

#: An fsync that takes this long holds up every buyer, and hints at a disk that is failing.
FSYNC_MS_MAX = 1_000


def durability(log: Log, info: Mapping[str, Any], replicas: int = 0) -> Level:
    """The level that the settings amount to. `replicas`: so many are waited for before anybody is told."""
    # Who may not ask INFO may not ask this, either, and each refusal stands in ACL LOG.
    fsync = log.setting("appendfsync") if info else None
    if info and (not int(info.get("aof_enabled", 0)) or fsync == "no"):
        return NOT_DURABLE
    if not info or fsync is None:
        return UNKNOWN
    if log.setting("no-appendfsync-on-rewrite") == "yes":
        return _D0_IN_REWRITES
    if fsync != "always":
        return D0
    if replicas:
        return _D2_WAITED_FOR
    return D2 if int(log.setting("min-replicas-to-write") or 0) >= 1 else D1


def log_on_disk(level: Level) -> Check:
    """The level as a finding."""
    if level is _D0_IN_REWRITES:
        found = "no-appendfsync-on-rewrite yes: nothing is synced while the log is rewritten"
        return Check("log on disk", "warn", found, "set no-appendfsync-on-rewrite no")
    found = {
        "none": "no log on disk (appendonly no, or appendfsync no)",
        "D0": "appendonly yes, appendfsync everysec",
        "D1": "appendonly yes, appendfsync always",
        "D2": "appendonly yes, appendfsync always, and replicas",
        "unknown": "appendfsync is hidden",
    }[level.name]
    if level is NOT_DURABLE:
        return Check("log on disk", "fail", found, "set appendonly yes and appendfsync always")
    if level is D0:
        return Check(
            "log on disk", "warn", found, "set appendfsync always, unless losing a second of orders is fine"
        )
    if level is UNKNOWN:
        return Check("log on disk", "warn", found, "see to it that it is `always`")
    return Check("log on disk", "ok", found)


def log_reload(log: Log, info: Mapping[str, Any]) -> Iterator[Check]:
    """Whether the log comes back at all. Redis checks the rights of `default` when it loads what a script did.

    Some versions do not (redis/redis#14541, valkey-io/valkey#3983), and to grant the rights costs nothing there.
    """
    if not int(info.get("aof_enabled", 0)) or (may := log.loads_what_scripts_did()) is None:
        return
    yield checked(
        "log after a restart", "user default may do what the log says" if may else "user default may not load it",
        "put `user default off ~* &* +@all` into the ACL file: as that user Redis loads its log, and many versions "
        "leave out, silently, what it may not write", holds=may,
    )  # fmt: skip


def log_upkeep(log: Log, info: Mapping[str, Any]) -> Iterator[Check]:
    """Whether the log comes back after a crash, whole, and whether the disk keeps up."""
    truncated, tail = log.setting("aof-load-truncated"), log.setting("aof-load-corrupt-tail-max-size")
    if truncated is None:
        yield Check("log after a crash", "warn", "aof-load-truncated is hidden", "see to it that it is `yes`")
    elif int(tail or 0):
        yield Check(
            "log after a crash", "warn", f"aof-load-corrupt-tail-max-size {tail}: drops what was acknowledged",
            "set aof-load-corrupt-tail-max-size 0: a damaged log is for `flashsale recover`",
        )  # fmt: skip
    else:
        yield checked(
            "log after a crash", f"aof-load-truncated {truncated}",
            "set aof-load-truncated yes: a write cut short by a crash was never acknowledged, and now keeps "
            "Redis from starting", holds=truncated == "yes", verdict="warn",
        )  # fmt: skip
    rewrite = str(info.get("aof_last_bgrewrite_status", "ok"))
    yield checked(
        "log rewrite", rewrite, "Redis cannot rewrite its log, which grows: look at its log and its disk",
        holds=rewrite == "ok", verdict="warn",
    )  # fmt: skip
    yield _snapshots(log, info)
    yield _disk(log, info)


def _snapshots(log: Log, info: Mapping[str, Any]) -> Check:
    save, stops = log.setting("save"), log.setting("stop-writes-on-bgsave-error")
    status = str(info.get("rdb_last_bgsave_status", "ok"))
    if save is None or stops is None:
        return Check(
            "snapshots", "warn", "save is hidden", 'see to it that it is "", or that errors stop writes'
        )
    if save and status != "ok":
        found = f"the last one failed ({status})"
        return Check("snapshots", "warn", found, "look at Redis's log and its disk")
    return checked(
        "snapshots", f"stop-writes-on-bgsave-error {stops}" if save else "none: the log is enough",
        'set stop-writes-on-bgsave-error yes, or save "": a disk that fails must not go unnoticed',
        holds=not save or stops == "yes", verdict="warn",
    )  # fmt: skip


def _disk(log: Log, info: Mapping[str, Any]) -> Check:
    """Redis counts delays only under everysec, and times an fsync only if it was told to."""
    delayed = int(info.get("aof_delayed_fsync", 0))
    slowest_ms = max((ms for name, ms in log.latency_ms().items() if name.startswith("aof-")), default=0)
    found = f"{delayed:,} late fsyncs since Redis started" if delayed else f"slowest write {slowest_ms:,} ms"
    if not delayed and not slowest_ms:
        found = "no slow fsync on record"
    return checked(
        "disk", found, "the disk does not keep up: look at what else uses it; then LATENCY RESET",
        holds=not delayed and slowest_ms < FSYNC_MS_MAX, verdict="warn",
    )  # fmt: skip
