"""Versions: the oldest that flashsale is tested with, and those whose holes are known.

A hole is no reason to refuse work that is under way, so it never stops a daemon: it lets in who has an account already.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from flashsale.doctor.check import Check, Verdict, checked

REDIS_OLDEST = (7, 0)
VALKEY_OLDEST = (8, 0)
POSTGRES_OLDEST = (14,)


class Hole(NamedTuple):
    """Faults of one branch (major, minor) of a server."""

    server: str
    branch: tuple[int, int]
    #: the first patch release without them; None: none was made
    fixed: int | None
    verdict: Verdict
    #: what is wrong, with its source
    what: str


# From the release notes (github.com/redis/redis/releases, github.com/valkey-io/valkey/releases), read in November 2026.
# What needs a setting or a command that flashsale has no use for (RDMA, client eviction, the bus of a cluster, modules,
# HyperLogLog) is not here: the operators of such a server read the announcements themselves.
_LUA = "CVE-2025-49844, 46817, 46818, 46819: whoever may run a script can run any program"
_AUGUST = (
    "the releases of 2026-08-17: with TLS, CVE-2026-81934 may run any program; "
    "XREAD and XREADGROUP pass by the key rules of an ACL"
)
_SEPTEMBER = "the releases of 2026-09-17: a transaction keeps the rights that a user has just lost"
_REDIS_7_0 = "its branch has ended: CVE-2025-49844 and later are mended by distributions only (Debian does)"
_REDIS_8_0 = (
    "its branch has ended before CVE-2026-23479, 25243, 23631: use after free, RESTORE reads foreign memory"
)
_VALKEY_JULY = "CVE-2026-56684, 63639: with TLS, CLIENT KILL may run any program; so may a stream in RESTORE"
_VALKEY_DEBUGGER = "GHSA-fq2f-crmw-q97r: use after free in the debugger of scripts, without a password"

#: The worst first: the first that fits a version is told.
HOLES = (
    Hole("Redis", (7, 2), 11, "fail", _LUA),
    Hole("Redis", (7, 4), 6, "fail", _LUA),
    Hole("Redis", (8, 0), 4, "fail", _LUA),
    Hole("Redis", (8, 2), 2, "fail", _LUA),
    Hole("Valkey", (8, 0), 6, "fail", _LUA),
    Hole("Valkey", (8, 1), 4, "fail", _LUA),
    Hole("Redis", (7, 0), None, "warn", _REDIS_7_0),
    Hole("Redis", (7, 2), 16, "warn", _AUGUST),
    Hole("Redis", (7, 4), 11, "warn", _AUGUST),
    Hole("Redis", (8, 0), None, "warn", _REDIS_8_0),
    Hole("Redis", (8, 2), 9, "warn", _AUGUST),
    Hole("Redis", (8, 2), 10, "warn", _SEPTEMBER),
    Hole("Redis", (8, 4), 6, "warn", _AUGUST),
    Hole("Redis", (8, 6), 6, "warn", _AUGUST),
    Hole("Redis", (8, 6), 7, "warn", _SEPTEMBER),
    Hole("Redis", (8, 8), 2, "warn", _AUGUST),
    Hole("Redis", (8, 8), 3, "warn", _SEPTEMBER),
    Hole("Redis", (8, 10), 1, "warn", _AUGUST),
    Hole("Redis", (8, 10), 2, "warn", _SEPTEMBER),
    Hole("Valkey", (8, 0), 10, "warn", _VALKEY_JULY),
    Hole("Valkey", (8, 1), 9, "warn", _VALKEY_JULY),
    Hole("Valkey", (9, 0), 5, "warn", _VALKEY_JULY),
    Hole("Valkey", (9, 1), 1, "warn", _VALKEY_JULY),
    Hole("Valkey", (9, 1), 2, "warn", _VALKEY_DEBUGGER),
)

#: Branch of Valkey → its first patch release that takes a script which a power cut tore off its log whole
#: (valkey#4342). No release of Redis is known to.
_MENDS_TORN_SCRIPTS: dict[tuple[int, ...], int] = {(8, 0): 11, (8, 1): 10, (9, 0): 6, (9, 1): 2}


def age(server: str, version: str, oldest: tuple[int, ...]) -> Check:
    """Whether a version is one that flashsale is tested with."""
    wanted = ".".join(map(str, oldest))
    remedy = f"flashsale is tested from {wanted} on: upgrade it"
    return checked(server, version, remedy, holds=_numbers(version)[: len(oldest)] >= oldest)


def holes(server: str, version: str) -> Check:
    """Whether faults of a version of Redis or Valkey are known."""
    numbers = _numbers(version)
    for hole in HOLES:
        is_older = hole.fixed is None or numbers[2:3] < (hole.fixed,)
        if server == hole.server and numbers[:2] == hole.branch and is_older:
            branch = ".".join(map(str, hole.branch))
            newer = "a branch that is cared for" if hole.fixed is None else f"{branch}.{hole.fixed} or newer"
            return Check("known holes", hole.verdict, f"{version}: {hole.what}", f"upgrade it to {newer}")
    return Check("known holes", "ok", f"none of {server} {version} that this flashsale knows of")


def torn_scripts(server: str, version: str, *, is_rewritten: bool = False) -> Check:
    """Whether a script that a power cut tore can come back in part, at the second start after it.

    `is_rewritten`: the log was written anew since the server started.
    """
    numbers = _numbers(version)
    first = _MENDS_TORN_SCRIPTS.get(numbers[:2], 0)
    is_mended = server == "Valkey" and numbers[:2] >= min(_MENDS_TORN_SCRIPTS) and numbers[2:3] >= (first,)
    if is_rewritten and not is_mended:
        return Check(
            "log after a power cut", "ok", "it was written anew since Redis started: whole scripts only"
        )
    return checked(
        "log after a power cut",
        "whole scripts only" if is_mended else "a script that was torn may come back in part at the second start",
        "have the log written anew after each start (redis-rewrite.conf of `flashsale ops install`); if the machine "
        "crashed, call BGREWRITEAOF before the next start, and do not restart Redis for it (docs/runbook.md)",
        holds=is_mended, verdict="warn",
    )  # fmt: skip


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition(" ")[0]))
