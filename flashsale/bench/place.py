"""Where the contenders meet: two servers, one durability, and names that nobody else uses."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from flashsale.bench.meter import Meter
from flashsale.client import Client
from flashsale.client.wire import connection_options
from flashsale.commands import Code, Item, Load, Open
from flashsale.errors import FlashsaleError, RefusedByState, Unreachable
from flashsale.keys import shard_keys
from flashsale.projections.migrate import migrate
from flashsale.servers import ServerStatus, Urls

PgConnection = psycopg.Connection[TupleRow]

#: A round of the slowest contender on a slow disk ends long before.
TIMEOUT_MS = 60_000
HOLD_MS = 24 * 3600 * 1_000
SKU = "phone-15"

#: What each durability means in Redis and, for contenders that write to Postgres at once, there.
APPENDFSYNC = {"always": "always", "everysec": "everysec"}
SYNCHRONOUS_COMMIT = {"always": "on", "everysec": "off"}


class Place:
    """The servers of a run."""

    def __init__(self, urls: Urls, durability: str, servers: list[ServerStatus], folder: Path) -> None:
        self.urls, self.durability = urls, durability
        #: the private ones of the two servers, with their pids; a given one is not among them
        self.servers = servers
        #: for files of the run
        self.folder = folder
        self.redis = redis_client(urls.redis_url)
        self.meter = Meter(self.redis, servers)
        self._numbers = itertools.count(1)

    @property
    def may_configure(self) -> bool:
        """Whether the settings of Redis may be changed: it is private."""
        return any(server.name == "redis" for server in self.servers)

    def new_sale(self) -> str:
        return f"bench-{os.getpid()}-{next(self._numbers)}"

    def new_key(self) -> str:
        return f"bench:{os.getpid()}:{next(self._numbers)}"

    def client(self) -> Client:
        return Client(self.urls.redis_url, by="bench", timeout_ms=TIMEOUT_MS)

    def postgres(self) -> PgConnection:
        """A connection as a shop without flashsale would have it, at the durability of this run."""
        commit = SYNCHRONOUS_COMMIT[self.durability]
        return psycopg.connect(
            self.urls.postgres_url,
            autocommit=True,
            prepare_threshold=1,
            options=f"-c synchronous_commit={commit}",
        )

    @contextmanager
    def open_sale(self, items: Mapping[str, int] | int, limit: int = 0) -> Iterator[str]:
        """A sale that sells, in Redis only; gone afterwards. `items`: SKU to units, or units of the one SKU."""
        stock = {SKU: items} if isinstance(items, int) else items
        sale = self.new_sale()
        load = Load(tuple(Item(sku, units, limit) for sku, units in stock.items()), hold_ms=HOLD_MS)
        try:
            with self.client() as client:
                expect(client.control(sale, load).code, Code.LOADED)
                expect(client.control(sale, Open(at_once=True)).code, Code.OPENED)
            yield sale
        finally:
            self.forget(*shard_keys(sale, 0))

    def forget(self, *keys: str) -> None:
        """Remove keys, and wait until it is done: nothing is freed while the next contender runs."""
        self.redis.delete(*keys)

    @contextmanager
    def appendfsync(self, durability: str) -> Iterator[None]:
        """Another durability for a while. Only on private servers."""
        before = cast("dict[str, str]", self.redis.config_get("appendfsync"))["appendfsync"]
        self.redis.config_set("appendfsync", APPENDFSYNC[durability])
        try:
            yield
        finally:
            self.redis.config_set("appendfsync", before)


@contextmanager
def opened(urls: Urls, durability: str, servers: list[ServerStatus], folder: Path) -> Iterator[Place]:
    """The place, set to the durability asked for, with a database of its own. Raises when a given Redis has another."""
    with _database(urls.postgres_url) as postgres_url:
        place = Place(Urls(urls.redis_url, postgres_url), durability, servers, folder)
        migrate(postgres_url)
        with told(), _configured(place):
            yield place


def _refuse_who_cannot_clean_up(place: Place) -> None:
    """A role that may only begin would leave its sale behind."""
    try:
        place.forget(place.new_key())
    except NoPermissionError as error:
        raise RefusedByState(
            f"this Redis user may not use all keys of bench ({error}): name one who may do everything, or let bench "
            "start private servers"
        ) from error


@contextmanager
def _configured(place: Place) -> Iterator[None]:
    _refuse_who_cannot_clean_up(place)
    try:
        found = cast("dict[str, str]", place.redis.config_get("append*"))
    except ResponseError as error:
        raise RefusedByState(f"Redis does not tell its durability ({error}): use a private one") from error
    wanted = APPENDFSYNC[place.durability]
    if not place.may_configure:
        is_so = found.get("appendonly") == "yes" and found.get("appendfsync") == wanted
        if not is_so:
            raise RefusedByState(
                f"this Redis has appendonly {found.get('appendonly')} and appendfsync {found.get('appendfsync')}: set "
                f"them to yes and {wanted}, name another --durability, or let bench start private servers"
            )
        yield
        return
    before = {"appendfsync": found["appendfsync"], "auto-aof-rewrite-percentage": "100"}
    # A rewrite of the log would fall on whoever happens to run then.
    place.redis.config_set("auto-aof-rewrite-percentage", 0)
    place.redis.config_set("appendfsync", wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            place.redis.config_set(name, value)


@contextmanager
def _database(postgres_url: str) -> Iterator[str]:
    """A database for this run alone, dropped afterwards."""
    name = f"flashsale_bench_{os.getpid()}"
    made = sql.Identifier(name)
    with told(), psycopg.connect(postgres_url, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(made))
        except psycopg.errors.InsufficientPrivilege as error:
            raise RefusedByState(
                "this Postgres user may not create the database that bench works in: name one who may, or let bench "
                "start private servers"
            ) from error
        try:
            yield make_conninfo(postgres_url, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


@contextmanager
def told() -> Iterator[None]:
    """Turn the libraries' errors into flashsale's."""
    try:
        yield
    except RedisError as error:
        raise Unreachable(f"Redis: {error}") from error
    except psycopg.Error as error:
        raise Unreachable(f"Postgres: {' '.join(str(error).split())}") from error


def redis_client(url: str) -> Redis:
    options: dict[str, Any] = connection_options(TIMEOUT_MS) | {"decode_responses": True}
    return Redis.from_url(url, **options)


def expect(code: Code, wanted: Code) -> None:
    if code is not wanted:
        raise FlashsaleError(f"the benchmark expected {wanted}, the shop answered {code}")
