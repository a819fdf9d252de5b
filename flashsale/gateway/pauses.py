"""What may hold up everybody: the garbage collector, and a thread that has the interpreter."""

from __future__ import annotations

import gc
import sys

#: Objects made and kept before the youngest are looked at, and how often until those that stayed are, too.
#: A request keeps nothing, so these grow with connections and tables, not with requests.
YOUNG_OBJECTS, ROUNDS, OLD_ROUNDS = 10_000, 4, 10
#: How long a thread that computes keeps the interpreter, each time that the event loop let go of it to send an answer.
#: Python's own are 5 ms, and a crowd has hundreds of answers.
SWITCH_S = 0.000_5


def pause_rarely() -> None:
    """Once, when a process is about to serve: what it consists of is never looked at again, the rest rarely.

    Python's own settings look at everything as soon as a quarter more is there: with 2,000 feeds open, that held up
    every request for 60 to 210 ms, several times in each second of a rush.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, ROUNDS, OLD_ROUNDS)
