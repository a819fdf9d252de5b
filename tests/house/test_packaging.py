"""What a user installs has everything that the code reads, whichever way it was built."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def hatchling(directory: Path, target: str) -> Path:
    """Build the sdist or the wheel from the checkout."""
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(directory), "--target", target]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = directory.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


def wheel_from(sdist: Path, directory: Path) -> Path:
    """Build the wheel as a packager does: out of the sdist, without the checkout."""
    pip = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", directory, sdist], cwd=directory, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hatchling(tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="module", params=["checkout", "sdist"])
def wheel(request: pytest.FixtureRequest, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    return hatchling(directory, "wheel") if request.param == "checkout" else wheel_from(sdist, directory)


def shipped_files() -> set[str]:
    """What the code reads at run time, as paths in a wheel."""
    found = {f"flashsale/{path.relative_to(ROOT)}" for path in (ROOT / "lua").rglob("*.lua")}
    found |= {f"flashsale/examples/{path.name}" for path in (ROOT / "ops/examples").iterdir()}
    for name in ("grafana", "postgres", "prometheus", "redis", "systemd"):
        ops = [path for path in (ROOT / "ops" / name).rglob("*") if path.is_file()]
        found |= {f"flashsale/{path.relative_to(ROOT / 'ops')}" for path in ops}
    sql = (ROOT / "flashsale/projections/sql").rglob("*.sql")
    found |= {str(path.relative_to(ROOT)) for path in sql}
    of_pages = (
        path
        for name in ("storefront", "operator/templates", "operator/static")
        for path in (ROOT / "flashsale" / name).rglob("*")
    )
    found |= {str(path.relative_to(ROOT)) for path in of_pages if path.is_file()}
    return found | {"flashsale/py.typed"}


def test_there_is_something_to_ship() -> None:
    kinds = {Path(name).suffix for name in shipped_files()}
    assert kinds >= {".css", ".html", ".js", ".json", ".lua", ".sql", ".toml", ".yml"}


def test_the_wheel_has_everything(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert shipped_files() - names == set()
    assert {name for name in names if not name.startswith(("flashsale/", "flashsale-"))} == set()


def test_the_sdist_has_real_files_behind_the_links(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        files_in_it = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert shipped_files() - files_in_it == set()


def test_an_editable_install_reads_the_live_files() -> None:
    assert (Path(str(files("flashsale"))) / "lua").resolve() == ROOT / "lua"
    assert (Path(str(files("flashsale"))) / "examples").resolve() == ROOT / "ops" / "examples"


#: What `pip install --editable .` runs in the checkout's own environment.
BUILD_TOOLS = ("pip", "hatchling", "editables", "packaging", "pathspec", "pluggy", "trove_classifiers")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout whose .venv is set up, but for flashsale itself."""
    root = tmp_path / "flash sale"
    root.mkdir()
    for name in ("Makefile", "README.md", "LICENSE", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, root)
    for name in ("flashsale", "lua", "ops"):
        shutil.copytree(ROOT / name, root / name, symlinks=True)
    venv.create(root / ".venv", symlinks=True)
    packages = next((root / ".venv" / "lib").glob("python*/site-packages"))
    for name in BUILD_TOOLS:
        (packages / name).symlink_to(Path(str(files(name))))
    (root / ".venv" / ".ready").touch()
    return root


def run_in(checkout: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=checkout, check=False, capture_output=True, encoding="utf-8",
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_make_replaces_a_copy_that_somebody_installed(checkout: Path) -> None:
    python = str(checkout / ".venv" / "bin" / "python")
    run_in(checkout, python, "-m", "pip", "install", "--no-deps", "--no-build-isolation", ".")
    where = (python, "-I", "-c", "import flashsale; print(flashsale.__file__)")
    assert "site-packages" in run_in(checkout, *where)

    first, second = run_in(checkout, "make", "setup"), run_in(checkout, "make", "setup")

    assert "is not this checkout" in first
    assert run_in(checkout, *where).strip() == str(checkout / "flashsale" / "__init__.py")
    assert second == ""


def test_the_lock_names_every_dependency_and_no_place() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *[name for extra in project["project"]["optional-dependencies"].values() for name in extra],
        *project["dependency-groups"]["dev"],
    ]
    names = {match[0] for requirement in wanted if (match := re.match(r"[\w-]+", requirement))}

    assert names - set(re.findall(r"^([\w-]+)==", lock, re.MULTILINE)) == set()
    assert re.findall(r"://|^-|^/| @ ", lock, re.MULTILINE) == []


def pins(lock: str) -> dict[str, set[str]]:
    """Every version that a lock names, and the digests of what may be installed as it."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    found = re.findall(r"^([\w-]+==[\w.]+)((?: .*)?(?:\n .*)*)", text, re.MULTILINE)
    return {pin: set(re.findall(r"--hash=sha256:([0-9a-f]{64})", rest)) for pin, rest in found}


@pytest.mark.parametrize("lock", [path.name for path in sorted(ROOT.glob("requirements*.lock"))])
def test_every_pin_of_a_lock_has_its_hashes(lock: str) -> None:
    assert len(pins(lock)) > 10
    assert [pin for pin, hashes in pins(lock).items() if not hashes] == []


def test_a_server_runs_what_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["metrics"]]
    runtime, tested = pins("requirements-runtime.lock"), pins("requirements.lock")
    assert {pin: hashes for pin, hashes in runtime.items() if tested.get(pin) != hashes} == {}
    names = {match[0] for requirement in wanted if (match := re.match(r"[\w-]+", requirement))}
    assert names - {pin.partition("==")[0] for pin in runtime} == set()
