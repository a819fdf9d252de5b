"""Run a step over and over: signals end it between two steps, errors that pass slow it down, nothing else stops it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType

import structlog

from flashsale.errors import OtherShop, Unreachable
from flashsale.notify import Notifier

log = structlog.get_logger(__name__)

#: Waits between attempts grow from the first to the last, each drawn at random from the half up: no thundering herd.
BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 5.0
assert BACKOFF_FIRST_S < BACKOFF_LAST_S


class Daemon:
    """The loop around one daemon. SIGTERM and SIGINT let the step under way finish."""

    def __init__(self, name: str) -> None:
        self.name = name
        #: turns of the work that came to their end
        self.turns = 0
        #: when the last one did, Unix time; None before the first
        self.last_turn_s: float | None = None
        #: turns that a server which was away ended, by its name
        self.errors = {"redis": 0, "postgres": 0, "other": 0}
        self._stopping = False
        # Not an Event: a handler that sets one, while the same thread is within its `wait`, waits for itself for ever.
        # Putting something into a SimpleQueue is promised to be safe there.
        self._wake_up: SimpleQueue[None] = SimpleQueue()
        self._signal: int | None = None
        self._notifier = Notifier(os.environ)

    def wait(self, seconds: float) -> bool:
        """Sleep; returns early, and True, when the daemon is asked to stop."""
        if not self._stopping:
            with suppress(Empty):
                self._wake_up.get(timeout=max(0.0, seconds))
        return self._stopping

    def stop(self) -> None:
        """Let the loop end after the step under way. Twice is harmless."""
        self._stopping = True
        self._wake_up.put(None)

    def run(self, step: Callable[[], object], close: Callable[[], None]) -> int:
        """Call `step` until a signal; returns the exit code: 0 after SIGTERM, 130 after SIGINT (Ctrl-C).

        `Unreachable` is waited out for ever, but `OtherShop` ends the loop as any other exception does: `close` runs in
        every case. A service manager is told of the start, of each turn that came to its end, and of the stop.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        log.info("started", action="daemon_started", daemon=self.name)
        # Before the first turn: a server that is still away is waited out in the loop, not by starting over and over.
        self._notifier.ready()
        backoff_s = BACKOFF_FIRST_S
        try:
            while not self._stopping:
                try:
                    step()
                except OtherShop:
                    raise  # a wrong URL does not become right by waiting
                except Unreachable as error:
                    self.errors[_server_of(error)] += 1
                    log.warning(
                        str(error), action="daemon_degraded", daemon=self.name, retry_s=round(backoff_s, 1)
                    )
                    self.wait(random.uniform(backoff_s / 2, backoff_s))  # noqa: S311  # jitter, no secret
                    backoff_s = min(backoff_s * 2, BACKOFF_LAST_S)
                    # It is alive: a restart would not bring the server back.
                    self._notifier.alive(f"waiting: {error}")
                else:
                    self.turns, self.last_turn_s = self.turns + 1, time.time()
                    backoff_s = BACKOFF_FIRST_S
                    self._notifier.alive("at work")
        finally:
            self._notifier.stopping()
            close()
        log.info("stopped", action="daemon_stopped", daemon=self.name)
        return 130 if self._signal == signal.SIGINT else 0

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        self.stop()


def _server_of(error: Unreachable) -> str:
    """Which server is away; such a sentence begins with its name."""
    name = str(error).partition(" ")[0].rstrip(":").lower()
    return name if name in {"redis", "postgres"} else "other"
