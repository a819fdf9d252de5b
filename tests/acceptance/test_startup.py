"""Code that lies around is not run: not in the working directory, not in the home of whoever runs the command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flashsale.demo.processes import Daemons
from flashsale.servers import Urls
from tests.fixtures.processes import Cli
from tests.helpers import wait_until

#: What Python imports at its start, and what flashsale imports.
MODULES = (
    "sitecustomize",
    "usercustomize",
    "flashsale",
    "typer",
    "redis",
    "psycopg",
    "ssl",
    "json",
    "readline",
)


@pytest.fixture
def ran(cli: Cli) -> Path:
    """A file that is made by whatever runs of that which lies in the home, which is the working directory, too."""
    ran = cli.home / "ran"
    trap = f"import pathlib; pathlib.Path({str(ran)!r}).touch()\n"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for directory in (cli.home, cli.home / f".local/lib/{version}/site-packages"):
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("trap.pth", *(f"{module}.py" for module in MODULES)):
            (directory / name).write_text(trap, encoding="utf-8")
    return ran


def test_a_command(cli: Cli, ran: Path) -> None:
    done = cli.run("doctor", "--redis-url", "unix:///nowhere", "--postgres-url", "host=/nowhere dbname=none")

    assert done.exit_code == 5, "it got as far as both servers"
    assert not ran.exists()


def test_a_daemon_of_the_demo(cli: Cli, ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cli.home)
    monkeypatch.setenv("HOME", str(cli.home))
    log = tmp_path / "s.log"
    with Daemons(Urls("unix:///nowhere", "host=/nowhere dbname=none"), tmp_path) as daemons:
        daemons.start("sweeper", "s")
        wait_until(lambda: "daemon_degraded" in log.read_text(encoding="utf-8") or daemons.dead(), 30)
        assert not daemons.dead(), log.read_text(encoding="utf-8")
    assert not ran.exists()


def test_the_trap_bites_who_asks_for_it(cli: Cli, ran: Path) -> None:
    """Whoever sets PYTHONPATH decides what runs. A unit's environment has none."""
    cli.env["PYTHONPATH"] = str(cli.home)
    cli.run("--version")
    del cli.env["PYTHONPATH"]
    assert ran.exists()
