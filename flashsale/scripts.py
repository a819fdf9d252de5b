"""Load the Lua scripts: one file per command in `lua/`, each with a header that is its contract.

A script's text is: an engine line with its flags, the functions of `lua/prelude/` that it calls, the file; the code
alone, without comments and indentation. It runs by EVALSHA; the SHA1 of the text is its version, so processes of two
releases can run side by side on one server.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

#: The folder below `lua/` of what scripts share.
PRELUDE = "prelude"

_NAME = re.compile(r"-- (?P<name>[a-z]+): (?P<sentence>.+[.,;:]?)$")
#: Where a function of the prelude begins; the prelude holds nothing else.
_FUNCTION = re.compile(r"^local function (\w+)", re.MULTILINE)
#: A call of a function that is no field of a table.
_CALL = re.compile(r"(?<![\w.:])(\w+)\(")
_SECTION = re.compile(r"-- (?P<section>KEYS|ARGV|Returns|Flags|Emits) +(?P<text>.+)$")


class Script(NamedTuple):
    """One script as Redis runs it."""

    #: the file's name without `.lua`; also the name of the command
    name: str
    #: the whole text: engine line, what it calls of the prelude, file
    source: str
    #: SHA1 of `source`, hexadecimal: what EVALSHA takes
    sha: str
    #: names of the keys, in order
    keys: tuple[str, ...]
    #: event types the script may write
    emits: tuple[str, ...]


@cache
def script(name: str) -> Script:
    """The script `lua/NAME.lua`. Raises `KeyError` when there is none, `ValueError` when its header is incomplete."""
    if name not in script_names():
        raise KeyError(name)
    text = (files("flashsale") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    header = parse_header(text)
    if header["name"] != name:
        raise ValueError(f"lua/{name}.lua calls itself {header['name']!r}")
    flags = header.get("Flags", "").partition(":")[0].strip()
    engine = f"#!lua flags={flags}\n" if flags else "#!lua\n"
    own = _code(text)
    source = engine + "".join(_called(own)) + own
    emits = () if header["Emits"] == "nothing" else tuple(header["Emits"].split(", "))
    return Script(
        name,
        source,
        hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest(),
        tuple(header["KEYS"].split()),
        emits,
    )


@cache
def script_names() -> tuple[str, ...]:
    """The names of all scripts, sorted."""
    entries = (files("flashsale") / "lua").iterdir()
    return tuple(sorted(entry.name.removesuffix(".lua") for entry in entries if entry.name.endswith(".lua")))


def parse_header(text: str) -> dict[str, str]:
    """Read the comment block at the top: `name`, `sentence` and the first line of each section.

    Raises `ValueError` when the name or one of KEYS, ARGV, Returns, Emits is missing.
    """
    lines = text.splitlines()
    first = _NAME.match(lines[0]) if lines else None
    if first is None:
        raise ValueError("a script begins with `-- name: sentence`")
    header = first.groupdict()
    for line in lines:
        if not line.startswith("--"):
            break
        section = _SECTION.match(line)
        if section:
            header.setdefault(section["section"], section["text"].strip())
    missing = {"KEYS", "ARGV", "Returns", "Emits"} - header.keys()
    if missing:
        raise ValueError(f"the header of {header['name']} lacks {', '.join(sorted(missing))}")
    return header


def _called(own: str) -> list[str]:
    """The functions of the prelude that a script calls: each behind those that it calls itself, as Lua wants it."""
    shared, begun, called = _shared(), set[str](), list[str]()

    def take_calls(code: str) -> None:
        for name in _CALL.findall(code):
            if name in shared and name not in begun:
                begun.add(name)
                take_calls(shared[name])
                called.append(shared[name])

    take_calls(own)
    return called


@cache
def _shared() -> dict[str, str]:
    """The functions of the prelude by name."""
    found: dict[str, str] = {}
    for part in (files("flashsale") / "lua" / PRELUDE).iterdir():
        if part.name.endswith(".lua"):
            pieces = _FUNCTION.split(_code(part.read_text(encoding="utf-8")))[1:]
            found |= {
                name: f"local function {name}{body}"
                for name, body in zip(pieces[::2], pieces[1::2], strict=True)
            }
    return found


def _code(text: str) -> str:
    """The lines that do something.

    A client without the password begins with a script. Of more than 16 KiB from somebody unknown Redis reads nothing:
    it ends the connection (unauthenticated bulk length, networking.c), and nobody is told that a password is missing.
    """
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("--"))
