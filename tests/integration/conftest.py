"""The fixtures that several modules of this directory share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from flashsale.client import Client
from flashsale.stream import Log
from flashsale.sweeper import Sweeper
from tests.fixtures.pair import pair
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.read_side import ReadSide, read_side
from tests.integration.client_kit import Shop
from tests.integration.desk_kit import Desk, open_desk
from tests.integration.dev_servers_kit import Make, open_directory, servers_below
from tests.integration.reconcile_kit import Books, open_books
from tests.integration.sweeper_kit import Catalog

__all__ = ["pair", "read_side"]


@pytest.fixture
def shop(redis_url: str, clean_redis: redis.Redis) -> Iterator[Shop]:
    """A Redis that knows the scripts and nothing else."""
    with Client(redis_url, by="tests") as client:
        yield Shop(redis_url, clean_redis, client).load_scripts()


@pytest.fixture
def private_redis(clean_redis: redis.Redis, tmp_path: Path) -> Iterator[PrivateRedis]:
    """A Redis that the test may kill and set up; it runs."""
    with PrivateRedis.like(clean_redis, tmp_path) as server:
        server.start()
        yield server


@pytest.fixture
def log(redis_url: str, clean_redis: redis.Redis) -> Iterator[Log]:
    """The log of an empty Redis."""
    with Log(redis_url) as log:
        yield log


@pytest.fixture
def nothing_collected() -> Iterator[None]:
    """Cycles stay where they are, for a test to see: when they are collected is the interpreter's choice."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def sweeper_client(read_side: ReadSide) -> Iterator[Client]:
    """The connection of a sweeper that the test steps itself."""
    with Client(read_side.redis_url, by="sweeper") as client:
        yield client


@pytest.fixture
def sweeper(read_side: ReadSide, sweeper_client: Client) -> Sweeper:
    """One that the test steps itself; between two steps it waits for nothing."""
    return Sweeper(sweeper_client, Catalog(read_side.postgres_url), wait=lambda _: None)


@pytest.fixture
def desk(read_side: ReadSide) -> Desk:
    """The desk of a sale that nothing is written of."""
    read_side.define("sale-1")
    return open_desk(read_side)


@pytest.fixture
def books(read_side: ReadSide) -> Books:
    """A sale whose three stores agree."""
    return open_books(read_side)


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory for private servers, whose users may enter it."""
    with open_directory() as path:
        yield path


@pytest.fixture
def make_servers(open_dir: Path) -> Iterator[Make]:
    """Makes private servers below that directory; none outlives the test."""
    with servers_below(open_dir) as make:
        yield make
