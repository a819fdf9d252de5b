"""The gate of a daemon: on servers that lose orders, or take none, it does not begin. A Redis that becomes one is told.

Told, and not left: while a projector stands still, more orders are in that Redis alone, and while a sweeper does,
nothing is sold again. What Redis has lost needs no look: positions prove it, and halt the sale.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from flashsale.doctor import postgres, redis
from flashsale.doctor.check import Check
from flashsale.doctor.durability import durability
from flashsale.errors import RefusedByState, Unreachable
from flashsale.projections.database import Connection
from flashsale.stream import Log

log = structlog.get_logger(__name__)

#: How often Redis is looked at again: one INFO and a few settings.
LOOK_EVERY_S = 60.0


class Gate:
    """A daemon's step, behind a look at the servers that comes before the first one.

    The look is repeated until both servers have answered. From then on Redis is looked at again every `look_every_s`,
    unless this user may not ask it: what Redis refuses stays in ACL LOG, among intruders.
    """

    def __init__(
        self,
        step: Callable[[], object],
        open_log: Callable[[], Log],
        open_connection: Callable[[], Connection],
        *,
        accepts_unsafe: bool,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._step, self._open_log, self._open_connection = step, open_log, open_connection
        self._accepts_unsafe, self._look_every_s = accepts_unsafe, look_every_s
        #: when Redis is looked at again, by the monotonic clock; None: nothing has been looked at yet
        self._next_look_s: float | None = None
        self._may_ask = True
        #: name → what was told of it last
        self._told: dict[str, Check] = {}

    def step(self) -> None:
        """One step. Raises `RefusedByState` for unfit servers, `Unreachable` while one of them is away."""
        if self._next_look_s is None:
            self._look()
        elif time.monotonic() >= self._next_look_s:
            self._look_again()
        self._step()

    def _look(self) -> None:
        found = [*self._redis(), *self._postgres()]
        fatal = [check for check in found if check.verdict == "fail"]
        if fatal and not self._accepts_unsafe:
            raise RefusedByState(
                f"{'; '.join(map(_sentence, fatal))} "
                "(see `flashsale doctor`; --accept-unsafe-servers runs all the same)"
            )
        self._tell(found)
        self._next_look_s = time.monotonic() + self._look_every_s if self._may_ask else math.inf

    def _look_again(self) -> None:
        """At Redis alone: a Postgres that became unfit says so itself, and a silent one must not delay a sweeper."""
        self._next_look_s = time.monotonic() + self._look_every_s
        with suppress(Unreachable):  # the step meets it, too, and says so
            self._tell(self._redis())

    def _redis(self) -> list[Check]:
        with self._open_log() as reader:
            info = reader.server()
            self._may_ask = bool(info)
            found = list(redis.essentials(reader, info, durability(reader, info)))
        # A disk that is full now is no reason not to apply what the log holds.
        return [check for check in found if check.name != redis.LAST_WRITE]

    def _postgres(self) -> list[Check]:
        with self._open_connection() as connection:
            return list(postgres.essentials(connection, postgres.server_of(connection)))

    def _tell(self, found: list[Check]) -> None:
        """Log what is wrong, and what no longer is, once each."""
        for check in found:
            before, self._told[check.name] = self._told.get(check.name), check
            if check == before or (check.verdict == "ok" and before is None):
                continue
            if check.verdict == "ok":
                log.info(_sentence(check), action="server_fit", check=check.name)
            elif check.verdict != "fail":
                log.warning(_sentence(check), action="server_doubtful", check=check.name)
            elif self._accepts_unsafe:
                log.warning(_sentence(check), action="server_unsafe", check=check.name)
            else:
                log.error(_sentence(check), action="server_unsafe", check=check.name)


def _sentence(check: Check) -> str:
    return ": ".join(filter(None, (check.name, check.found, check.remedy)))
