"""Tell the service manager how this process is: ready, alive, stopping.

systemd's notification protocol (sd_notify(3)): datagrams to the socket that `NOTIFY_SOCKET` names, where a leading `@`
stands for the abstract namespace. Without that variable nothing is sent, so a daemon runs the same from a shell.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

#: A manager that does not read must not stop the work: what does not go out at once is dropped.
SEND_TIMEOUT_S = 0.2


class Notifier:
    """Messages of one daemon to its service manager."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._told = ""

    def ready(self) -> None:
        """The start is complete."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """A turn of the work came to its end; feeds the watchdog. `status` is a phrase for `systemctl status`."""
        changed = status != self._told
        self._told = status
        self._send(f"WATCHDOG=1\nSTATUS={status}" if changed else "WATCHDOG=1")

    def stopping(self) -> None:
        """The work under way is being finished."""
        self._send("STOPPING=1\nSTATUS=finishing what is under way")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # A manager that went away is no reason to stop the work it manages.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(SEND_TIMEOUT_S)
            out.sendto(message.encode(), address)
