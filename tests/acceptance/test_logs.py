"""What is logged while a command or a daemon runs: one line an event, each with its action."""

from __future__ import annotations

import json

import pytest

from flashsale.commands import Reserve
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.fixtures.proxy import Mode, Proxy

#: How a transaction ends that keeps nothing; psycopg sends it so.
ROLLBACK = b"ROLLBACK\0"


@pytest.fixture
def parked(shop: Shop) -> Shop:
    """A shop whose event 4 Postgres refuses."""
    shop.connection.execute("ALTER TABLE orders ADD CONSTRAINT not_bob CHECK (buyer <> 'bob')")
    shop.open()
    shop.execute(Reserve("0-aaaaaaaa", "bob", SKU))
    return shop


def cut_at(shop: Shop, proxy: Proxy, when: bytes) -> None:
    """Have the connection end there. When that is a roll-back, psycopg logs it, and goes on."""
    proxy.behave(Mode.RESET, when=when, times=1)
    shop.cli.env["FLASHSALE_POSTGRES_URL"] = proxy.url


def test_what_libraries_log_is_not_shown_to_who_runs_a_command(parked: Shop, postgres_proxy: Proxy) -> None:
    parked.project()
    cut_at(parked, postgres_proxy, ROLLBACK)

    done = parked.finished("dead-letter", "show", SALE, "4")

    assert "refuses 1-4 again" in done.stdout
    assert done.stderr == "", "nothing is wrong for whoever asked"
    assert postgres_proxy.counts.resets == 1


def test_what_libraries_log_is_shown_with_debug_in_one_line(parked: Shop, postgres_proxy: Proxy) -> None:
    parked.project()
    cut_at(parked, postgres_proxy, ROLLBACK)

    done = parked.finished("dead-letter", "show", SALE, "4", "--debug", "--log-format", "json")

    warning = json.loads(done.stderr)
    named = warning["action"], warning["level"], warning["library"]
    assert named == ("library_warning", "warning", "psycopg")
    assert "error ignored in rollback" in warning["event"]
    assert "\n" not in warning["event"]


def test_postgres_that_goes_away_while_a_refused_event_is_rolled_back(
    parked: Shop, postgres_proxy: Proxy
) -> None:
    parked.project()
    cut_at(parked, postgres_proxy, b"ROLLBACK TO")

    done = parked.refused(5, "dead-letter", "show", SALE, "4")

    assert "Postgres went away" in done.stderr


def test_a_daemon_logs_what_libraries_log_as_its_own(parked: Shop, postgres_proxy: Proxy) -> None:
    cut_at(parked, postgres_proxy, ROLLBACK)

    running = parked.cli.start("projector", "run", "--name", "p")
    running.wait_for_output("library_warning")
    running.wait_for_output("events_parked")
    done = running.stop()

    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(line["action"] and line["event"] for line in lines)
