"""Keep Postgres from answering for half a second, again and again: what a disk or a neighbour may do to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flashsale.beside import beside
from flashsale.errors import FlashsaleError, Unreachable
from flashsale.projections.database import connect

#: Of each turn: whoever needs the table waits for so long, then goes on.
SHUT_S, FREE_S = 0.5, 0.05
#: What projector and gateway both read all the time. One table: two would be taken in another order somewhere.
_LOCK = "LOCK TABLE checkpoint IN ACCESS EXCLUSIVE MODE"


@contextmanager
def slow_postgres(url: str, begin_s: float, end_s: float) -> Iterator[None]:
    """From `begin_s` to `end_s` after now, beside what is done within. Raises what went wrong with it."""
    leave = threading.Event()

    def run() -> None:
        if leave.wait(begin_s):
            return
        with connect(url, name="loadtest-slow") as connection:
            for _ in range(max(1, round((end_s - begin_s) / (SHUT_S + FREE_S)))):
                with connection.transaction():
                    connection.execute(_LOCK)
                    leave.wait(SHUT_S)
                if leave.wait(FREE_S):
                    return

    running = beside(run, "loadtest-slow-postgres")
    try:
        yield
    finally:
        leave.set()
    try:
        running.result(SHUT_S + 30)
    except FlashsaleError:
        raise
    except Exception as error:
        raise Unreachable(f"Postgres could not be slowed down: {error}") from error
