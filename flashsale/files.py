"""Read a small file that somebody named. What waits for a writer, never ends or is no file is refused at once."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: Where a shell puts what it redirects: `… < drop.toml`, `<(sed … drop.toml)`. A writer is there already.
_REDIRECTED = (Path("/dev/stdin"), Path("/dev/fd"), Path("/proc/self/fd"))


class Unreadable(Exception):
    """The file cannot be read; the text says why, and begins with `it`."""


def read_file(path: Path, bytes_max: int) -> bytes:
    """The content of a regular file, or of a pipe that the shell made. Raises `Unreadable`."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISFIFO(mode) and is_redirected(path):
                os.set_blocking(file.fileno(), True)
            elif not stat.S_ISREG(mode):
                raise Unreadable("it is a device or a pipe: name a regular file")
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}") from error
    if len(content) > bytes_max:
        raise Unreadable(f"it is longer than {bytes_max // 1024**2} MB: is it the right file?")
    return content


def is_redirected(path: Path) -> bool:
    """Whether the name stands for something that the shell opened, and so has no directory of its own."""
    return path in _REDIRECTED or path.parent in _REDIRECTED


def _at_once(path: str, flags: int) -> int:
    """Open a pipe without waiting for its writer."""
    return os.open(path, flags | os.O_NONBLOCK)
