"""Files that somebody names: what is read, and what is refused instead of waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from flashsale.files import Unreadable, read_file

BYTES_MAX = 1024 * 1024


def refusal(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        read_file(path, BYTES_MAX)
    return str(caught.value)


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "full").write_bytes(b"x" * BYTES_MAX)
    (tmp_path / "over").write_bytes(b"x" * (BYTES_MAX + 1))

    assert len(read_file(tmp_path / "full", BYTES_MAX)) == BYTES_MAX
    assert refusal(tmp_path / "over") == "it is longer than 1 MB: is it the right file?"


def test_what_would_wait_or_never_end_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))

    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        assert refusal(path) == "it is a device or a pipe: name a regular file"
    assert refusal(tmp_path / "socket").startswith("it cannot be read: ")
    assert refusal(tmp_path) == "it cannot be read: Is a directory"
    assert refusal(tmp_path / "nothing") == "it cannot be read: No such file or directory"


def test_a_pipe_that_the_shell_made_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"all of it")
    os.close(writing)
    try:
        assert read_file(Path(f"/dev/fd/{reading}"), BYTES_MAX) == b"all of it"
    finally:
        os.close(reading)
