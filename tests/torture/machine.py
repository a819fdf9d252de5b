"""What the torture can do to a server's machine: step its clock, slow or break its fsync, fill its disk.

The first three need a C compiler (an LD_PRELOADed library), the last needs root (a small tmpfs). What is missing is
said, and the faults that need it are left out.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("preload.c")
COMPILE_TIMEOUT_S = 60
DISK_BYTES = 256 * 1024 * 1024
FILLER = "filler"


class Field(IntEnum):
    """The integers of `struct control` in preload.c, in their order."""

    CLOCK_OFFSET_MS = 0
    FSYNC_DELAY_US = 1
    FSYNC_ERRNO = 2
    FSYNCS_DELAYED = 3
    FSYNCS_FAILED = 4


def build_library(directory: Path) -> Path | None:
    """Compile preload.c; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = directory / "preload.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, timeout=COMPILE_TIMEOUT_S, check=False)
    if done.returncode != 0:
        return None
    library.chmod(0o755)
    return library


class Control:
    """The memory shared with the library inside one server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(8 * len(Field)))
        path.chmod(0o666)  # the server runs as another user
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8 * len(Field))

    def __getitem__(self, field: Field) -> int:
        (value,) = struct.unpack_from("q", self._memory, 8 * field)
        return int(value)

    def __setitem__(self, field: Field, value: int) -> None:
        struct.pack_into("q", self._memory, 8 * field, value)

    def heal(self) -> None:
        """The right clock, a good disk."""
        for field in (Field.CLOCK_OFFSET_MS, Field.FSYNC_DELAY_US, Field.FSYNC_ERRNO):
            self[field] = 0


class Disk:
    """A directory of a server's own; a small file system of its own, too, where we are root."""

    def __init__(self, directory: Path, uid: int, gid: int, size_bytes: int = DISK_BYTES) -> None:
        self.directory = directory
        directory.mkdir()
        self.is_small = _mounted(directory, uid, gid, size_bytes)
        if os.geteuid() == 0:
            os.chown(directory, uid, gid)

    def fill(self) -> None:
        """Take all the room there is."""
        with (self.directory / FILLER).open("ab", buffering=0) as filler:
            for size in (1024 * 1024, 4096, 1):
                chunk = bytes(size)
                try:
                    while filler.write(chunk) == size:
                        pass
                except OSError:
                    continue  # a smaller piece may still fit

    def make_room(self) -> None:
        """Give the room back."""
        (self.directory / FILLER).unlink(missing_ok=True)

    def wipe(self) -> None:
        """Remove what a server has stored."""
        for path in self.directory.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def close(self) -> None:
        """Unmount."""
        if self.is_small:
            subprocess.run(["umount", "--lazy", str(self.directory)], check=False, capture_output=True)


def _mounted(directory: Path, uid: int, gid: int, size_bytes: int) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    options = f"size={size_bytes},mode=0700,uid={uid},gid={gid}"
    command = ["mount", "-t", "tmpfs", "-o", options, "flashsale-torture", str(directory)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
