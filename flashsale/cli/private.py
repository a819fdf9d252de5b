"""For commands that run a whole shop: servers of their own, gone afterwards."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from flashsale.bootstrap import Parts
    from flashsale.cli.session import Session


def end_cleanly_on(*numbers: signal.Signals) -> None:
    """Let these signals unwind the command like Ctrl-C does: servers and daemons are children, and must not stay."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in numbers:
        signal.signal(number, end)


@contextmanager
def servers_of_its_own(session: Session, command: str, *, keep: bool = False) -> Iterator[tuple[Parts, Path]]:
    """Where to run, with servers that are up, and a directory for files. Servers that are configured win."""
    parts = session.parts
    if keep or parts.settings.data_dir or not (parts.uses_dev_redis and parts.uses_dev_postgres):
        with (
            _maybe_destroyed(parts, keep=keep),
            tempfile.TemporaryDirectory(prefix="flashsale-logs-") as logs,
        ):
            yield parts, Path(logs)
        return
    folder = Path(tempfile.mkdtemp(prefix=f"flashsale-{command}-"))
    try:
        private = session.with_flags(data_dir=str(folder / "dev"), private_servers="start").parts
        with _maybe_destroyed(private, keep=False):
            yield private, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _maybe_destroyed(parts: Parts, *, keep: bool) -> Iterator[None]:
    """Servers that were not there before are removed afterwards, unless they shall be kept."""
    existed = any(server.version for server in parts.dev_servers.status())
    try:
        parts.urls()
        yield
    finally:
        if not keep and not existed and (parts.uses_dev_redis or parts.uses_dev_postgres):
            parts.dev_servers.destroy()
