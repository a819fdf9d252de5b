"""Everything the torture runs: servers, proxies in front of them, the fleet, and the operator at the command line."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import redis

from flashsale.ids import START, Position
from flashsale.keys import shard_keys
from flashsale.projections.database import Connection, connect
from flashsale.servers import DevServers, binaries, location
from flashsale.servers.account import server_account
from tests.fixtures.machine import build_library
from tests.fixtures.processes import Cli
from tests.fixtures.proxy import Proxy
from tests.fixtures.servers import debian_binaries
from tests.torture.fleet import Fleet, daemon_command
from tests.torture.front import NAME, Front
from tests.torture.losses import Loss, count_outcomes
from tests.torture.patience import came_true
from tests.torture.redis_server import RedisServer
from tests.torture.sale import begin

SALE = "torture"
#: The second takes off the log what Postgres has.
PROJECTORS: dict[str, tuple[str, ...]] = {"projector-1": (), "projector-2": ("--trim", "--keep", "100")}
SHOPS = ("shop-1", "shop-2")
#: Shops that sell over HTTP; their histories begin with their names.
HTTP_SHOPS = ("http-1", "http-2")
#: Buyers of one shop, a second.
BUYERS_PER_S = 11
#: So many that they last until the faults are over: a sale that is sold out has nothing to lose. The rest is sold then.
UNITS_PER_MINUTE = 2_700
#: What a shop waits for a reply.
REPLY_TIMEOUT_MS = 1_500
START_TIMEOUT_S = 60


class World:
    """One run's; `home` is a directory of its own. `servers`: bundled or debian."""

    def __init__(self, home: Path, seed: int, minutes: float, servers: str) -> None:
        self._redis_binary: Path | None = None
        self._postgres_bin_dir: Path | None = None
        if servers == "debian":
            self._redis_binary, self._postgres_bin_dir = debian_binaries()
        self.home, self.seed = home, seed
        self.units = max(200, int(UNITS_PER_MINUTE * minutes))
        self.history_dir = home / "history"
        self.losses: list[Loss] = []
        self._turn, self._rest = threading.Lock(), threading.Lock()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start_servers()
            self._start_proxies()
            self._begin_sale()
            self._start_fleet()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._open.close()

    # ------------------------------------------------------------------------------------------------- servers

    @property
    def current_url(self) -> str:
        """The Redis that is the master now, without a proxy."""
        return f"unix://{self._current}"

    def redis(self, timeout_s: float = 1.0) -> redis.Redis:
        return self.master.client(timeout_s)

    def postgres(self) -> Connection:
        """A session of the operator's own, without a proxy."""
        return connect(self.postgres_url, name="torture")

    def value(self, statement: str, *values: object) -> Any:
        """The one value that a query finds."""
        with self.postgres() as connection:
            ((found,),) = connection.execute(statement.encode(), values or None).fetchall()
        return found

    def do(self, statement: str) -> None:
        """Run a statement that finds nothing."""
        with self.postgres() as connection:
            connection.execute(statement.encode())

    def start_postgres(self) -> None:
        self.dev.up(["postgres"])

    def make_current(self, server: RedisServer) -> None:
        """Where the name of the master leads from now on."""
        new = self._current.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.symlink_to(server.socket)
        new.replace(self._current)

    def head(self) -> Position:
        """Where the log in Redis ends."""
        with self.redis() as commands:
            newest = commands.xrevrange(shard_keys(SALE, 0).events, count=1)
        return Position.parse(newest[0][0]) if newest else START

    def checkpoint(self) -> Position:
        with self.postgres() as connection:
            row = connection.execute(
                b"SELECT epoch, seq FROM checkpoint WHERE sale_id = %s", [SALE]
            ).fetchone()
        assert row is not None
        return Position(*row)

    @property
    def fleets(self) -> tuple[Fleet, ...]:
        return self.daemons, self.gateways, self.shops

    @property
    def redis_proxies(self) -> tuple[Proxy, ...]:
        """Between Redis and everybody who uses it."""
        return self.shop_redis, self.daemon_redis, self.front.redis

    def http_histories(self) -> list[Path]:
        """Of the shops that sell over HTTP."""
        return sorted(self.history_dir.glob("http-*.jsonl"))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No fault of the other track is under way; whoever asks for this is the next."""
        with self._turn:
            self._rest.acquire()
        try:
            yield
        finally:
            self._rest.release()

    def heal(self) -> None:
        """End every fault that does not end by itself."""
        for proxy in (*self.redis_proxies, self.front.http, self.postgres_proxy, self.replication):
            proxy.heal()
        for server in (self.master, self.replica):
            server.control.heal()
            server.disk.make_room()

    # --------------------------------------------------------------------------------------------- the beginning

    def _start_servers(self) -> None:
        account = server_account()
        self.dev = DevServers(self.home / "servers", postgres_bin_dir=self._postgres_bin_dir)
        self._open.callback(self.dev.destroy)
        self.postgres_url = self.dev.up(["postgres"]).postgres_url
        place = location.locate(self.home / "servers", account)
        program = binaries.redis_program(place, self._redis_binary).path
        redis_dir = self.home / "redis"
        redis_dir.mkdir()
        if account.switches:
            os.chown(redis_dir, account.uid, account.gid)
        self.library = build_library(redis_dir)
        self._current = redis_dir / "current.sock"
        self.master, self.replica = (
            RedisServer(name, redis_dir, program, account, self.library) for name in ("a", "b")
        )
        for server in (self.master, self.replica):
            self._open.callback(server.close)
        self.master.start()
        self.make_current(self.master)

    def _start_proxies(self) -> None:
        enter = self._open.enter_context
        self.shop_redis = enter(Proxy(self.current_url))
        self.daemon_redis = enter(Proxy(self.current_url))
        self.replication = enter(Proxy(self.current_url))
        self.postgres_proxy = enter(Proxy(self.postgres_url))
        self.front = Front(self.home, self.current_url)
        enter(self.front.redis)
        enter(self.front.http)
        self.replica.follow(self.replication_address)

    @property
    def replication_address(self) -> tuple[str, int]:
        """Where a replica finds its master."""
        host, _, port = self.replication.url.removeprefix("redis://").rstrip("/").rpartition(":")
        return host, int(port)

    def _begin_sale(self) -> None:
        operator_home = self.home / "operator"
        operator_home.mkdir()
        self.cli = Cli(
            operator_home,
            {"FLASHSALE_REDIS_URL": self.current_url, "FLASHSALE_POSTGRES_URL": self.postgres_url},
        )
        self.cli.ok("db", "migrate")
        begin(self.cli, operator_home, SALE, self.units)

    def _start_fleet(self) -> None:
        self.history_dir.mkdir()
        log_dir = self.home / "logs"
        log_dir.mkdir()
        shared = {
            "FLASHSALE_POSTGRES_URL": self.postgres_proxy.url,
            "FLASHSALE_REPLY_TIMEOUT_MS": str(REPLY_TIMEOUT_MS),
        }
        self.daemons = Fleet({"FLASHSALE_REDIS_URL": self.daemon_redis.url, **shared}, log_dir)
        self.gateways = Fleet({**self.front.env, **shared}, log_dir)
        self.shops = Fleet({"FLASHSALE_REDIS_URL": self.shop_redis.url, **shared}, log_dir)
        for name, options in PROJECTORS.items():
            self.daemons.add(name, "projector", daemon_command("projector", name, *options))
        self.daemons.add("sweeper-1", "sweeper", daemon_command("sweeper", "sweeper-1"))
        self.gateways.add(NAME, "gateway", self.front.gateway())
        for name in (*SHOPS, *HTTP_SHOPS):
            self.shops.add(name, "shop", self._shop(name))
        for fleet in self.fleets:
            self._open.callback(fleet.stop)
            fleet.watch()
        first = self.head()
        assert came_true(
            lambda: (
                self.head().seq > first.seq + len(self.shops.slots) * BUYERS_PER_S
                and self.checkpoint() > first
                and count_outcomes(self.http_histories())["ok"]
            ),
            START_TIMEOUT_S,
        ), "the fleet does not begin to work"

    def _shop(self, name: str) -> Callable[[int], list[str]]:
        """The command of the shop's n-th process."""
        return lambda n: self.shop_command(f"{name}-{n}", BUYERS_PER_S)

    def shop_command(self, name: str, per_second: float) -> list[str]:
        """A shop process of that name, which no other had."""
        history = self.history_dir / f"{name}.jsonl"
        lots = f"{self.seed} {name}"
        if name.startswith(HTTP_SHOPS):
            return self.front.shop(history, SALE, lots, per_second)
        return [
            *(sys.executable, "-m", "tests.torture.shop"),
            *(name, str(history), SALE, lots, str(per_second)),
        ]
