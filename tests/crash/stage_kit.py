"""Both servers behind proxies that cut one call, and commands that know nothing of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from tests.crash.calls_kit import Calls, Fault, counted
from tests.crash.cases import PLAN, Case
from tests.crash.world_kit import World
from tests.fixtures.nursery import Nursery
from tests.fixtures.processes import Background, Cli, Finished, passed_on
from tests.helpers import wait_until

#: The back-off of a daemon is at most 5 s.
DONE_TIMEOUT_S = 30
#: Longer than any timeout of a command, so that one that hangs is told from one that waits.
END_TIMEOUT_S = 40
#: A cursor of the server's whose `with` ends because its session was ended: closing it fails, and it stays as it is.
PSYCOPG_LEAVES_OPEN = "ignore:<psycopg.ServerCursor:ResourceWarning"


@dataclass
class Stage:
    """The servers, the commands, and what happens between them."""

    world: World
    cli: Cli
    calls: Calls

    def prepare(self, case: Case) -> None:
        """Have the state in which the command is run."""
        self.world.put_back(case.scene)
        if case.first:
            (self.cli.home / PLAN).unlink(missing_ok=True)
            self.calls.arm(None)
            self.cli.run(*case.first)
            self.world.settle()

    def run(self, case: Case, fault: Fault | None = None, at: int = 0) -> Finished:
        """Run the command; a daemon until its work is done."""
        self.calls.arm(fault, at)
        child = self.cli.start(*case.args)
        self.calls.victim.put(child.pid)
        if case.done is not None:
            wait_until(lambda: not child.is_running or self._is_done(case, child), DONE_TIMEOUT_S, case.name)
            child.send(signal.SIGTERM)
        finished = child.wait(END_TIMEOUT_S)
        self.cli.started.clear()  # hundreds
        self.world.settle()
        return finished

    def _is_done(self, case: Case, child: Background) -> bool:
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
        Nursery(passed_on(), "-W", "error", "-W", PSYCOPG_LEAVES_OPEN) as nursery,
        counted(redis_url, url) as (calls, to_redis, to_postgres),
    ):
        world = World(redis_url, raw, admin, url, schema)
        cli = Cli(home, nursery=nursery)
        cli.env |= {"FLASHSALE_REDIS_URL": to_redis.url, "FLASHSALE_POSTGRES_URL": to_postgres.url}
        yield Stage(world, cli, calls)
        for child in cli.started:  # none, unless one did not end
            child.clean_up()
        world.drop()
