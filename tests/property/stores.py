"""The servers of the whole sale: they may be killed, their clock may be moved, a projector's lines to them may be cut.

stores.slots["p0"].step(Failpoint.COMMITTED_UNACKNOWLEDGED, dies=True)  # and the process is gone, in the middle of it
stores.kill("redis")                                                    # kill -9
"""

from __future__ import annotations

import math
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from flashsale.projections.projector import Projector
from flashsale.servers import DevServers
from tests.fixtures.clock import Clock
from tests.fixtures.own_servers import kill, own_servers
from tests.fixtures.places import server_home
from tests.fixtures.proxy import Behaviour, Mode, Proxy
from tests.fixtures.read_side import ReadSide, open_read_side, step_through

#: What ends each server with no time for farewells; Postgres's children need a word.
KILL = {"redis": signal.SIGKILL, "postgres": signal.SIGQUIT}


class Failpoint(Enum):
    """A place in a projector's work: the server, what happens to the request with this word, and the word."""

    GROUP_MADE_UNHEARD = ("redis", Mode.CUT_REPLY, b"XGROUP")
    CLAIMED_UNHEARD = ("redis", Mode.CUT_REPLY, b"XCLAIM")
    DELIVERED_UNHEARD = ("redis", Mode.CUT_REPLY, b"XREADGROUP")
    READ_UNWRITTEN = ("postgres", Mode.RESET, b"BEGIN")
    WRITTEN_UNCOMMITTED = ("postgres", Mode.RESET, b"COMMIT")
    COMMITTED_UNHEARD = ("postgres", Mode.CUT_REPLY, b"COMMIT")
    COMMITTED_UNACKNOWLEDGED = ("redis", Mode.RESET, b"XACK")
    ACKNOWLEDGED_UNHEARD = ("redis", Mode.CUT_REPLY, b"XACK")


class Line(Proxy):
    """A projector's way to one server; `on_met` is called, before anything else, when a request meets a mode."""

    on_met: Callable[[], object] | None = None

    def meet(self, request: bytes | None) -> Behaviour:
        found = super().meet(request)
        if found.mode is not Mode.PASS and request is not None and self.on_met is not None:
            self.on_met()
        return found


@dataclass
class Slot:
    """One projector after the other under one name, each with lines of its own."""

    name: str
    lines: dict[str, Line]
    bites: Counter[str]
    batch_max: int = 1_000
    projector: Projector | None = None

    def step(
        self,
        failpoint: Failpoint | None = None,
        *,
        dies: bool = False,
        kill: Callable[[], object] | None = None,
    ) -> int:
        """One step; returns the number of events applied. At the failpoint a request or a reply is lost, once.

        `dies`: and in this moment the process is gone: nothing that it says later is heard, by neither server. `kill`
        is called in this moment.
        """
        if failpoint is None:
            return step_through(self._running())
        server, mode, word = failpoint.value
        line, met = self.lines[server], []

        def on_met() -> None:
            met.append(failpoint)
            line.on_met = None
            if kill is not None:
                kill()
            if dies:
                for other in self.lines.values():
                    other.behave(Mode.RESET)

        line.on_met = on_met
        line.behave(mode, when=word, times=1)
        applied = step_through(self._running())
        line.on_met = None
        if met:
            self.bites[f"{failpoint.name}{', dies' if dies else ''}"] += 1
        if met and dies:
            self.end()
        for other in self.lines.values():
            other.heal()
        return applied

    def freeze(self) -> None:
        """The process is stopped right behind a heartbeat; when it goes on, its next act is a batch."""
        if self.projector is not None:
            self.projector._next_heartbeat = math.inf  # noqa: SLF001 - only a debugger stops a process so exactly

    def end(self) -> None:
        """The process ends, as far as its lines allow in an orderly way; the next step is that of a new one."""
        if self.projector is not None:
            self.projector.close()
        self.projector = None

    def _running(self) -> Projector:
        if self.projector is None:
            urls = (self.lines["redis"].url, self.lines["postgres"].url)
            self.projector = Projector(*urls, self.name, batch_max=self.batch_max, wait=lambda _: None)
        return self.projector


@dataclass
class Stores:
    """Redis and Postgres, what reads and writes there, and two projectors."""

    servers: DevServers
    clock: Clock | None
    slots: dict[str, Slot]
    #: how often each fault was met
    bites: Counter[str] = field(default_factory=Counter)
    _opened: ExitStack = field(default_factory=ExitStack)
    _side: ReadSide | None = None

    @property
    def side(self) -> ReadSide:
        """Connections that work; new ones after a restart."""
        if self._side is None:
            self._side = self._opened.enter_context(open_read_side(*self.servers.urls()))
        return self._side

    def close(self) -> None:
        """End the projectors and close the connections."""
        for slot in self.slots.values():
            slot.end()
        self._disconnect()

    def kill(self, name: str) -> None:
        """`kill -9` of Redis; Postgres's immediate stop."""
        kill(self.servers, name, KILL[name])
        self._disconnect()
        self.bites[f"{name} killed"] += 1

    def _disconnect(self) -> None:
        self._side = None
        self._opened.close()


@contextmanager
def open_stores(
    redis_program: Path, redis_binary: Path | None, postgres_bin_dir: Path | None
) -> Iterator[Stores]:
    """Both servers; Redis with a clock that can be moved, if one can be built."""
    with server_home() as home, ExitStack() as lines:
        clock = Clock.of(redis_program, home)
        servers = lines.enter_context(own_servers(clock.program if clock else redis_binary, postgres_bin_dir))
        urls = servers.urls()._asdict()
        bites: Counter[str] = Counter()

        def slot(name: str) -> Slot:
            both = {n: lines.enter_context(Line(urls[f"{n}_url"])) for n in ("redis", "postgres")}
            return Slot(name, both, bites)

        stores = Stores(servers, clock, {name: slot(name) for name in ("p0", "p1")}, bites)
        try:
            yield stores
        finally:
            stores.close()
