"""All checks in one go, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from flashsale.doctor import postgres, redis
from flashsale.doctor.check import Check
from flashsale.doctor.durability import UNKNOWN, Level, durability
from flashsale.doctor.passwords import passwords
from flashsale.doctor.redis_access import access
from flashsale.doctor.sales import sales
from flashsale.errors import FlashsaleError, Halted, OtherShop, RefusedByState, Unreachable
from flashsale.projections.database import Connection
from flashsale.stream import Log


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


def examine(
    open_log: Callable[[], Log],
    open_connection: Callable[[], Connection],
    secret_files: Mapping[str, Path] | None = None,
    replicas: int = 0,
) -> Report:
    """Look at both servers; what cannot be reached is a finding, too.

    `secret_files`: setting → the file that holds it, with a password. `replicas`: the setting of that name.
    """
    checks: list[Check] = []
    level = UNKNOWN
    try:
        with open_log() as log:
            info = log.server()
            level = durability(log, info, replicas)
            checks.extend(redis.essentials(log, info, level))
            checks.extend(redis.advice(log, info, replicas))
            checks.extend(access(log))
    except FlashsaleError as error:
        checks.append(_unreachable("Redis", error, "FLASHSALE_REDIS_URL"))
    try:
        with open_connection() as connection:
            server = postgres.server_of(connection)
            checks.extend(postgres.essentials(connection, server))
            checks.extend(postgres.advice(connection, server))
    except FlashsaleError as error:
        checks.append(_unreachable("Postgres", error, "FLASHSALE_POSTGRES_URL"))
    checks.extend(passwords(secret_files or {}))
    if _may_look_at_sales(checks):
        try:
            with open_log() as log, open_connection() as connection:
                checks.extend(sales(log, connection))
        except FlashsaleError as error:  # it went away between two looks, and says itself which it is
            if not isinstance(error, Unreachable):
                raise
            remedy = "`flashsale config show`" if isinstance(error, OtherShop) else "look again"
            checks.append(Check("sales", "unreachable", str(error), remedy))
    return Report(checks, level)


def _may_look_at_sales(checks: list[Check]) -> bool:
    has_schema = any(check.name == "schema" and check.verdict == "ok" for check in checks)
    return has_schema and all(check.verdict != "unreachable" for check in checks)


def _unreachable(server: str, error: FlashsaleError, variable: str) -> Check:
    if not isinstance(error, Unreachable):
        raise error
    return Check(server, "unreachable", str(error), f"start it, or set {variable}")
