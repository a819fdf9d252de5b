"""Redis or Valkey: version, role, what it does when memory is short, whether there is room."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from flashsale.doctor import durability, versions
from flashsale.doctor.check import Check, checked, few_left
from flashsale.stream import Log

LAST_WRITE = "last log write"
#: Redis's clock opens and closes sales; people look at this machine's.
CLOCK_DIFFERENCE_MS_MAX = 1_000


def essentials(log: Log, info: Mapping[str, Any], level: durability.Level) -> Iterator[Check]:
    """What the promise rests on: a server that fails one of these loses orders or takes none."""
    if not info:
        remedy = "let `flashsale doctor` use a user who may call INFO, CONFIG GET and ACL"
        yield Check("Redis", "warn", "INFO is hidden", remedy)
        return
    title, version = _version(info)
    yield versions.age(title, version, versions.VALKEY_OLDEST if title == "Valkey" else versions.REDIS_OLDEST)
    role = str(info.get("role", "unknown"))
    yield checked(
        "role", role, "this is a replica and refuses writes: name its primary", holds=role == "master"
    )
    policy = str(info.get("maxmemory_policy") or log.setting("maxmemory-policy") or "unknown")
    yield checked(
        "eviction", policy,
        "set maxmemory-policy noeviction: any other throws stock and orders away when memory is short",
        holds=policy == "noeviction", verdict="warn" if policy == "unknown" else "fail",
    )  # fmt: skip
    if (written := info.get("aof_last_write_status", "ok")) != "ok":
        yield Check(LAST_WRITE, "fail", str(written), "Redis cannot write its disk: look at its log")
    yield durability.log_on_disk(level)
    yield from durability.log_reload(log, info)


def advice(log: Log, info: Mapping[str, Any], replicas: int) -> Iterator[Check]:
    """What goes well today, and may not tomorrow. `replicas`: so many are waited for."""
    if not info:
        return
    yield versions.holes(*_version(info))
    # -1 until the first since the start.
    is_rewritten = int(info.get("aof_last_rewrite_time_sec", -1)) >= 0
    yield versions.torn_scripts(*_version(info), is_rewritten=is_rewritten)
    if int(info.get("cluster_enabled", 0)):
        yield _cluster(replicas)
    yield from _replicas(log, info, replicas)
    yield from durability.log_upkeep(log, info)
    yield from _room(info)
    if microseconds := int(info.get("server_time_usec", 0)):
        apart_ms = abs(microseconds // 1_000 - time.time_ns() // 1_000_000)
        yield checked(
            "clock", f"{apart_ms} ms from this machine's",
            "Redis's clock opens and closes sales: keep both in step (NTP)",
            holds=apart_ms <= CLOCK_DIFFERENCE_MS_MAX, verdict="warn",
        )  # fmt: skip


def _cluster(waited_for: int) -> Check:
    if waited_for:
        return Check(
            "cluster", "fail", "on, where FLASHSALE_REPLICAS cannot be waited for",
            "nobody hears of an order: set it to 0, or take a Redis that is no cluster",
        )  # fmt: skip
    return Check(
        "cluster", "warn", "on", "flashsale talks to this node alone: see to it that it serves all slots"
    )


def _version(info: Mapping[str, Any]) -> tuple[str, str]:
    is_valkey = info.get("server_name") == "valkey"
    version = info.get("valkey_version" if is_valkey else "redis_version", "0")
    return "Valkey" if is_valkey else "Redis", str(version)


def _replicas(log: Log, info: Mapping[str, Any], waited_for: int) -> Iterator[Check]:
    """A replica that nobody waits for is promoted without the newest orders."""
    wanted, following = int(log.setting("min-replicas-to-write") or 0), int(info.get("connected_slaves", 0))
    good = info.get("min_slaves_good_slaves")  # told while some are asked for
    if following < waited_for:
        yield Check(
            "replicas", "fail", f"{following} of the {waited_for} that FLASHSALE_REPLICAS waits for",
            "nobody hears of an order: start the replicas, or set it lower",
        )  # fmt: skip
    elif good is not None and wanted > int(good):
        yield Check(
            "replicas", "fail", f"{good} of the {wanted} that min-replicas-to-write asks for",
            "Redis takes no writes: start the replicas, or lower min-replicas-to-write",
        )  # fmt: skip
    elif following:
        yield checked(
            "replicas", f"{following} follow, min-replicas-to-write {wanted}",
            "set min-replicas-to-write 1: else a primary that is cut off goes on selling what a promoted replica "
            "sells again", holds=wanted > 0, verdict="warn",
        )  # fmt: skip


def _room(info: Mapping[str, Any]) -> Iterator[Check]:
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if most:
        remedy = "trim logs and archive sales that are over, or raise maxmemory: Redis refuses orders when it is full"
        yield few_left("memory", used // 1024**2, most // 1024**2, "MiB of maxmemory", remedy)
    else:
        yield Check(
            "memory", "warn", f"{used // 1024**2:,} MiB, no maxmemory",
            "set maxmemory to what the machine can spare: without, its kernel kills Redis in the middle of a sale",
        )  # fmt: skip
    if clients_max := int(info.get("maxclients", 0)):
        clients = int(info.get("connected_clients", 0))
        yield few_left("clients", clients, clients_max, "connections", "raise maxclients, or use fewer")
