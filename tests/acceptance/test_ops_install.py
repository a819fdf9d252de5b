"""`flashsale ops install`: what it writes, what it keeps, and that systemd understands and rates it well."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from flashsale import units
from flashsale.errors import RefusedByState
from flashsale.settings import TABLE, environment_file
from tests.fixtures.processes import Cli

ROOT = Path(__file__).parents[2]
PLACE = Path("/opt/flashsale")
#: What `systemd-analyze security` may find at most, in tenths of its scale.
EXPOSURE_MAX = 15
#: Of systemd itself, which the units name or imply.
SYSTEM_UNITS = (
    *("sysinit.target", "basic.target", "shutdown.target", "network-online.target", "nss-lookup.target"),
    *("multi-user.target", "timers.target", "time-set.target", "time-sync.target"),
)
SERVICES = (
    "flashsale-projector@1",
    "flashsale-sweeper",
    "flashsale-reconcile",
    "flashsale-warm",
    "flashsale-metrics",
    "flashsale-gateway",
    "flashsale-operator",
)

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system with the units, installed for a flashsale in its shipped place."""
    units.write(units.plan(tmp_path, PLACE))
    return tmp_path


def test_the_shipped_settings_file_is_the_table_of_settings() -> None:
    shipped = (ROOT / "ops/systemd/flashsale.env").read_text(encoding="utf-8")
    assert shipped == environment_file()
    assert [name for name, setting in TABLE.items() if f"\n#{setting.variable}=" not in shipped] == []


def test_a_repeat_writes_nothing_and_an_upgrade_keeps_what_is_the_operators(root: Path) -> None:
    assert {file.what for file in units.plan(root, PLACE)} == {"same"}

    settings = root / units.SETTINGS_FILE
    settings.write_text("FLASHSALE_BATCH_MAX=7\n", encoding="utf-8")
    unit = root / units.UNIT_DIRECTORY / "flashsale-sweeper.service"
    unit.write_text("[Service]\n", encoding="utf-8")
    own = root / units.UNIT_DIRECTORY / "flashsale-.service.d/30-own.conf"
    own.write_text("[Service]\nIPAddressAllow=10.0.0.1\n", encoding="utf-8")

    planned = {Path(file.path): file.what for file in units.plan(root, PLACE)}
    units.write(units.plan(root, PLACE))

    assert planned[settings] == "kept"
    assert planned[unit] == "changed"
    assert own not in planned
    assert settings.read_text(encoding="utf-8") == "FLASHSALE_BATCH_MAX=7\n"
    assert "ExecStart=/opt/flashsale/bin/flashsale sweeper run" in unit.read_text(encoding="utf-8")


def test_the_units_start_the_flashsale_that_wrote_them(tmp_path: Path) -> None:
    units.write(units.plan(tmp_path, Path("/srv/shop/venv")))
    unit = (tmp_path / units.UNIT_DIRECTORY / "flashsale-projector@.service").read_text(encoding="utf-8")
    assert "ExecStart=/srv/shop/venv/bin/flashsale projector run" in unit


@pytest.mark.parametrize("place", units.HIDDEN)
def test_a_place_that_the_sandbox_hides_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(RefusedByState, match="cannot see"):
        units.plan(tmp_path, Path(place) / "venv")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_it_would_write_and_writes_nothing(tmp_path: Path, cli: Cli) -> None:
    system = tmp_path / "system"
    told = cli.run("ops", "install", "--prefix", str(system), "--dry-run", "--json")
    if told.exit_code == 4:  # this checkout lies in a home directory
        assert "cannot see" in told.stderr
        return
    files = json.loads(told.stdout)["files"]
    assert {file["what"] for file in files} == {"new"}
    assert not system.exists()


def test_no_shared_setting_takes_the_place_of_a_units_own(root: Path) -> None:
    """systemd reads the drop-ins last: of two values for one name, the shared one counts."""
    directory = root / units.UNIT_DIRECTORY
    shared = {name for path in directory.glob("flashsale-.service.d/*.conf") for name in _named(path)}
    assert {"LimitCORE", "User"} <= shared
    for path in directory.glob("flashsale-*.service"):
        assert shared & _named(path) == set(), path.name


def _named(path: Path) -> set[str]:
    """The names that the file gives a value."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")}


@needs_systemd
def test_systemd_understands_every_unit(root: Path) -> None:
    program = root / "opt/flashsale/bin/flashsale"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    directory = root / units.UNIT_DIRECTORY
    for name in SYSTEM_UNITS:
        (directory / name).write_text("[Unit]\nDescription=of systemd\n", encoding="utf-8")
    names = [path.name.replace("@.", "@1.") for path in directory.iterdir() if path.is_file()]
    command = ["systemd-analyze", "verify", f"--root={root}", "--man=no", *names]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in told.stderr.splitlines() if "flashsale" in line]
    assert ours == []


@needs_systemd
@pytest.mark.parametrize("service", SERVICES)
def test_the_sandbox_is_rated_well(root: Path, service: str) -> None:
    command = [
        *("systemd-analyze", "security", "--offline=yes", f"--root={root}", f"--threshold={EXPOSURE_MAX}"),
        *("--no-pager", f"{service}.service"),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout.splitlines()[-1]
    assert "Overall exposure level" in told.stdout
