"""The gate of a daemon: on servers that lose orders, or take none, it does not begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog

from flashsale.doctor import postgres, redis
from flashsale.doctor.check import Check
from flashsale.doctor.durability import durability
from flashsale.errors import RefusedByState
from flashsale.projections.database import Connection
from flashsale.stream import Log

log = structlog.get_logger(__name__)


class Gate:
    """A daemon's step, behind a look at the servers that comes before the first one.

    The look is repeated until both servers have answered; what they become later is for `doctor`.
    """

    def __init__(
        self,
        step: Callable[[], object],
        open_log: Callable[[], Log],
        open_connection: Callable[[], Connection],
        *,
        accepts_unsafe: bool,
    ) -> None:
        self._step, self._open_log, self._open_connection = step, open_log, open_connection
        self._accepts_unsafe = accepts_unsafe
        self._is_open = False

    def step(self) -> None:
        """One step. Raises `RefusedByState` for unfit servers, `Unreachable` while one of them is away."""
        if not self._is_open:
            self._look()
            self._is_open = True
        self._step()

    def _look(self) -> None:
        fatal: list[Check] = []
        for check in self._essentials():
            if check.verdict == "fail":
                fatal.append(check)
            elif check.verdict != "ok":
                log.warning(_told(check), action="server_doubtful", check=check.name)
        if fatal and not self._accepts_unsafe:
            raise RefusedByState(
                f"{'; '.join(map(_told, fatal))} (see `flashsale doctor`; --accept-unsafe-servers runs all the same)"
            )
        for check in fatal:
            log.warning(_told(check), action="server_unsafe", check=check.name)

    def _essentials(self) -> Iterator[Check]:
        with self._open_log() as reader:
            info = reader.server()
            found = list(redis.essentials(reader, info, durability(reader, info)))
        # A disk that is full now is no reason not to apply what the log holds.
        yield from (check for check in found if check.name != redis.LAST_WRITE)
        with self._open_connection() as connection:
            yield from postgres.essentials(connection, postgres.server_of(connection))


def _told(check: Check) -> str:
    return f"{check.name}: {check.found}: {check.remedy}"
