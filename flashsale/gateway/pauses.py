"""What the garbage collector may hold up: while it looks at everything, nobody is answered."""

from __future__ import annotations

import gc

#: Objects made and kept before the youngest are looked at, and how often until those that stayed are, too.
#: A request keeps nothing, so these grow with connections and tables, not with requests.
YOUNG_OBJECTS, ROUNDS, OLD_ROUNDS = 10_000, 4, 10


def collect_rarely() -> None:
    """Once, when a process is about to serve: what it consists of is never looked at again, the rest rarely.

    Python's own settings look at everything as soon as a quarter more is there: with 2,000 feeds open, that held up
    every request for 60 to 210 ms, several times in each second of a rush.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, ROUNDS, OLD_ROUNDS)
