"""Directories that can be trusted: ours, and closed to others whatever the umask is."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from flashsale.errors import RefusedByState
from flashsale.servers.account import Account

PRIVATE_MODE = 0o700
#: Of root's own directories: the servers' user may pass, and sees nothing.
PASSABLE_MODE = 0o711


def make_with_parents(directory: Path, mode: int) -> bool:
    """Make `directory` and what is missing above it; False when it is there. What is there keeps its mode."""
    missing = []
    while not os.path.lexists(directory):
        missing.append(directory)
        directory = directory.parent
    made = False
    for directory in reversed(missing):
        # Two processes may get here at once: each makes what the other has not made yet.
        with contextlib.suppress(FileExistsError):
            _make(directory, mode)
            made = True
    return made


def make_passable(directory: Path) -> None:
    """Make a directory of this process's user, which others may pass but not change; or make sure that it is one."""
    with contextlib.suppress(FileExistsError):
        _make(directory, PASSABLE_MODE)
    if not _is_closed(directory.lstat(), os.geteuid(), PASSABLE_MODE):
        raise RefusedByState(_refusal(directory))


def make_private(directory: Path, account: Account) -> None:
    """Make a directory that only the servers' user (and root) may enter; or make sure that it is one."""
    try:
        _make(directory, PRIVATE_MODE)
    except FileExistsError:
        found = directory.lstat()
        if _is_closed(found, account.uid, PRIVATE_MODE):
            return
        # Ours, not theirs: an earlier call was killed before it could give the directory away.
        if not _is_closed(found, os.geteuid(), PRIVATE_MODE):
            raise RefusedByState(_refusal(directory)) from None
    if account.switches:
        os.chown(directory, account.uid, account.gid, follow_symlinks=False)


def nearest_existing(path: Path) -> Path:
    """`path`, or the closest directory above it that is there."""
    while not os.path.lexists(path):
        path = path.parent
    return path


def remove(path: Path) -> None:
    """Remove a file or a whole directory, if it is there. No symbolic link is followed."""
    if path.is_dir() and not path.is_symlink():
        import shutil  # noqa: PLC0415 - takes longer to import than all the rest

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_if_empty(directory: Path) -> None:
    """Remove a directory unless somebody else keeps something in it."""
    with contextlib.suppress(OSError):
        directory.rmdir()


def _make(directory: Path, mode: int) -> None:
    directory.mkdir(mode)
    directory.chmod(mode)  # the umask took bits away


def _is_closed(found: os.stat_result, owner: int, mode_max: int) -> bool:
    too_open = stat.S_IMODE(found.st_mode) & 0o777 & ~mode_max
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not too_open


def _refusal(directory: Path) -> str:
    return (
        f"{directory} is there, but it is not a directory that flashsale's servers own and that is closed to others,"
        " so somebody else may have put it there. Look at it, remove it, and try again."
    )
