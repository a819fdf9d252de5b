"""Logs: a sentence, a stable `action`, and the ids it is about, on standard error.

The actions are a promise to whoever alarms on them; docs/operating.md lists them.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

log = structlog.get_logger(__name__)


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)


class _Libraries(logging.Handler):
    """Logs what a library has to say as one line like any other."""

    def emit(self, record: logging.LogRecord) -> None:
        write = log.error if record.levelno >= logging.ERROR else log.warning
        sentence = " ".join(record.getMessage().split())
        library = record.name.partition(".")[0]
        write(sentence, action="library_warning", library=library, exc_info=record.exc_info)
