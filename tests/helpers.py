"""What tests of every kind share."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_INTERVAL_S = 0.01


def wait_until(predicate: Callable[[], object], timeout_s: float = 10, description: str = "") -> None:
    """Return as soon as `predicate()` is true; fail, naming what never came true, after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() >= deadline_s:
            name = getattr(predicate, "__name__", "the condition")
            raise AssertionError(f"not true within {timeout_s} s: {description or name}")
        time.sleep(POLL_INTERVAL_S)


@contextmanager
def meanwhile(stop: threading.Event, *works: Callable[[], None]) -> Iterator[None]:
    """Run each in a thread of its own; at the end of the block `stop` is set, and they are waited for."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def free_port() -> int:
    """A port where nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
