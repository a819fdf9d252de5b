"""Read the histories of clients, all together, in the order of their times."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from flashsale.client_history import VERSION, Header, Invoked, Line, Returned
from flashsale.errors import BadInput


class Source(NamedTuple):
    """A history file, by the name that a person gave it."""

    name: str
    #: each with its end, the last one perhaps without
    lines: Iterable[bytes]


class Step(NamedTuple):
    """A line, and where it stands."""

    #: compares like the line's time; whoever asks at the moment of another's answer did not ask after it
    order: tuple[int, int]
    source: int
    number: int
    line: Invoked | Returned


_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def steps(sources: Sequence[Source]) -> Iterator[Step]:
    """The lines of all files as they happened; each file is in order by itself.

    Raises `BadInput` naming file and line of what no client wrote. A last line that was cut short is passed over: its
    client was killed while it wrote.
    """
    clocks: dict[str, str] = {}
    streams = [_steps(number, source, clocks) for number, source in enumerate(sources)]
    return heapq.merge(*streams, key=_order) if len(streams) > 1 else iter(streams[0])


def _order(step: Step) -> tuple[int, int]:
    return step.order


def _steps(source: int, file: Source, clocks: dict[str, str]) -> Iterator[Step]:
    newest_ns = None
    lines = iter(file.lines)
    for number, text in enumerate(lines, 1):
        line = _read(text, file.name, number)
        if line is None:
            if next(lines, None) is not None:
                raise _bad(file.name, number, text, "it is too long for a line of a client's history")
            return
        if number == 1:
            _begin(line, file.name, clocks)
            continue
        if isinstance(line, Header):
            raise _bad(file.name, number, text, "a history begins once: two were put into one file")
        if newest_ns is not None and line.at_ns < newest_ns:
            raise _bad(
                file.name, number, text, "the times of a history never go back: two were put into one file"
            )
        newest_ns = line.at_ns
        yield Step((newest_ns, int(isinstance(line, Returned))), source, number, line)


def _read(text: bytes, name: str, number: int) -> Line | None:
    """One line; None for one that was cut short."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if not text.endswith(b"\n"):
            return None
        remedy = "it must be a line that a client's history has; only the last one may be cut short"
        raise _bad(name, number, text, remedy) from None


def _begin(line: Line, name: str, clocks: dict[str, str]) -> None:
    """Check the first line; `clocks` has those of the files that began before."""
    if not isinstance(line, Header):
        raise BadInput(
            f"{name}, line 1", type(line).__name__, "a history begins with its client and its clock"
        )
    if line.version != VERSION:
        raise BadInput(f"{name}, version", line.version, f"this program reads version {VERSION}")
    clocks[name] = line.clock
    other = next((other for other, clock in clocks.items() if clock != line.clock), None)
    if other is not None:
        remedy = f"its times cannot be compared with those of {other}, another machine or boot: check each by itself"
        raise BadInput(f"{name}, clock", line.clock, remedy)


def _bad(name: str, number: int, text: bytes, remedy: str) -> BadInput:
    return BadInput(f"{name}, line {number}", text.decode(errors="replace").strip(), remedy)
