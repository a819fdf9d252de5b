"""What commands print: data on stdout, everything else on stderr.

Colour and width follow the terminal; a pipe gets plain lines of any length. NO_COLOR and TERM=dumb are honoured.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from flashsale.errors import FlashsaleError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: A pipe has no width: nothing is wrapped or cut.
PIPE_WIDTH = 10_000


class ReaderGone(Exception):
    """Nobody reads the output any more: `flashsale events export … | head`."""


def line(text: str) -> None:
    """One line of data."""
    with _explained():
        sys.stdout.write(f"{text}\n")


def flush() -> None:
    """Let whoever reads the output see it now."""
    with _explained():
        sys.stdout.flush()


def json(value: object) -> None:
    """One JSON value on one line."""
    import msgspec

    line(msgspec.json.encode(value).decode())


def say(text: str) -> None:
    """A sentence for people."""
    print(text, file=sys.stderr)


def suggest(command: str, why: str = "") -> None:
    """The command that a person may want next."""
    say(_styled(f"Next: flashsale {command}" + (f"   ({why})" if why else ""), "2", sys.stderr))


def fail(sentence: str) -> None:
    """Why nothing, or not everything, was done."""
    say(f"{_styled('error:', '1;31', sys.stderr)} {sentence}")


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line."""
    known = list(pairs)
    width = max(len(name) for name, _ in known)
    for name, value in known:
        line(f"{_styled(name.ljust(width), '2', sys.stdout)}  {value}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under column names; a column whose name begins with `#` holds numbers."""
    drawn = io.StringIO()
    console_of(drawn, like=sys.stdout).print(build_table(columns, rows))
    for text in drawn.getvalue().splitlines():
        line(text.rstrip())


def build_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """The same as something that rich can draw again and again."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name.removeprefix("#"), justify="right" if name.startswith("#") else "left")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))  # Text: a title with [brackets] is no markup
    return made


def console_of(stream: IO[str], like: IO[str] | None = None) -> Console:
    """A rich console that draws on `stream` as it would on `like`."""
    from rich.console import Console

    is_terminal = (like or stream).isatty()
    width = None if is_terminal else PIPE_WIDTH
    return Console(file=stream, force_terminal=is_terminal, width=width, highlight=False)


def is_terminal() -> bool:
    """Whether a person looks at stdout, on something that can redraw."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone from error
    except OSError as error:
        raise FlashsaleError(f"the output cannot be written: {error.strerror}") from error


def _styled(text: str, codes: str, stream: IO[str]) -> str:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return text if plain else f"\x1b[{codes}m{text}\x1b[0m"
