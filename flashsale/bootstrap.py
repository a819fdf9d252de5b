"""The composition root: from settings to connected parts. Nothing below it knows where a URL came from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from flashsale.errors import BadInput
from flashsale.servers import DevServers, Urls, default_data_dir
from flashsale.settings import TABLE

if TYPE_CHECKING:
    # Imported where they are used: `flashsale --version` must not pay for redis and psycopg.
    from flashsale.client import AsyncClient, Client, Fences
    from flashsale.daemon import Daemon
    from flashsale.metrics.looks import Looks
    from flashsale.projections.database import Connection
    from flashsale.projections.projector import Projector
    from flashsale.settings import Settings
    from flashsale.shop import Shop
    from flashsale.stream import Fence, Log, ShardId
    from flashsale.sweeper import Sweeper


class Promise(TypedDict):
    """Arguments that every client takes."""

    timeout_ms: int
    replicas: int


class Parts:
    """Makes what a command needs, from its settings. Development servers start when a URL is missing."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._urls: Urls | None = None

    @property
    def data_dir(self) -> Path:
        """Where the development servers live."""
        given = self.settings.data_dir
        return Path(given).expanduser() if given else default_data_dir(os.environ)

    @property
    def dev_servers(self) -> DevServers:
        return DevServers(self.data_dir)

    @property
    def uses_dev_redis(self) -> bool:
        return self.settings.redis_url is None

    @property
    def uses_dev_postgres(self) -> bool:
        return self.settings.postgres_url is None

    def urls(self) -> Urls:
        """Where both servers are. A server that is configured wins: only what is missing is started.

        Raises `BadInput` for what is missing when the settings want no private servers.
        """
        from flashsale import tls_files

        if self._urls is None:
            redis_url, postgres_url = self.settings.redis_url, self.settings.postgres_url
            tls_files.check("redis_url", redis_url)
            tls_files.check("postgres_url", postgres_url)
            if redis_url is None or postgres_url is None:
                configured = {"redis": redis_url, "postgres": postgres_url}
                missing = [name for name, url in configured.items() if url is None]
                if self.settings.private_servers == "refuse":
                    raise _unset(f"{missing[0]}_url")
                private = self.dev_servers.up(missing)
                redis_url = redis_url or private.redis_url
                postgres_url = postgres_url or private.postgres_url
                if self.uses_dev_postgres:
                    self._migrate_private(postgres_url)
            self._urls = Urls(redis_url, postgres_url)
        return self._urls

    def postgres(self, *, checked: bool = True) -> Connection:
        """A connection to Postgres. `checked`: the schema must be the one this code knows."""
        from flashsale.projections.database import connect
        from flashsale.projections.migrate import check_schema

        connection = connect(self.urls().postgres_url)
        if checked:
            try:
                check_schema(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def fences(self) -> Fences:
        """The positions that Postgres knows of: a Redis behind them lost its log, or its tail, and must not sell."""
        from flashsale.client import Fences
        from flashsale.projections import catalog

        fences = Fences()
        with self.postgres() as connection:
            for shard, fence in catalog.known_logs(connection).items():
                fences.saw(*shard, *fence)
        return fences

    def client(self, by: str) -> Client:
        from flashsale.client import Client

        return Client(self.urls().redis_url, by=by, fences=self.fences(), **self.promise)

    def async_client(self, by: str) -> AsyncClient:
        from flashsale.client import AsyncClient

        return AsyncClient(self.urls().redis_url, by=by, fences=self.fences(), **self.promise)

    @property
    def promise(self) -> Promise:
        """What whoever asks is told, and when."""
        return {"timeout_ms": self.settings.reply_timeout_ms, "replicas": self.settings.replicas}

    def log(self) -> Log:
        from flashsale.stream import Log

        return Log(self.urls().redis_url)

    @contextmanager
    def connected(self, by: str) -> Iterator[Shop]:
        """Connections to everything, closed at the end; `by` names in the log who works with them."""
        from flashsale.shop import Shop

        with self.postgres() as connection, self.client(by) as client, self.log() as log:
            yield Shop(client, log, connection)

    def daemon_client(self, name: str) -> Client:
        """For a daemon, which looks after the fences itself: nothing is connected before it is used.

        It tells nobody what was decided, so it waits for no replica.
        """
        from flashsale.client import Client

        return Client(self.urls().redis_url, by=name, timeout_ms=self.settings.reply_timeout_ms)

    def projector(self, name: str, daemon: Daemon, client: Client, keep: int | None = None) -> Projector:
        """A projector; with `keep`, it trims the logs of its shards down to that many events."""
        from flashsale.projections.halting import SaleHalter
        from flashsale.projections.projector import Projector
        from flashsale.trim import Trimmer

        redis_url, postgres_url = self.urls()
        return Projector(
            redis_url,
            postgres_url,
            name,
            batch_max=self.settings.batch_max,
            max_rate=self.settings.max_rate or None,
            wait=daemon.wait,
            trim=None if keep is None else Trimmer(client, keep),
            halt_sale=SaleHalter(client),
        )

    def sweeper(self, daemon: Daemon, client: Client) -> Sweeper:
        from flashsale.projections import catalog
        from flashsale.sweeper import Sweeper

        def shards() -> dict[ShardId, Fence]:
            with self.postgres() as connection:
                return catalog.known_logs(connection, running=True)

        return Sweeper(client, shards, daemon.wait)

    def looks(self) -> Looks:
        """What the exporter shows. Nothing is connected before it is asked."""
        from flashsale.client import Client
        from flashsale.metrics.look import REPLY_TIMEOUT_MS, Examiner, Servers
        from flashsale.metrics.looks import Looks
        from flashsale.stream import Log

        redis_url, _ = self.urls()
        servers = Servers(
            log=lambda: Log(redis_url, timeout_ms=REPLY_TIMEOUT_MS),
            client=lambda: Client(redis_url, by="metrics", timeout_ms=REPLY_TIMEOUT_MS),
            postgres=self.postgres,
        )
        return Looks(Examiner(servers))

    def gated(self, step: Callable[[], object]) -> Callable[[], object]:
        """A daemon's step, which begins only on servers that are fit for it, unless the settings accept others."""
        from flashsale.doctor import Gate

        accepts_unsafe = self.settings.unsafe_servers == "accept"
        return Gate(step, self.log, lambda: self.postgres(checked=False), accepts_unsafe=accepts_unsafe).step

    def _migrate_private(self, postgres_url: str) -> None:
        """A private database belongs to this version: it is brought up to date without asking."""
        from flashsale.projections.database import connect
        from flashsale.projections.migrate import migrate, schema_status

        with connect(postgres_url) as connection:
            missing = schema_status(connection).missing
        if missing:
            migrate(postgres_url)


def _unset(name: str) -> BadInput:
    return BadInput(
        name, None,
        f"set {TABLE[name].variable}, or put the URL into /etc/credstore for a systemd unit; a private development "
        f"server is not started here ({TABLE['private_servers'].variable}=refuse)",
    )  # fmt: skip


def connect(by: str) -> AsyncClient:
    """A client for a shop: on the servers that `FLASHSALE_*` or the settings file names, fenced by Postgres.

    `by` names the shop in the log. Blocks until Postgres has told the fences, so call it once, at the start. Use it as
    `async with connect(by="shop-1") as shop`. Raises `Unreachable`, and `BadInput` for a faulty setting.
    """
    from flashsale.config import load

    return Parts(load({}, os.environ).settings).async_client(by)
