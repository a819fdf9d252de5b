"""Files with a password in them: whether every user of this machine can read it."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from flashsale.doctor.check import Check, checked


def passwords(files: Mapping[str, Path]) -> Iterator[Check]:
    """Setting → the file that holds it, with a password."""
    for name, path in files.items():
        is_open = _is_open_to_all(path)
        yield checked(
            f"password of {name}", f"{path} can be read by {'everybody here' if is_open else 'some only'}",
            f"chmod o-r {path}, and change the password", holds=not is_open, verdict="warn",
        )  # fmt: skip


def _is_open_to_all(path: Path) -> bool:
    """A file in a directory that keeps others out is closed, too."""
    try:
        real = path.resolve()
        readable = bool(real.stat().st_mode & stat.S_IROTH)
        return readable and all(parent.stat().st_mode & stat.S_IXOTH for parent in real.parents)
    except OSError:  # it was read a moment ago, and is gone
        return False
