"""Logs: a sentence, a stable `action`, and the ids it is about, on standard error.

The actions are a promise to whoever alarms on them; docs/operating.md lists them.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from typing import Literal, TextIO

import structlog


class _Unfailing(io.TextIOBase):
    """What a full disk does not take is lost: a daemon that cannot tell what it does still has to do it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure(level: str, style: Literal["auto", "json", "plain"]) -> None:
    """Send structured logs of this process to standard error."""
    plain = style == "plain" or (style == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if plain
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_Unfailing(sys.stderr)),  # type: ignore[arg-type]  # it writes and flushes
        cache_logger_on_first_use=True,
    )
