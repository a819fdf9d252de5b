"""The development servers of one data directory, as commands see them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from flashsale.errors import Unreachable
from flashsale.servers import location
from flashsale.servers.account import server_account
from flashsale.servers.location import Place
from flashsale.servers.lock import exclusive
from flashsale.servers.postgres import Postgres
from flashsale.servers.redis import Redis
from flashsale.servers.server import Server, start, stop, wait_until_ready


class Urls(NamedTuple):
    """Where the servers are, whether they run or not."""

    #: `unix:///…/redis.sock`
    redis_url: str
    #: `postgresql:///flashsale?host=/…&port=5432&user=flashsale`
    postgres_url: str


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """One server, as it is now."""

    #: "redis" or "postgres"
    name: str
    #: there is a process; it may still be starting
    running: bool
    #: None also while it is being started
    pid: int | None
    #: of the server that runs or ran last; "" before the first start
    version: str
    data_dir: Path
    socket: Path
    log_file: Path


class DevServers:
    """A Redis and a Postgres below `data_dir`. They are started on demand and stay until they are stopped.

    Any process of the same user that names the same directory controls the same two servers; several may do so at once.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        redis_binary: Path | None = None,
        postgres_bin_dir: Path | None = None,
        durable: bool = True,
    ) -> None:
        # One spelling for one directory: names of other directories are made from it.
        self._data_dir = Path(os.path.realpath(data_dir))
        self._redis_binary = redis_binary
        self._postgres_bin_dir = postgres_bin_dir
        self._durable = durable

    def up(self, names: Collection[str] = ("redis", "postgres")) -> Urls:
        """Start what does not run of the named servers, and wait until they work.

        Raises `Unreachable` when one cannot be started, `BadInput` for a directory or a user that cannot be used, and
        `RefusedByState` for data that this version cannot read or that belongs to another user. What did start, stays.
        """
        account = server_account()
        made: list[bool] = []

        def prepare() -> bool:
            made.append(location.prepare(self._data_dir, account))
            return True

        with self._explained("started"), exclusive(self._data_dir / location.LOCK, prepare):
            place = location.locate(self._data_dir, account)
            place.make(made_data_dir=any(made))
            servers = self._servers(place)
            started = [(server, start(server)) for server in servers if server.name in names]
            for server, is_new in started:
                wait_until_ready(server, started=is_new)
            return Urls(*(server.url for server in servers))

    def down(self) -> list[str]:
        """Stop what runs, in an orderly way if that is possible. Returns the names of the servers stopped."""
        with self._existing("stopped") as place:
            return stop(self._servers(place)) if place else []

    def status(self) -> list[ServerStatus]:
        """What runs, and where. Waits for nobody."""
        with self._explained("looked at"):
            return [_status(server) for server in self._servers(self._located())]

    def urls(self) -> Urls:
        """Where the servers are, or will be. Starts nothing."""
        with self._explained("looked at"):
            return Urls(*(server.url for server in self._servers(self._located())))

    def destroy(self) -> None:
        """Stop the servers and remove their data. Files that this module did not make stay."""
        with self._existing("removed") as place:
            if place:
                stop(self._servers(place))
                place.remove()

    def _located(self) -> Place:
        return location.locate(self._data_dir, server_account())

    def _servers(self, place: Place) -> tuple[Server, Server]:
        return (
            Redis(place, self._redis_binary),
            Postgres(place, self._postgres_bin_dir, durable=self._durable),
        )

    @contextlib.contextmanager
    def _existing(self, done: str) -> Iterator[Place | None]:
        """The place, locked; None when there is none, and then nothing is made."""

        def is_there() -> bool:
            return location.recorded_root(self._data_dir) is not None

        # Asked again under the lock: another process may have removed it while this one waited.
        with self._explained(done), exclusive(self._data_dir / location.LOCK, is_there) as locked:
            yield self._located() if locked and is_there() else None

    @contextlib.contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            where = f" ({exc.filename})" if exc.filename else ""
            raise Unreachable(
                f"The servers in {self._data_dir} cannot be {done}: {exc.strerror or exc}{where}."
            ) from exc
        except subprocess.SubprocessError as exc:
            raise Unreachable(f"The servers in {self._data_dir} cannot be {done}: {exc}.") from exc


def _status(server: Server) -> ServerStatus:
    now, last = server.process.identity(), server.process.last_identity()
    return ServerStatus(
        name=server.name,
        running=now is not None or server.process.is_alive(),
        pid=now.pid if now else None,
        version=last.version if last else "",
        data_dir=server.data_dir,
        socket=server.socket,
        log_file=server.process.log_file,
    )
