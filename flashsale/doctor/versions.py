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


_LUA = "CVE-2025-49844, 46817, 46818, 46819: whoever may run a script can run any program"
_XREAD = "the releases of 2026-08-17: XREAD and XREADGROUP pass by the key rules of an ACL"
_RESTORE = "the releases of July 2026: a stream in RESTORE can run any program"
_VALKEY_MAY = "CVE-2026-23479, 23631, 25243: use after free, RESTORE reads foreign memory"
_VALKEY_JULY = "CVE-2026-56684, 63639"
_ENDED = "its branch has ended: CVE-2025-49844 and later are mended by distributions only (Debian does)"

#: The worst first: the first that fits a version is told.
HOLES = (
    Hole("Redis", (7, 2), 11, "fail", _LUA),
    Hole("Redis", (7, 4), 6, "fail", _LUA),
    Hole("Redis", (8, 0), 4, "fail", _LUA),
    Hole("Redis", (8, 2), 2, "fail", _LUA),
    Hole("Valkey", (8, 0), 6, "fail", _LUA),
    Hole("Valkey", (8, 1), 4, "fail", _LUA),
    Hole("Redis", (7, 0), None, "warn", _ENDED),
    Hole("Redis", (7, 2), 16, "warn", _XREAD),
    Hole("Redis", (7, 4), 11, "warn", _XREAD),
    Hole("Redis", (8, 2), 8, "warn", _RESTORE),
    Hole("Redis", (8, 4), 5, "warn", _RESTORE),
    Hole("Redis", (8, 6), 6, "warn", _XREAD),
    Hole("Redis", (8, 8), 2, "warn", _XREAD),
    Hole("Valkey", (8, 0), 9, "warn", _VALKEY_MAY),
    Hole("Valkey", (8, 1), 7, "warn", _VALKEY_MAY),
    Hole("Valkey", (9, 0), 5, "warn", _VALKEY_JULY),
    Hole("Valkey", (9, 1), 1, "warn", _VALKEY_JULY),
)


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


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition(" ")[0]))
