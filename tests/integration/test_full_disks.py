"""Disks that are really full: small file systems of their own, filled to the last byte, then given room again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from flashsale.commands import Code
from flashsale.errors import Unreachable
from flashsale.projections.database import connect
from flashsale.servers import DevServers
from flashsale.servers.account import server_account
from tests.fixtures.machine import Disk
from tests.fixtures.own_servers import own_servers
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.read_side import open_read_side
from tests.fixtures.servers import private_binaries
from tests.helpers import wait_until
from tests.integration.client_kit import SALE, Shop, order, request, shop_on

DISK_BYTES = 64 * 1024 * 1024
#: So many orders do not fit into what a page or two have left.
MANY = 5_000
A_MEGABYTE_OF_WAL = "SELECT pg_logical_emit_message(false, 'tests', repeat('x', 1000000))"


@pytest.fixture
def disk() -> Iterator[Disk]:
    """One that the servers' user may write."""
    account = server_account()
    with tempfile.TemporaryDirectory(prefix="flashsale-disk-") as home:
        Path(home).chmod(0o755)
        disk = Disk(Path(home, "disk"), account.uid, account.gid, DISK_BYTES)
        try:
            if not disk.is_small:
                pytest.skip("fills a file system of its own: needs root, and the right to mount one")
            yield disk
        finally:
            disk.close()


# -------------------------------------------------------------------------------------------------------------- Redis


@pytest.fixture
def everysec(disk: Disk, clean_redis: redis.Redis) -> Iterator[PrivateRedis]:
    """A Redis on the small disk, which syncs once a second."""
    with PrivateRedis.like(clean_redis, disk.directory) as server:
        server.start("--appendfsync", "everysec")
        yield server


def sell_until_refused(shop: Shop) -> list[str]:
    """The orders that were acknowledged, oldest first, until Redis cannot write any more."""
    told: list[str] = []

    def is_refused() -> bool:
        try:
            (answer,) = shop.client.execute(SALE, [request(len(told))])
        except Unreachable as error:
            return str(error).startswith("Redis refuses to work: MISCONF")
        assert answer.code is Code.RESERVED
        told.append(order(len(told)))
        return False

    wait_until(is_refused, 20, "Redis notices")
    return told


def test_everysec_goes_on_when_there_is_room_again(everysec: PrivateRedis, disk: Disk) -> None:
    with shop_on(everysec) as shop:
        shop.load_scripts().open_sale(units=MANY)
        disk.fill()
        told = sell_until_refused(shop)
        disk.make_room()
        wait_until(lambda: shop.redis.info("persistence")["aof_last_write_status"] == "ok")

        (answer,) = shop.client.execute(SALE, [request(MANY)])
        assert answer.code is Code.RESERVED
        assert list(shop.reserved()) == [*told, order(MANY)]
        shop.state()


def test_everysec_killed_on_a_full_disk_loses_what_it_told_last_and_halts(
    everysec: PrivateRedis, disk: Disk
) -> None:
    with shop_on(everysec) as shop:
        shop.load_scripts().open_sale(units=MANY)
        disk.fill()
        told = sell_until_refused(shop)
        everysec.kill()
        disk.make_room()
        everysec.start("--appendfsync", "everysec")

        assert list(shop.reserved()) == told[:-1], "the write that failed was told before it failed"
        (answer,) = shop.client.execute(SALE, [request(MANY)])
        assert answer.code is Code.LOG_REGRESSED


# ----------------------------------------------------------------------------------------------------------- Postgres


def test_a_data_disk_that_is_full_is_waited_out(servers: DevServers, disk: Disk) -> None:
    urls = servers.up()
    with connect(urls.postgres_url) as operator:
        operator.execute(f"CREATE TABLESPACE small LOCATION '{disk.directory}'".encode())
        operator.execute("ALTER DATABASE flashsale SET default_tablespace = small")
    with open_read_side(*urls) as side:
        shard = side.open_sale("data-full", quantity=MANY)
        projector = side.projector()
        side.drain(projector, shards=[shard])
        disk.fill()
        side.sell(shard, MANY)
        for _ in range(3):
            with pytest.raises(Unreachable, match="No space left on device"):
                projector.step()
        assert side.checkpoint(shard).seq == 3, "nothing of a batch, or all of it"
        disk.make_room()

        side.drain(projector, shards=[shard])
        side.assert_projected(shard)


def test_a_wal_disk_that_is_full_ends_postgres_and_the_log_waits(
    disk: Disk, pytestconfig: pytest.Config
) -> None:
    with own_servers(*private_binaries(pytestconfig)) as servers:
        (postgres,) = (server for server in servers.status() if server.name == "postgres")
        servers.down()
        wal = disk.directory / "pg_wal"
        shutil.move(postgres.data_dir / "pg_wal", wal)
        for path in (wal, *wal.rglob("*")):
            shutil.chown(path, *server_account()[:2])
        (postgres.data_dir / "pg_wal").symlink_to(wal)
        urls = servers.up()
        with open_read_side(*urls) as side:
            shard = side.open_sale("wal-full", quantity=MANY)
            projector = side.projector()
            side.drain(projector, shards=[shard])
            disk.fill()
            side.sell(shard, MANY)
            with pytest.raises(psycopg.OperationalError):
                wait_until(lambda: side.rows(A_MEGABYTE_OF_WAL) == [], 20)
            for _ in range(3):
                with pytest.raises(Unreachable, match="Postgres"):
                    projector.step()
            assert "PANIC" in (postgres.data_dir.parent / "postgres.log").read_text(encoding="utf-8")
            disk.make_room()

            servers.up()
            side.postgres = connect(urls.postgres_url)
            assert side.checkpoint(shard).seq == 3
            side.drain(projector, shards=[shard], patient=True)
            side.assert_projected(shard)
            side.postgres.close()
        servers.down()  # before its disk is taken away
