"""Logs: a sentence, a stable `action`, and the ids it is about, on standard error.

The actions are a promise to whoever alarms on them; docs/logs.md lists them. A password that stands in an address or in
what a library says of one is masked, in every field.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from typing import Any, Literal, TextIO

import structlog

from flashsale.masking import masked

log = structlog.get_logger(__name__)


class _Unfailing(io.TextIOBase):
    """What a full disk or a closed stream does not take is lost: the work of a daemon goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def configure(level: str, style: Literal["auto", "json", "plain"]) -> None:
    """Send structured logs of this process, and what libraries log, to standard error."""
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
            _without_passwords,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_Unfailing(sys.stderr)),  # type: ignore[arg-type]  # it writes and flushes
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)
    logging.captureWarnings(capture=True)


def _without_passwords(_logger: object, _method: str, fields: structlog.typing.EventDict) -> dict[str, Any]:
    return {name: _masked(value) for name, value in fields.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return value


class _Libraries(logging.Handler):
    """Logs what a library has to say as one line like any other."""

    def emit(self, record: logging.LogRecord) -> None:
        sentence = " ".join(record.getMessage().split())
        library = record.name.partition(".")[0]
        log.warning(sentence, action="library_warning", library=library, exc_info=record.exc_info)
