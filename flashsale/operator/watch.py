"""Look at everything every two seconds, in a thread of its own: whoever asks is shown the newest look, from memory."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import structlog

from flashsale import overview
from flashsale.errors import FlashsaleError
from flashsale.looking import Look, look_again_and_again
from flashsale.operator.scene import Scene, take
from flashsale.overview import Overview
from flashsale.shop import Shop

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 2.0
#: Looks that the chart shows: ten minutes.
POINTS_MAX = 300


class Point(NamedTuple):
    """One look in the chart: events a second since the look before."""

    #: Unix time
    at_s: float
    #: decided by Redis
    decided: float
    #: applied to Postgres
    applied: float


class Seen(NamedTuple):
    """What is known now."""

    #: None before the first look
    look: Look[Scene] | None
    #: age of what was seen, seconds
    age_s: float
    #: why there is no newer one; "" while all is well
    away: str
    points: list[Point]

    @property
    def scene(self) -> Scene | None:
        return self.look.seen if self.look else None

    @property
    def overviews(self) -> Look[Overview] | None:
        """The look, as `flashsale.overview` takes it."""
        if self.look is None:
            return None
        before = self.look.before
        return Look(self.look.seen.overview, before.overview if before else None, self.away)


class _Stopped(Exception):
    """Whoever looks is asked to leave."""


class Watch:
    """One thread looks; any number may read."""

    def __init__(self, connected: Callable[[], AbstractContextManager[Shop]]) -> None:
        self._connected = connected
        self._stop = threading.Event()
        self._look: Look[Scene] | None = None
        self._looked_s = time.monotonic()
        self._away = ""
        self._points: deque[Point] = deque(maxlen=POINTS_MAX)

    def start(self) -> None:
        threading.Thread(target=self._run, name="operator-watch", daemon=True).start()

    def stop(self) -> None:
        """It ends after the look under way; nobody waits for it."""
        self._stop.set()

    def seen(self) -> Seen:
        """What is known now."""
        return Seen(self._look, time.monotonic() - self._looked_s, self._away, list(self._points))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                for look in look_again_and_again(
                    self._connected, take, None, round(LOOK_EVERY_S * 1000), self._wait
                ):
                    self._saw(look)
            except _Stopped:
                return
            except FlashsaleError as error:  # away at the first look, or a log that nobody can read
                self._lost(str(error))
            except Exception as error:  # the page outlives what nobody thought of, and says so
                log.exception("the look failed", action="operator_look_failed")
                self._lost(f"the look failed: {error}")
            self._stop.wait(LOOK_EVERY_S)

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped

    def _saw(self, look: Look[Scene]) -> None:
        if look.away:
            self._lost(look.away)
            return
        self._look, self._looked_s, self._away = look, time.monotonic(), ""
        if look.before is not None:
            self._points.append(_point(look))

    def _lost(self, why: str) -> None:
        self._away = why


def _point(look: Look[Scene]) -> Point:
    assert look.before is not None
    before, seen = look.before.overview, look.seen.overview
    both = [sale for sale in seen.sales if sale in before.sales]
    as_overview = Look(seen, before)
    decided = sum(overview.rate(as_overview, sale) or 0.0 for sale in both)
    applied = sum(overview.applied_rate(as_overview, sale) for sale in both)
    return Point(time.time(), round(decided, 1), round(applied, 1))
