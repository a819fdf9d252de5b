"""Where the servers of a data directory keep their files, and where their sockets are.

    DATA_DIR/                  what the user named
        lock                   held while servers are started or stopped
        location               where the files below are: "." (here) or another directory; marks DATA_DIR as ours
        redis.pid  redis.log  postgres.pid  postgres.log
        redis/  postgres/      the data, 0700
        run/                   the sockets, 0700: who gets in there may use the servers
        programs/              copies of server programs that are out of the servers' reach where they are installed

Two limits push files elsewhere. A socket's path has room for about a hundred bytes: below a longer DATA_DIR the sockets
are in a private directory below /tmp. And root's servers run as another user: when a parent of DATA_DIR keeps that one
out (/root does), all but `lock` and `location` is below /var/lib. No mode of a directory that is not ours is changed.
"""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flashsale.errors import BadInput, RefusedByState, Unreachable
from flashsale.servers import directories
from flashsale.servers.account import Account

LOCK = "lock"
REDIS_SOCKET = "redis.sock"
#: Postgres derives the name from its port.
POSTGRES_SOCKET = ".s.PGSQL.5432"

#: struct sockaddr_un has room for 108 bytes on Linux, 104 on macOS, the closing NUL among them.
SOCKET_PATH_BYTES_MAX = 103

_LOCATION = "location"
_NEW_LOCATION = "location.new"
_MADE, _FOUND = "made", "found"
_FILES = (
    *("redis", "redis.pid", "redis.log", "redis.log.1"),
    *("postgres", "postgres.new", "postgres.pid", "postgres.log", "postgres.log.1"),
    *("run", "programs"),
)
_STAND_IN_PREFIX = "flashsale-dev-"
_STAND_IN_PARENTS = (Path("/var/lib"), Path("/tmp"))  # noqa: S108 - the name is checked before it is trusted


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`flashsale/dev` in the user's data directory, as the XDG Base Directory Specification has it."""
    data_home = environ.get("XDG_DATA_HOME", "")
    if data_home.startswith("/"):  # the specification: a relative path is to be ignored
        return Path(data_home, "flashsale", "dev")
    home = environ.get("HOME", "")
    if not home:
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError as exc:
            raise BadInput("HOME", home, "set it, or name a data directory") from exc
    return Path(home, ".local", "share", "flashsale", "dev")


@dataclass(frozen=True, kw_only=True)
class Place:
    """The directories of one pair of servers, made or not."""

    #: what the user named
    data_dir: Path
    #: where the files are: `data_dir`, or a directory that stands in for it
    root: Path
    #: where the sockets are
    run_dir: Path
    #: whom the servers run as
    account: Account

    def make(self, *, made_data_dir: bool) -> None:
        """Make what is missing, and see that what is there can be trusted. Needs the lock."""
        if self.root != self.data_dir:
            directories.make_passable(self.root)
        if recorded_root(self.data_dir) is None:
            # Before anything else is put there: without this file the next call takes it for somebody else's.
            root = "." if self.root == self.data_dir else self.root
            new = self.data_dir / _NEW_LOCATION
            new.write_text(f"{root}\n{_MADE if made_data_dir else _FOUND}\n", encoding="utf-8")
            new.replace(self.data_dir / _LOCATION)
        directories.make_private(self.run_dir, self.account)

    def remove(self) -> None:
        """Remove all that was ever made here, and nothing else. Needs the lock, whose file goes last."""
        made_data_dir = _MADE in _location_lines(self.data_dir)[1:]
        for name in (REDIS_SOCKET, POSTGRES_SOCKET, f"{POSTGRES_SOCKET}.lock"):
            (self.run_dir / name).unlink(missing_ok=True)
        directories.remove_if_empty(self.run_dir)
        for name in _FILES:
            directories.remove(self.root / name)
        if self.root != self.data_dir:
            directories.remove_if_empty(self.root)
        for name in (_NEW_LOCATION, _LOCATION, LOCK):
            directories.remove(self.data_dir / name)
        if made_data_dir:
            directories.remove_if_empty(self.data_dir)


def prepare(data_dir: Path, account: Account) -> bool:
    """Make the data directory; False when it was there. Raises `BadInput` when it holds files of somebody else."""
    mode = directories.PASSABLE_MODE if account.switches else directories.PRIVATE_MODE
    made = directories.make_with_parents(data_dir, mode)
    names = {path.name for path in data_dir.iterdir()}
    if _LOCATION not in names and not names <= {LOCK, _NEW_LOCATION}:
        raise BadInput("data directory", str(data_dir), "it holds other files: name a new or an empty one")
    return made


def recorded_root(data_dir: Path) -> Path | None:
    """Where the files of `data_dir` are, once servers were started there."""
    lines = _location_lines(data_dir)
    if not lines:
        return None
    if lines[0] == ".":
        return data_dir
    root = Path(lines[0])
    if not root.is_absolute() or not root.name.startswith(_STAND_IN_PREFIX):
        raise BadInput(
            "data directory", str(data_dir), "its file `location` is not flashsale's: name another"
        )
    return root


def locate(data_dir: Path, account: Account) -> Place:
    """Where the files of `data_dir` are, or would be. Changes nothing."""
    root = recorded_root(data_dir) or _choose_root(data_dir, account)
    return Place(data_dir=data_dir, root=root, run_dir=_choose_run_dir(data_dir, root), account=account)


def _location_lines(data_dir: Path) -> list[str]:
    try:
        with (data_dir / _LOCATION).open(encoding="utf-8", errors="surrogateescape") as file:
            owner = os.fstat(file.fileno()).st_uid
            lines = file.read().split("\n")
    except FileNotFoundError:
        return []
    if owner != os.geteuid():
        raise RefusedByState(
            f"The servers in {data_dir} belong to the user with id {owner}: run this as that user, or name another"
            " data directory."
        )
    return lines


def _choose_root(data_dir: Path, account: Account) -> Path:
    if not account.switches or account.can_enter(directories.nearest_existing(data_dir)):
        return data_dir
    for parent in _STAND_IN_PARENTS:
        root = parent / f"{_STAND_IN_PREFIX}{_digest(data_dir)}"
        if os.access(parent, os.W_OK) and account.can_enter(directories.nearest_existing(root)):
            return root
    parents = " and ".join(map(str, _STAND_IN_PARENTS))
    raise Unreachable(
        f"The servers run as another user than root, and that user cannot enter {data_dir}, {parents}:"
        " name a data directory that every user may pass through, such as a new one below /srv."
    )


def _choose_run_dir(data_dir: Path, root: Path) -> Path:
    if _fits_a_socket(root / "run"):
        return root / "run"
    # Not $XDG_RUNTIME_DIR: it is removed when the user logs out, and the servers stay. Not $TMPDIR at first: the next
    # command may have another one, and would not find the sockets.
    base = Path("/tmp")  # noqa: S108 - make_private() checks what is there
    if not os.access(base, os.W_OK | os.X_OK):
        import tempfile  # noqa: PLC0415 - takes long to import, and is hardly ever needed

        base = Path(tempfile.gettempdir())
    run_dir = base / f"flashsale-{os.geteuid()}-{_digest(data_dir)}"
    if not _fits_a_socket(run_dir):
        raise Unreachable(f"{run_dir} is too long a path for a socket: set TMPDIR to a shorter directory.")
    return run_dir


def _fits_a_socket(run_dir: Path) -> bool:
    path = str(run_dir / POSTGRES_SOCKET)
    # A comma separates directories for Postgres and its clients. What is not UTF-8 does not survive a URL.
    return "," not in path and len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX and path.isprintable()


def _digest(data_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
