"""A sale's definition as a file: TOML, its items inline or in a CSV table beside it.

    sale = "spring-drop"                  # its id, for ever
    title = "Spring drop"
    currency = "EUR"
    hold = "15m"                          # how long an unpaid order keeps its units
    opens = 2027-03-01T10:00:00+01:00     # left out: a person opens it
    closes = 2027-03-01T12:00:00+01:00    # left out: a person closes it

    [[items]]                             # or: items_file = "items.csv", with these names in its first row
    sku = "sneaker-42"
    title = "Sneaker, size 42"
    quantity = 500
    unit_price_minor = 12900              # in the currency's smallest unit: 129.00 EUR
    limit = 2                             # units one buyer may have; left out or 0: no limit

What is not understood is refused, with the place in the file; nothing is guessed or converted.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from flashsale.definition import SaleDefinition, SaleItem
from flashsale.errors import BadInput, FlashsaleError
from flashsale.files import Unreadable, is_redirected, read_file
from flashsale.times import parse_hold, parse_time, shown

#: A thousand items are a few hundred kilobytes.
FILE_BYTES_MAX = 4 * 1024 * 1024

_KEYS = ("sale", "title", "currency", "hold", "opens", "closes", "items", "items_file")
_REQUIRED = ("sale", "title", "currency", "hold")
_ITEM_KEYS = ("sku", "title", "quantity", "unit_price_minor", "limit")
_ITEM_REQUIRED = ("sku", "title", "quantity", "unit_price_minor")
_NUMBERS = ("quantity", "unit_price_minor", "limit")

_WHOLE = re.compile(r"0|[1-9][0-9]{0,12}")
#: TOML knows 0x10, 0o20 and 0b10000; a reader of the file expects 16.
_OTHER_BASE = re.compile(rf"^[^#\n]*?\b({'|'.join(_NUMBERS)})\s*=\s*(0[xob]\w+)", re.MULTILINE)


class BadFile(BadInput):
    """A file cannot be read as a definition; nothing was changed."""

    def __init__(self, name: str, problem: str) -> None:
        FlashsaleError.__init__(self, f"{name}: {problem}")
        self.field, self.value, self.remedy = name, None, problem


#: One item, where it stands, and how its place is called.
_Placed = tuple[str, Mapping[str, Any]]


def read_definition(path: Path) -> SaleDefinition:
    """Read a definition; `items_file` is looked for beside it. Raises `BadInput` with the place of the first fault."""
    read = None if is_redirected(path) else lambda name: _read(_beside(path, name))
    return parse_definition(_read(path), path.name, read)


def parse_definition(content: bytes, name: str, read: Callable[[str], bytes] | None = None) -> SaleDefinition:
    """Parse a definition. `name` stands in messages; `read` returns the content of the items' file."""
    table = _parse_toml(_text(content, name), name)
    _check_keys(table, _KEYS, _REQUIRED, name)
    items = _checked_items(_placed_items(table, name, read))
    with _at(name):
        opens_ms, closes_ms = _time_ms(table, "opens"), _time_ms(table, "closes")
        if closes_ms and closes_ms <= opens_ms:
            raise BadInput("closes", shown(table["closes"]), f"it must come after opens, {table['opens']}")
        return SaleDefinition(
            sale=table["sale"],
            title=table["title"],
            currency=table["currency"],
            hold_ms=parse_hold(table["hold"]),
            opens_ms=opens_ms,
            closes_ms=closes_ms,
            items=items,
        )


def _time_ms(table: Mapping[str, Any], field: str) -> int:
    return parse_time(table[field], field) if field in table else 0


def _read(path: Path) -> bytes:
    try:
        return read_file(path, FILE_BYTES_MAX)
    except Unreadable as error:
        raise BadFile(str(path), str(error)) from error


def _beside(path: Path, name: str) -> Path:
    """Where the items' file is. A definition may come from somebody else: it opens nothing but its own directory."""
    file = path.parent / name
    try:
        inside = file.resolve().is_relative_to(path.parent.resolve())
    except (OSError, RuntimeError):  # links that lead in a circle
        inside = False
    if not inside:
        raise BadInput(f"{path.name}, items_file", name, "name a file in the directory of the definition")
    return file


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(name, f"it is not UTF-8 (byte {error.start + 1}): save it as UTF-8") from error


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for an integer of 5,000 digits
        raise BadFile(name, f"it is not TOML: {error}") from error
    if found := _OTHER_BASE.search(text):
        raise BadInput(f"{name}, {found[1]}", found[2], "write the number with the digits 0 to 9")
    return table


def _check_keys(
    table: Mapping[str, Any], known: Collection[str], required: Collection[str], place: str
) -> None:
    for key in table:
        if key not in known:
            close = get_close_matches(key, known, n=1) or [name for name in known if f"_{key}_" in name]
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise BadFile(place, f"there is no {key!r}; {remedy}")
    for key in required:
        if key not in table:
            raise BadFile(place, f"{key} is missing")


def _placed_items(
    table: Mapping[str, Any], name: str, read: Callable[[str], bytes] | None
) -> Iterator[_Placed]:
    if ("items" in table) == ("items_file" in table):
        raise BadFile(name, "write either [[items]] or items_file, one of them")
    if "items" in table:
        return _inline_items(table["items"], name)
    file = table["items_file"]
    if type(file) is not str or not file or not file.isprintable():
        raise BadInput(f"{name}, items_file", file, 'write the name of a CSV file: "items.csv"')
    if read is None:
        raise BadFile(name, "its items must stand in it: there is no place to look for an items_file")
    return _csv_items(_text(read(file), file), file)


def _inline_items(items: object, name: str) -> Iterator[_Placed]:
    if type(items) is not list or not items or any(type(item) is not dict for item in items):
        raise BadFile(name, "items are tables: begin each with [[items]], in two brackets")
    for number, item in enumerate(items, 1):
        yield f"{name}, item {number}", item


def _csv_items(text: str, name: str) -> Iterator[_Placed]:
    rows = enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1)
    columns: list[str] = []
    row = 0
    try:
        for row, cells in rows:
            if not cells:  # a blank line
                continue
            if not columns:
                columns = cells
                _check_columns(columns, name)
            elif len(cells) != len(columns):
                raise BadFile(f"{name}, row {row}", f"{len(cells)} values for {len(columns)} columns")
            else:
                item = {key: _cell(key, cell) for key, cell in zip(columns, cells, strict=True)}
                yield f"{name}, row {row}", item
    except csv.Error as error:
        raise BadFile(f"{name}, row {row + 1}", f"it is not CSV: {error}") from error
    if not columns:
        raise BadFile(name, f"it is empty; its first row names the columns: {','.join(_ITEM_KEYS)}")


def _check_columns(columns: list[str], name: str) -> None:
    if set(columns).isdisjoint(_ITEM_KEYS):
        if not set(re.split(r"[;\t]", columns[0])).isdisjoint(_ITEM_KEYS):
            raise BadFile(name, "separate the columns by commas")
        # Some other file: what stands in it is not shown.
        raise BadFile(f"{name}, row 1", f"it does not name the columns: {','.join(_ITEM_KEYS)}")
    for column in columns:
        if columns.count(column) > 1:
            raise BadFile(f"{name}, row 1", f"column {column!r} stands there twice")
    _check_keys(dict.fromkeys(columns), _ITEM_KEYS, _ITEM_REQUIRED, f"{name}, row 1")


def _cell(key: str, text: str) -> str | int:
    """A whole number where one is meant; any other text stays, and is refused with the item's own words."""
    return int(text) if key in _NUMBERS and _WHOLE.fullmatch(text) else text


def _checked_items(placed: Iterator[_Placed]) -> tuple[SaleItem, ...]:
    items: list[SaleItem] = []
    seen: dict[str, str] = {}
    for place, values in placed:
        _check_keys(values, _ITEM_KEYS, _ITEM_REQUIRED, place)
        with _at(place):
            item = SaleItem(**values)
            if item.sku in seen:
                raise BadInput("sku", item.sku, f"{seen[item.sku]} has it already")
        seen[item.sku] = place.rpartition(", ")[2]
        items.append(item)
    return tuple(items)


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Put the place in front of the field of a bad value."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{place}, {error.field}", error.value, error.remedy) from None
