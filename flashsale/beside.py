"""Read something in a thread that keeps no process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def beside(read: Callable[[], T], name: str) -> Future[T]:
    """Start `read` in a thread of that name. A server that hangs leaves the thread behind, and nobody waits for it."""
    future: Future[T] = Future()
    # It cannot be cancelled: whoever no longer waits must not make a fault of its end.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(read())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
