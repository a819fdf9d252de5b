"""What operators and daemons ask of a whole shard: one request, one script call."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from flashsale import ids
from flashsale.errors import BadInput
from flashsale.ids import Position

#: SKUs of one shard: a warm-up is one script call, and Redis must not block for long.
SKUS_MAX = 1000
#: Holds ended by one call of `expire`.
EXPIRE_MAX = 1000
#: Events taken off the log by one call of `trim`: it reads and hashes them all, about 2 ms.
TRIM_MAX = 1000
#: Of the line that says why something was done.
WHY_BYTES_MAX = 200
#: A hold lasts at least a second and at most 30 days.
HOLD_MS_MIN = 1_000
HOLD_MS_MAX = 30 * 24 * 3600 * 1_000
#: The year 2200: later times are a mix-up of seconds, milliseconds and microseconds.
TIME_MS_MAX = 7_258_118_400_000

UNCHANGED = "-"


class SaleRequest(msgspec.Struct, frozen=True):
    """A request about a whole shard. Making one checks every field; a bad one raises `BadInput`."""

    #: the script that decides it
    SCRIPT: ClassVar[str]

    def arguments(self) -> tuple[str | int, ...]:
        """Its part of ARGV, after fence and actor."""
        return ()


class Item(msgspec.Struct, frozen=True):
    """Stock of one SKU to begin with. `limit`: units one buyer may hold or own, 0 for no limit."""

    sku: str
    quantity: int
    limit: int = 0

    def __post_init__(self) -> None:
        ids.sku(self.sku)
        ids.quantity(self.quantity, maximum=ids.CAPACITY_MAX)
        check_limit(self.limit)


class Load(SaleRequest, frozen=True):
    """Warm a defined sale."""

    SCRIPT = "load"

    items: tuple[Item, ...]
    hold_ms: int
    opens_ms: int = 0
    closes_ms: int = 0
    #: when the definition was stored, as `catalog.origin` has it; empty: not known
    origin: str = ""

    def __post_init__(self) -> None:
        check_window(self.opens_ms, self.closes_ms)
        check_hold(self.hold_ms)
        if not 1 <= len(self.items) <= SKUS_MAX:
            raise BadInput("items", f"{len(self.items)} items", f"a sale has 1 to {SKUS_MAX} SKUs")

    def arguments(self) -> tuple[str | int, ...]:
        flat = [value for item in self.items for value in (item.sku, item.quantity, item.limit)]
        told = (f"origin:{self.origin}",) if self.origin else ()
        return (self.opens_ms, self.closes_ms, self.hold_ms, *flat, *told)


class Open(SaleRequest, frozen=True):
    """Let a warm sale sell. `at_once` ignores an opening time in the future."""

    SCRIPT = "open"

    at_once: bool = False

    def arguments(self) -> tuple[str | int, ...]:
        return (int(self.at_once),)


class Pause(SaleRequest, frozen=True):
    """Take no new reservations. `why`: one line for people, kept in the log; empty: none."""

    SCRIPT = "pause"

    why: str = ""

    def __post_init__(self) -> None:
        check_why(self.why)

    def arguments(self) -> tuple[str | int, ...]:
        return (f"why:{self.why}",) if self.why else ()


class Resume(SaleRequest, frozen=True):
    SCRIPT = "resume"


class Close(SaleRequest, frozen=True):
    SCRIPT = "close"


class Reconfigure(SaleRequest, frozen=True):
    """Change window, hold or limits; `None` leaves a value as it is."""

    SCRIPT = "reconfigure"

    opens_ms: int | None = None
    closes_ms: int | None = None
    hold_ms: int | None = None
    #: (SKU, new limit)
    limits: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        check_window(self.opens_ms or 0, self.closes_ms or 0)
        if self.hold_ms is not None:
            check_hold(self.hold_ms)
        for sku, limit in self.limits:
            ids.sku(sku)
            check_limit(limit)

    def arguments(self) -> tuple[str | int, ...]:
        values = (self.opens_ms, self.closes_ms, self.hold_ms)
        head = [UNCHANGED if value is None else value for value in values]
        return (*head, *(value for pair in self.limits for value in pair))


class Restock(SaleRequest, frozen=True):
    """Put units on sale (`add`) or take unsold ones off (`remove`). A repeat of `request_id` does nothing."""

    SCRIPT = "restock"

    request_id: str
    direction: Literal["add", "remove"]
    sku: str
    quantity: int

    def __post_init__(self) -> None:
        ids.request_id(self.request_id)
        ids.sku(self.sku)
        ids.quantity(self.quantity)
        if self.direction not in ("add", "remove"):
            raise BadInput("direction", self.direction, "use add or remove")

    def arguments(self) -> tuple[str | int, ...]:
        return (self.request_id, self.direction, self.sku, self.quantity)


class Expire(SaleRequest, frozen=True):
    """End at most `limit` holds whose time is over."""

    SCRIPT = "expire"

    limit: int = EXPIRE_MAX

    def __post_init__(self) -> None:
        ids.quantity(self.limit, "limit", EXPIRE_MAX)

    def arguments(self) -> tuple[str | int, ...]:
        return (self.limit,)


class Trim(SaleRequest, frozen=True):
    """Take the log's oldest events off it. Which ones: `trim_of` makes the proof that the caller has them."""

    SCRIPT = "trim"

    #: the last of them
    up_to: Position
    count: int
    #: SHA-1 over the id, the length and the bytes of each
    digest: str

    def __post_init__(self) -> None:
        ids.quantity(self.count, "count", TRIM_MAX)

    def arguments(self) -> tuple[str | int, ...]:
        return (str(self.up_to), self.count, self.digest)


def trim_of(events: Sequence[tuple[Position, bytes]]) -> Trim:
    """The request to take these events off, with its proof: at least one, at most `TRIM_MAX`, the log's oldest.

    SHA-1 is the only hash that a script has. It proves that two copies of ours are equal, not who made them.
    """
    digest = hashlib.sha1(usedforsecurity=False)
    for position, body in events:
        digest.update(b"%b %d %b" % (str(position).encode(), len(body), body))
    return Trim(events[-1][0], len(events), digest.hexdigest())


class Archive(SaleRequest, frozen=True):
    """Remove a sale that is over from Redis, if its log ends at `up_to` and everything up to there was trimmed.

    With `START` it is always refused, and the answer says what else stands in the way: NOT_PROVEN, if nothing does.
    """

    SCRIPT = "archive"

    up_to: Position

    def arguments(self) -> tuple[str | int, ...]:
        return (str(self.up_to),)


def check_limit(value: object) -> int:
    """Units one buyer may hold or own; 0 means no limit."""
    if type(value) is not int or not 0 <= value <= ids.QUANTITY_MAX:
        raise BadInput("limit", value, f"use 0 for no limit, or a whole number up to {ids.QUANTITY_MAX}")
    return value


def check_why(value: object, field: str = "why") -> str:
    """One line for people, or none."""
    if type(value) is not str or not value.isprintable() or len(value.encode()) > WHY_BYTES_MAX:
        raise BadInput(field, value, f"use one line of at most {WHY_BYTES_MAX} bytes")
    return value


def check_hold(value: object, field: str = "hold_ms") -> int:
    if type(value) is not int or not HOLD_MS_MIN <= value <= HOLD_MS_MAX:
        raise BadInput(field, value, "use between one second and 30 days")
    return value


def check_window(opens_ms: int, closes_ms: int) -> None:
    """Each is a time in ms, or 0 for a person's decision; a sale closes after it opens."""
    for field, value in (("opens", opens_ms), ("closes", closes_ms)):
        if type(value) is not int or not 0 <= value <= TIME_MS_MAX:
            raise BadInput(field, value, "use a time before the year 2200")
    if closes_ms and closes_ms <= opens_ms:
        raise BadInput("closes", closes_ms, "it must come after `opens`")
