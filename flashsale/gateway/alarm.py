"""One alarm of a connection, set anew with every request, and hardly ever rung."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls somebody when the time has come, unless it was set anew or off before.

    The timer beneath stays when a later time is set: it looks then whether it is time. So setting it costs next to
    nothing, where a timer of the event loop is put into a heap, and stays in it after it was cancelled.
    """

    __slots__ = ("_action", "_due_s", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self._action: Callable[[], object] | None = None

    def set(self, after_s: float, action: Callable[[], object]) -> None:
        """Call `action` after so long; whatever it was set to before is forgotten."""
        self._due_s, self._action = self._loop.time() + after_s, action
        if self._timer is None:
            self._timer = self._loop.call_at(self._due_s, self._look)
        elif self._timer.when() > self._due_s:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._due_s, self._look)

    def off(self) -> None:
        self._action = None

    def end(self) -> None:
        """Off for ever: nothing of it is left in the event loop."""
        self._action = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer, action = None, self._action
        if action is None:
            return
        if self._loop.time() < self._due_s:
            self._timer = self._loop.call_at(self._due_s, self._look)
            return
        self._action = None
        action()
