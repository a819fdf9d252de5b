"""Read what was typed: numbers, times, changes and words. Nothing is guessed; what is not understood is refused."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

from flashsale import ids
from flashsale.errors import BadInput, FlashsaleError
from flashsale.ids import Position
from flashsale.times import parse_time

_WHOLE = re.compile(r"0|[1-9][0-9]{0,12}")
_CHANGE = re.compile(r"([+-])([1-9][0-9]{0,5})")
_SEQ = re.compile(r"(?:([1-9][0-9]{0,8})-)?([1-9][0-9]{0,17})")

#: Why a dead letter is given up.
REASON_LENGTH_MAX = 500
#: The class of an error, as dead letters have it.
ERROR_LENGTH_MAX = 100
#: Nobody can take a single token back.
LIFETIME_MAX_S = 30 * 86_400


class Usage(BadInput):
    """What was typed does not make sense together, or something is missing."""

    def __init__(self, sentence: str) -> None:
        FlashsaleError.__init__(self, sentence)
        self.field, self.value, self.remedy = "", None, sentence


def whole(text: str, field: str, smallest: int, largest: int) -> int:
    """A whole number in decimal digits: no `1e3`, `0x10`, `1.0` or `+1`."""
    if _WHOLE.fullmatch(text) is None or not smallest <= int(text) <= largest:
        raise BadInput(field, text, f"use a whole number from {smallest} to {largest}")
    return int(text)


def lifetime_s(text: str) -> int:
    """How long a token is good."""
    return whole(text, "lifetime", 1, LIFETIME_MAX_S)


def keep(text: str | None) -> int:
    """How many events a trim leaves in a log."""
    from flashsale.trim import KEEP

    return KEEP if text is None else whole(text, "keep", 0, 1_000_000_000)


def change(text: str, field: str) -> int:
    """`+50` or `-3`; never 0."""
    match = _CHANGE.fullmatch(text)
    if match is None:
        raise BadInput(
            field,
            text,
            f"write +N to put units on sale, -N to take unsold ones off, N up to {ids.QUANTITY_MAX}",
        )
    return int(text)


def one_of(text: str, words: Collection[str], field: str) -> str:
    """One of a few words."""
    if text not in words:
        raise BadInput(field, text, f"use {', '.join(words)}")
    return text


def time_ms(text: str | None, field: str) -> int | None:
    """A time with its offset, in ms; `none` is 0, nothing given None."""
    if text is None:
        return None
    if text == "none":
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(field, text, "write 2027-03-01T10:00:00+01:00, or none") from None
    return parse_time(moment, field)


def limit(text: str, field: str) -> tuple[str, int]:
    """`SKU=N`."""
    sku, equals, number = text.rpartition("=")
    if not equals:
        raise BadInput(field, text, "write SKU=N, N being 0 for no limit")
    return ids.sku(sku, f"{field}, SKU"), whole(number, f"{field} of {sku}", 0, ids.QUANTITY_MAX)


def position(text: str, field: str, epoch: int) -> Position:
    """`42`, of the epoch given, or `1-42`."""
    match = _SEQ.fullmatch(text)
    if match is None:
        raise BadInput(field, text, "write a sequence number like 42, or epoch and number like 1-42")
    return Position(int(match[1] or epoch), int(match[2]))


def text(given: str, field: str, longest: int) -> str:
    """Some words that are kept."""
    if not 1 <= len(given.strip()) <= longest or not given.isprintable():
        raise BadInput(field, given, f"use 1 to {longest} printable characters")
    return given
