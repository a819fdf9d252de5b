"""Run one command: every way it may end becomes an exit code and at most one sentence, never a traceback."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

import typer

from flashsale.cli import INTERRUPTED, output
from flashsale.cli.root import app
from flashsale.errors import FlashsaleError
from flashsale.masking import masked

#: What a shell reports for a process whose reader went away: 128 + SIGPIPE.
BROKEN_PIPE = 141


def run(args: Sequence[str]) -> int:
    """Run the command that `args` name; returns its exit code. Raises `SystemExit` for shell completion only."""
    _prepare_streams()
    # Python would print what libraries log as it is. It is for daemons, and for --debug: `flashsale.log` replaces this.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        try:
            result = app(args, prog_name="flashsale", standalone_mode=False)
        finally:
            output.flush()
        code = result if type(result) is int else 0
    except Exception as error:  # noqa: BLE001 - the last place where a sentence can be made of it
        code = _explain(error, debug="--debug" in args or bool(os.environ.get("FLASHSALE_DEBUG")))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as end:
        if end.code != 1 or "_FLASHSALE_COMPLETE" in os.environ:  # shell completion ends by itself
            raise
        code = BROKEN_PIPE  # how rich ends the process when nobody reads the help
    if code:
        _discard(sys.stdout)
    _discard(sys.stderr)  # logs that found no room are no reason to fail
    return code


def _explain(error: Exception, *, debug: bool) -> int:
    """Say on stderr what went wrong; returns the exit code."""
    if isinstance(error, output.ReaderGone):
        return BROKEN_PIPE
    if debug:
        output.say(masked("".join(traceback.format_exception(error)).rstrip()))
    if isinstance(error, FlashsaleError):
        output.fail(str(error))
        return error.exit_code
    if isinstance(error, typer.TyperException):
        _explain_usage(error)
        return error.exit_code
    output.fail(masked(f"unexpected: {type(error).__name__}: {' '.join(str(error).split())}"))
    if not debug:
        output.say("This is a fault in flashsale. Run it again with --debug to see where.")
    return 1


def _explain_usage(error: typer.TyperException) -> None:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return  # the help was printed
    output.fail(error.format_message())
    if context is not None:
        output.say(f"Its options: {context.command_path} --help")


def _prepare_streams() -> None:
    """Make any text printable in any locale, and a closed stream a place to write to."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard(stream: TextIO) -> None:
    """What could not be written now, the interpreter would try to write once more at its end, and complain."""
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
        return
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
