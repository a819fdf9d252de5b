"""`flashsale demo`, smaller than life: every promise is checked, and nothing is left behind unless it shall be."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance import operator_kit
from tests.fixtures.processes import Cli
from tests.fixtures.residents import needs_proc, processes_of
from tests.helpers import wait_until

SMALL = ("--buyers", "2000", "--units", "20")
#: Two Python processes and two servers have to start, on a machine that may be busy with other tests.
TIMEOUT_S = 100


@pytest.fixture
def data_dir(cli: Cli) -> Iterator[Path]:
    """A directory for the servers of the demo; they and all who work on them are gone after the test."""
    directory = cli.home / "servers"
    yield directory
    for daemon in processes_of(directory, "flashsale"):
        os.kill(daemon, signal.SIGKILL)
    cli.ok("dev", "destroy", "--yes", "--data-dir", str(directory))


@needs_proc
def test_every_promise_holds_and_nothing_is_left(cli: Cli, data_dir: Path) -> None:
    arguments = ("demo", "--buyers", "20000", "--units", "100", "--json", "--data-dir", str(data_dir))
    found = cli.ok(*arguments, timeout_s=TIMEOUT_S).json()

    assert found["buyers"] == found["attempts"] == 20_000
    assert found["units"] == found["sold"] == found["orders_in_postgres"] == 100
    assert (found["oversold"], found["held"], found["drift"], found["lag_events"]) == (0, 0, 0, 0)
    assert (found["projector_kills"], found["acknowledged_lost"], found["broken"]) == (1, 0, [])
    assert 0 < found["takeover_s"] < 30
    assert found["attempts_per_s"] > 0
    assert found["events"] > 2 * 100
    assert found["accepted"] - found["came_back"] + sum(found["refused"].values()) == 20_000
    assert set(found["refused"]) == {"SOLD_OUT"}
    assert sum(found["orders_by_status"].values()) == found["accepted"]
    assert len(found["state_hash"]) == 64
    assert 0 < found["rush_seconds"] < found["seconds"] < TIMEOUT_S
    assert processes_of(data_dir) == []


def test_a_person_gets_a_table_and_a_line_for_each_phase(cli: Cli) -> None:
    cli.env["TMPDIR"] = str(cli.home)
    done = cli.ok("demo", *SMALL, timeout_s=TIMEOUT_S)

    for text in ("2,000  buyers tried", "20  sold", "0  oversold", "Every promise held"):
        assert text in done.stdout
    phases = [line for line in done.stderr.splitlines() if line.startswith("…")]
    assert phases[0] == "… starting servers"
    assert "… selling" in phases
    assert list(cli.home.iterdir()) == [], "without --data-dir it works in a temporary directory of its own"


@needs_proc
@pytest.mark.parametrize(
    "phase", ["starting servers", "waiting for the daemons", "selling", "waiting for payments"]
)
def test_ctrl_c_at_any_time_leaves_no_process_and_no_data(cli: Cli, data_dir: Path, phase: str) -> None:
    process = cli.start("demo", *SMALL, "--data-dir", str(data_dir))
    process.wait_for_output(phase, timeout_s=TIMEOUT_S)
    assert len(processes_of(data_dir)) > (0 if phase == "starting servers" else 2)
    process.send(signal.SIGINT)
    done = process.wait(timeout_s=60)

    assert done.exit_code == 130
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert processes_of(data_dir) == []
    assert not (data_dir / "redis").exists()


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_or_a_closed_terminal_leave_nothing_either(
    cli: Cli, data_dir: Path, number: signal.Signals
) -> None:
    process = cli.start("demo", *SMALL, "--data-dir", str(data_dir))
    process.wait_for_output("selling", timeout_s=TIMEOUT_S)
    process.send(number)
    process.wait(timeout_s=60)

    assert processes_of(data_dir) == []


def test_kept_servers_show_the_sale_to_other_commands_and_a_second_demo(cli: Cli, data_dir: Path) -> None:
    there = ("--data-dir", str(data_dir))
    first = cli.ok("demo", *SMALL, "--json", "--keep", *there, timeout_s=TIMEOUT_S).json()

    assert all(server["running"] for server in cli.ok("dev", "status", "--json", *there).json()["servers"])
    sale = cli.ok("sale", "show", first["sale"], "--json", *there).json()
    assert first["sale"] in (sale["sale"], sale.get("id"))
    assert "20" in cli.ok("sale", "show", first["sale"], *there).stdout

    second = cli.ok("demo", *SMALL, "--json", *there, timeout_s=TIMEOUT_S).json()
    assert second["sale"] != first["sale"]
    assert second["broken"] == []
    assert all(server["running"] for server in cli.ok("dev", "status", "--json", *there).json()["servers"])


def test_servers_that_are_configured_are_used_and_stay(connected_cli: Cli) -> None:
    found = connected_cli.ok("demo", *SMALL, "--json", timeout_s=TIMEOUT_S).json()

    assert found["broken"] == []
    assert connected_cli.ok("sale", "show", found["sale"], "--json").json()
    assert not (connected_cli.home / ".local").exists()


@pytest.mark.parametrize(
    "arguments", [("--buyers", "0"), ("--units", "-1"), ("--seed", "x"), ("--buyers", "1e6")]
)
def test_bad_numbers_are_refused_before_anything_starts(cli: Cli, arguments: tuple[str, str]) -> None:
    done = cli.run("demo", *arguments)

    assert done.exit_code == 2
    assert arguments[0] in done.stderr
    assert not (cli.home / ".local").exists()


@needs_proc
def test_a_person_can_click_into_it_until_they_end_it(cli: Cli, data_dir: Path) -> None:
    running = cli.start(
        "demo", "--web", "--listen", "127.0.0.1:0", "--units", "5", "--data-dir", str(data_dir)
    )
    running.wait_for_output("/sale/mega-drop", TIMEOUT_S)
    address = re.search(r"http://\S+/sale/\S+", running.stdout)
    office = re.search(r"operator page: (http://\S+)  token: (\S+)", running.stdout)
    assert address is not None
    assert office is not None

    page = httpx.get(address[0], timeout=20)
    browser = operator_kit.Browser(office[1])
    browser.log_in(office[2])
    wait_until(lambda: "mega-drop" in browser.see("/").text, TIMEOUT_S)
    browser.http.close()

    assert page.status_code == 200
    assert "<h1>You are in</h1>" in page.text  # the demo has a waiting room
    running.send(signal.SIGINT)
    assert running.wait(TIMEOUT_S).exit_code == 130
    assert processes_of(data_dir) == []


def test_a_demo_for_a_browser_says_what_it_cannot_do(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli.run("demo", "--web", "--listen", f"127.0.0.1:{port}")
    assert done.exit_code == 4
    assert "nobody can be served on" in done.stderr
    assert cli.run("demo", "--web", "--listen", "0.0.0.0:8080").exit_code == 2
    assert cli.run("demo", "--web", "--json").exit_code == 2
