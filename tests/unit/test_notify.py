"""What a service manager is told, read from the other end of its socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashsale.notify import Notifier

TIMEOUT_S = 20


@pytest.fixture(params=["a path", "an abstract name"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The socket that a service manager reads, and what it calls it in `NOTIFY_SOCKET`."""
    name = str(tmp_path / "notify") if request.param == "a path" else f"@flashsale-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(name.replace("@", "\0") if name.startswith("@") else name)
        inbox.settimeout(TIMEOUT_S)
        yield inbox, name


def messages(inbox: socket.socket, count: int) -> list[str]:
    return [inbox.recv(4096).decode() for _ in range(count)]


def test_a_status_is_told_when_it_changes_and_the_watchdog_is_fed_each_time(
    manager: tuple[socket.socket, str],
) -> None:
    inbox, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})

    notifier.ready()
    notifier.alive("at work")
    notifier.alive("at work")
    notifier.alive("waiting: Redis")
    notifier.stopping()

    assert messages(inbox, 5) == [
        "READY=1",
        "WATCHDOG=1\nSTATUS=at work",
        "WATCHDOG=1",
        "WATCHDOG=1\nSTATUS=waiting: Redis",
        "STOPPING=1\nSTATUS=finishing what is under way",
    ]


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        notifier = Notifier(environ)
        notifier.ready()
        notifier.alive("at work")


#: One turn works, one finds a server away, one hangs until it is killed.
DAEMON = """
from flashsale.daemon import Daemon
from flashsale.errors import Unreachable

turns = iter(range(3))

def step():
    turn = next(turns)
    if turn == 1:
        raise Unreachable("Redis is away")
    if turn == 2:
        input()

Daemon("child").run(step, close=lambda: None)
"""


def test_a_daemon_that_hangs_feeds_no_watchdog(manager: tuple[socket.socket, str]) -> None:
    inbox, name = manager
    child = subprocess.Popen(
        [sys.executable, "-c", DAEMON],
        env=os.environ | {"NOTIFY_SOCKET": name},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert messages(inbox, 3) == [
            "READY=1",
            "WATCHDOG=1\nSTATUS=at work",
            "WATCHDOG=1\nSTATUS=waiting: Redis is away",
        ]
        inbox.settimeout(1)
        with pytest.raises(TimeoutError):
            inbox.recv(4096)
        inbox.settimeout(TIMEOUT_S)
        child.communicate(b"\n", timeout=TIMEOUT_S)  # it goes on; the fourth turn is a fault, which ends it
        assert messages(inbox, 2) == [
            "WATCHDOG=1\nSTATUS=at work",
            "STOPPING=1\nSTATUS=finishing what is under way",
        ]
    finally:
        child.kill()
        child.wait()
