"""What `make build` makes: the same bytes wherever it is made, and a wheel that works without the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pytest

import flashsale
from flashsale.units import SHIPPED_PLACE

ROOT = Path(__file__).parents[2]
#: What goes into a build, but for the tests: they are many, and Python files like the others.
SOURCES = ("flashsale", "lua", "ops", "docs", *(path.name for path in ROOT.glob("requirements*.lock")))
FILES = ("Makefile", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", ".gitignore", ".luacheckrc")
#: When the commit was made: on another day than any file was written.
COMMITTED_S = 1_700_000_000


class Place(NamedTuple):
    """Where a release is built, and what is different there."""

    root: Path
    umask: int
    environment: dict[str, str]

    def build(self) -> subprocess.Popen[str]:
        # `setup` is done: the tools are those of the running environment, as the lock pins them.
        make = ["make", "--old-file=setup", "build", f"BIN={Path(sys.executable).parent}"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root.parent), **self.environment}
        return subprocess.Popen(
            make, cwd=self.root, umask=self.umask, env=environment, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def digests(self) -> dict[str, str]:
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (self.root / "dist").iterdir()
        }


def git(root: Path, *arguments: str, umask: int = 0o022) -> None:
    identity = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    date = f"{COMMITTED_S} +0000"
    environment = {**os.environ, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    command = ["git", *identity, *arguments]
    subprocess.run(command, cwd=root, check=True, capture_output=True, umask=umask, env=environment)


def built(*places: Place) -> None:
    """Build in all of them, side by side."""
    for make in [place.build() for place in places]:
        out, _ = make.communicate()
        assert make.returncode == 0, out


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Place]:
    """Two checkouts of one commit, in which a release was built: another path, mask, time zone, language."""
    top = tmp_path_factory.mktemp("checkouts")
    first, second = top / "first", top / "a second" / "checkout"
    first.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, first)
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, first / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, first)
    git(first, "init")
    git(first, "add", "--all")
    git(first, "commit", "--message", "A release")
    second.parent.mkdir()
    git(top, "clone", str(first), str(second), umask=0o077)
    places = (
        Place(first, 0o022, {"TZ": "Pacific/Auckland", "LC_ALL": "C"}),
        Place(second, 0o077, {"TZ": "UTC", "PYTHONHASHSEED": "7"}),
    )
    built(*places)
    return places


def test_two_checkouts_of_a_commit_build_the_same_bytes(checkouts: tuple[Place, Place]) -> None:
    first, second = checkouts
    assert first.digests() == second.digests()
    assert {name.partition("-")[0] for name in first.digests()} == {"flashsale"}
    assert len(first.digests()) == 2


def test_the_files_have_the_time_of_the_commit(checkouts: tuple[Place, Place]) -> None:
    (sdist,) = (checkouts[0].root / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert {member.mtime for member in archive.getmembers()} == {COMMITTED_S}


def test_the_sdist_builds_itself_again(checkouts: tuple[Place, Place], tmp_path: Path) -> None:
    (sdist,) = (checkouts[0].root / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = Place(tmp_path / sdist.name.removesuffix(".tar.gz"), 0o022, {})

    built(unpacked)

    assert unpacked.digests() == checkouts[0].digests()


@pytest.fixture
def installed(checkouts: tuple[Place, Place], tmp_path: Path) -> Path:
    """The programs of a clean environment with the wheel; the packages that it needs are those of this one."""
    (wheel,) = (checkouts[0].root / "dist").glob("*.whl")
    venv.create(tmp_path / "venv", symlinks=True)
    packages = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    # A path on the list is no site directory: its .pth files, so the checkout's own, are not read.
    (packages / "needed.pth").write_text(str(Path(str(files("msgspec"))).parent), encoding="utf-8")
    python = tmp_path / "venv" / "bin" / "python"
    install = ["install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True)
    return python.parent


def test_the_wheel_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    def output(*command: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        return subprocess.check_output(command, cwd=tmp_path, env=environment, encoding="utf-8")

    program = str(installed / "flashsale")
    assert output(program, "--version").strip() == f"flashsale {flashsale.__version__}"
    assert output(program, "sale", "example").strip() == (
        (ROOT / "ops/examples/mega-drop.toml").read_text(encoding="utf-8").strip()
    )
    code = (
        "from pathlib import Path; import flashsale; from flashsale import units; "
        f"print(flashsale.__file__, *(file.path for file in units.plan(Path('/'), Path('{SHIPPED_PLACE}'))))"
    )
    where, *planned = output(str(installed / "python"), "-c", code).split()
    assert Path(where).is_relative_to(installed.parent)
    assert {"/etc/flashsale/roles.sql", "/etc/flashsale/prometheus-rules.yml"} <= set(planned)
