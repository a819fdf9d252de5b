"""Daemons at the limits of their machine: no room for logs, no file handles."""

from __future__ import annotations

import resource
import signal
import subprocess
from pathlib import Path

import pytest

from flashsale.commands import Reserve
from flashsale.projections import reads
from flashsale.projections.database import connect
from flashsale.stream import ShardId
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.fixtures.processes import COMMAND
from tests.fixtures.roles import as_administrator
from tests.helpers import wait_until

ORDERS = 500

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to a disk that is always full")
needs_prlimit = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="limits a process that runs: Linux"
)


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A sale with 403 events that nobody has applied."""
    shop.open(quantity=ORDERS)
    sell(shop, range(ORDERS - 100))
    return shop


def sell(shop: Shop, numbers: range) -> None:
    shop.execute(*(Reserve(f"0-{number:08}", f"buyer-{number}", SKU) for number in numbers))


def is_applied(shop: Shop) -> bool:
    """Every event is in Postgres, once."""
    tables = reads.tables(shop.connection, ShardId(SALE, 0))
    return tables.checkpoint.seq == tables.archived_events == shop.log_length()


@needs_full
def test_a_full_disk_for_logs_stops_nobody(busy: Shop) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(
            [COMMAND, "projector", "run", "--log-level", "debug"],
            env=busy.cli.environment(),
            cwd=busy.cli.home,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full,
        ) as projector,
    ):
        try:
            wait_until(lambda: is_applied(busy) or projector.poll() is not None, 30, "everything is applied")
            assert projector.poll() is None
            projector.send_signal(signal.SIGTERM)
            assert projector.wait(20) == 0
        finally:
            projector.kill()


@needs_prlimit
def test_without_file_handles_a_daemon_waits(busy: Shop, database_url: str) -> None:
    projector = busy.cli.start("projector", "run", "--name", "p2")
    wait_until(lambda: is_applied(busy), 30, "everything is applied")
    soft, hard = resource.prlimit(projector.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(projector.pid, resource.RLIMIT_NOFILE, (3, hard))
    with connect(as_administrator(database_url)) as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name LIKE 'flashsale projector %' AND datname = current_database()"
        )
    sell(busy, range(ORDERS - 100, ORDERS))
    projector.wait_for_output("Postgres cannot be reached")

    resource.prlimit(projector.pid, resource.RLIMIT_NOFILE, (soft, hard))
    wait_until(lambda: is_applied(busy), 30, "it goes on by itself")
    assert projector.stop().exit_code == 0
