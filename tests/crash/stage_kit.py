"""Both servers behind proxies that cut one call, and commands that know nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from tests.crash.calls_kit import Calls, Fault, counted
from tests.crash.cases import PLAN, Case
from tests.crash.commands_kit import Child, Nursery
from tests.crash.world_kit import World
from tests.fixtures.processes import Finished
from tests.helpers import wait_until

#: The back-off of a daemon is at most 5 s.
DONE_TIMEOUT_S = 30


@dataclass
class Stage:
    """The servers, the commands, and what happens between them."""

    world: World
    nursery: Nursery
    calls: Calls

    def prepare(self, case: Case) -> None:
        """Have the state in which the command is run."""
        self.world.put_back(case.scene)
        if case.first:
            (self.nursery.home / PLAN).unlink(missing_ok=True)
            self.calls.arm(None)
            self.nursery.run(*case.first)
            self.world.settle()

    def run(self, case: Case, fault: Fault | None = None, at: int = 0) -> Finished:
        """Run the command; a daemon until its work is done."""
        self.calls.arm(fault, at)
        child = self.nursery.start(*case.args)
        self.calls.victim.put(child.pid)
        if case.done is not None:
            wait_until(lambda: child.has_ended() or self._is_done(case, child), DONE_TIMEOUT_S, case.name)
            if not child.has_ended():
                child.terminate()
        finished = child.wait()
        self.world.settle()
        return finished

    def _is_done(self, case: Case, child: Child) -> bool:
        """Whether a daemon listens to signals, and has nothing left to do."""
        return "daemon_started" in child.stderr and case.done is not None and case.done(self.world.side)


@contextmanager
def open_stage(redis_url: str, postgres_url: str, schema: str, home: Path) -> Iterator[Stage]:
    """A stage on servers of the tests; `schema` names a database to copy."""
    head, mark, query = postgres_url.partition("?")
    url = f"{head.rpartition('/')[0]}/{schema}_crash{mark}{query}"
    with (
        redis.Redis.from_url(redis_url) as raw,
        psycopg.connect(postgres_url, autocommit=True) as admin,
        Nursery(home) as nursery,
        counted(redis_url, url) as (calls, to_redis, to_postgres),
    ):
        world = World(redis_url, raw, admin, url, schema)
        nursery.env |= {"FLASHSALE_REDIS_URL": to_redis.url, "FLASHSALE_POSTGRES_URL": to_postgres.url}
        yield Stage(world, nursery, calls)
        world.drop()
