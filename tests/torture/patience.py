"""Waiting, in a world where every server may be away at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import redis

from flashsale.errors import Unreachable
from tests.helpers import wait_until

#: What a server that is away, or is on its way back, answers with.
AWAY = (redis.RedisError, psycopg.Error, Unreachable, OSError)


def pause(seconds: float) -> None:
    """Let the fault last."""
    threading.Event().wait(seconds)


def came_true(predicate: Callable[[], object], timeout_s: float) -> bool:
    """Whether `predicate()` came true in that time; a server that is away is not yet true."""

    def holds() -> bool:
        try:
            return bool(predicate())
        except AWAY:
            pause(0.1)
            return False

    try:
        wait_until(holds, timeout_s)
    except AssertionError:
        return False
    return True
