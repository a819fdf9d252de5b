"""Examine the servers: reachable, new enough, configured so that nothing acknowledged is lost.

Everything is read, nothing is changed. A server that hides a setting (managed services do) gets a warning for it, never
a clean bill.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from flashsale.errors import FlashsaleError, Halted, RefusedByState, Unreachable
from flashsale.projections.database import Connection, errors_told
from flashsale.projections.migrate import schema_status
from flashsale.projections.queries import query
from flashsale.projections.replays import live_tables
from flashsale.projections.versions import PROJECTION_VERSIONS
from flashsale.sale_health import troubles
from flashsale.stream import Log

REDIS_OLDEST = (7, 0)
VALKEY_OLDEST = (8, 0)
POSTGRES_OLDEST = (14,)
#: Redis's clock opens and closes sales; people look at this machine's.
CLOCK_DIFFERENCE_MS_MAX = 1_000

Verdict = Literal["ok", "warn", "fail", "halted", "unreachable"]


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    #: what was found, as a phrase
    found: str
    #: what to do about it; "" when nothing is to be done
    remedy: str = ""


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
    "as D1, and Redis takes writes only while a replica follows; pair it with WAIT to survive a failover",
)
UNKNOWN = Level("unknown", "Redis does not tell how it writes its log to disk")


class Report(msgspec.Struct, frozen=True):
    """All checks, and what they add up to."""

    checks: list[Check]
    durability: Level

    @property
    def exit_code(self) -> int:
        verdicts = {check.verdict for check in self.checks}
        if "unreachable" in verdicts:
            return Unreachable.exit_code
        if "halted" in verdicts:
            return Halted.exit_code
        return RefusedByState.exit_code if "fail" in verdicts else 0


def examine(open_log: Callable[[], Log], open_connection: Callable[[], Connection]) -> Report:
    """Look at both servers; what cannot be reached is a finding, too."""
    checks: list[Check] = []
    durability = UNKNOWN
    try:
        with open_log() as log:
            info = log.server()
            checks.extend(_redis_checks(log, info))
            durability = _durability(log, info)
            checks.append(_durability_check(durability))
    except FlashsaleError as error:
        checks.append(_unreachable("Redis", error, "FLASHSALE_REDIS_URL"))
    try:
        with open_connection() as connection:
            checks.extend(_postgres_checks(connection))
    except FlashsaleError as error:
        checks.append(_unreachable("Postgres", error, "FLASHSALE_POSTGRES_URL"))
    if _may_look_at_sales(checks):
        try:
            with open_log() as log, open_connection() as connection:
                checks.extend(_sale_checks(log, connection))
        except FlashsaleError as error:  # it went away between two looks, and says itself which it is
            if not isinstance(error, Unreachable):
                raise
            checks.append(Check("sales", "unreachable", str(error), "look again"))
    return Report(checks, durability)


def _may_look_at_sales(checks: list[Check]) -> bool:
    has_schema = any(check.name == "schema" and check.verdict == "ok" for check in checks)
    return has_schema and all(check.verdict != "unreachable" for check in checks)


def _sale_checks(log: Log, connection: Connection) -> Iterator[Check]:
    found = list(troubles(log, connection))
    for trouble in found:
        verdict: Verdict = "halted" if trouble.is_halted else "warn"
        yield Check(f"sale {trouble.shard.sale}", verdict, trouble.found, trouble.remedy)
    if not found:
        yield Check("sales", "ok", "every log is whole, nothing waits")


def _unreachable(server: str, error: FlashsaleError, variable: str) -> Check:
    if not isinstance(error, Unreachable):
        raise error
    return Check(server, "unreachable", str(error), f"start it, or set {variable}")


def _redis_checks(log: Log, info: Mapping[str, Any]) -> Iterator[Check]:
    is_valkey = info.get("server_name") == "valkey"
    title = "Valkey" if is_valkey else "Redis"
    version = str(info.get("valkey_version" if is_valkey else "redis_version", "0"))
    yield _version(title, version, VALKEY_OLDEST if is_valkey else REDIS_OLDEST)
    role = str(info.get("role", "unknown"))
    yield _check("role", role == "master", role, "this is a replica and refuses writes: name its primary")
    if int(info.get("cluster_enabled", 0)):
        yield Check(
            "cluster", "warn", "on", "flashsale talks to this node alone: see to it that it serves all slots"
        )
    policy = str(info.get("maxmemory_policy") or log.setting("maxmemory-policy") or "unknown")
    yield _check(
        "eviction", policy == "noeviction", policy,
        "set maxmemory-policy noeviction: any other throws stock and orders away when memory is short",
        verdict="warn" if policy == "unknown" else "fail",
    )  # fmt: skip
    if (written := info.get("aof_last_write_status", "ok")) != "ok":
        yield Check("last log write", "fail", str(written), "Redis cannot write its disk: look at its log")
    if microseconds := int(info.get("server_time_usec", 0)):
        apart_ms = abs(microseconds // 1_000 - time.time_ns() // 1_000_000)
        yield _check(
            "clock", apart_ms <= CLOCK_DIFFERENCE_MS_MAX, f"{apart_ms} ms from this machine's",
            "Redis's clock opens and closes sales: keep both in step (NTP)", verdict="warn",
        )  # fmt: skip


def _durability(log: Log, info: Mapping[str, Any]) -> Level:
    if not int(info.get("aof_enabled", 0)):
        return NOT_DURABLE
    fsync = log.setting("appendfsync")
    if fsync is None:
        return UNKNOWN
    if fsync == "no":
        return NOT_DURABLE
    if fsync != "always":
        return D0
    replicas = log.setting("min-replicas-to-write") or "0"
    return D2 if int(replicas) >= 1 else D1


def _durability_check(level: Level) -> Check:
    found = {
        "none": "no log on disk (appendonly no, or appendfsync no)",
        "D0": "appendonly yes, appendfsync everysec",
        "D1": "appendonly yes, appendfsync always",
        "D2": "appendonly yes, appendfsync always, min-replicas-to-write ≥ 1",
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


def _postgres_checks(connection: Connection) -> Iterator[Check]:
    yield _version("Postgres", connection.info.parameter_status("server_version") or "0", POSTGRES_OLDEST)
    with errors_told():
        row = connection.execute(query("read", "server_settings")).fetchone()
    in_recovery, fsync, full_page_writes = row or (False, "on", "on")
    if in_recovery:
        yield Check(
            "Postgres role", "fail", "standby", "this is a standby and refuses writes: name its primary"
        )
    if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
        yield Check(
            "encoding",
            "fail",
            str(encoding),
            "titles are text in any script: make the database with ENCODING 'UTF8'",
        )
    unsafe = [
        name for name, value in (("fsync", fsync), ("full_page_writes", full_page_writes)) if value != "on"
    ]
    yield _check(
        "Postgres disk", not unsafe, f"{' and '.join(unsafe)} off" if unsafe else "fsync and full_page_writes on",
        "set them on: a crash of the machine can damage the database, which can then only be rebuilt from the log",
        verdict="warn",
    )  # fmt: skip
    status = schema_status(connection)
    if status.unknown:
        yield Check(
            "schema",
            "fail",
            f"has {', '.join(status.unknown)} of a newer flashsale",
            "upgrade this flashsale",
        )
    elif status.missing:
        yield Check("schema", "fail", f"lacks {', '.join(status.missing)}", "run `flashsale db migrate`")
    else:
        yield Check("schema", "ok", f"version {status.known[-1]}, up to date")
        yield _projections(connection)


def _projections(connection: Connection) -> Check:
    old = [
        live.table for live in live_tables(connection) if live.version != PROJECTION_VERSIONS.get(live.name)
    ]
    return _check(
        "projections", not old, f"built by another version of the code: {', '.join(old)}"
        if old else "built by this version of the code",
        "they are right for those who read them; `flashsale replay --all` builds them anew", verdict="warn",
    )  # fmt: skip


def _version(server: str, version: str, oldest: tuple[int, ...]) -> Check:
    numbers = tuple(int(number) for number in re.findall(r"\d+", version.partition(" ")[0])[: len(oldest)])
    wanted = ".".join(map(str, oldest))
    return _check(server, numbers >= oldest, version, f"flashsale is tested from {wanted} on: upgrade it")


def _check(name: str, holds: bool, found: str, remedy: str, verdict: Verdict = "fail") -> Check:  # noqa: FBT001 - what it is about
    return Check(name, "ok", found) if holds else Check(name, verdict, found, remedy)
