"""What a script answers to one request: a word, the position at which it was decided, and a detail.

A refusal that a buyer may meet is a value like any other answer. Only what the caller cannot expect is an exception.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from flashsale.ids import Position


class Code(StrEnum):
    """Every word a script may answer with."""

    RESERVED = "RESERVED"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    #: paid after the hold expired, and nothing was left; or after it was cancelled: the money must go back
    REFUND_DUE = "REFUND_DUE"
    EXPIRED = "EXPIRED"
    LOADED = "LOADED"
    OPENED = "OPENED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    CLOSED = "CLOSED"
    RECONFIGURED = "RECONFIGURED"
    RESTOCKED = "RESTOCKED"
    #: detail: events taken off the log
    TRIMMED = "TRIMMED"
    #: the sale is over and only Postgres has it: the answer to `archive`, and to everything that comes after it
    ARCHIVED = "ARCHIVED"

    #: the log goes on in a later epoch
    FOUNDED = "FOUNDED"

    ROOM_SET = "ROOM_SET"
    #: called from the line, and has a pass; detail: when it expires, ms
    ADMITTED = "ADMITTED"
    #: detail: the ticket; status: the place, or - before the draw
    WAITING = "WAITING"
    LEFT = "LEFT"
    #: detail: the places below it were called; status: people called now
    CALLED = "CALLED"

    #: detail: why nobody is called
    HELD = "HELD"
    #: the sale has no waiting room
    NO_ROOM = "NO_ROOM"
    #: no more tickets
    ROOM_FULL = "ROOM_FULL"
    #: the sale demands a pass, and the buyer has none that is valid
    NO_PASS = "NO_PASS"  # noqa: S105 - a word, no secret
    #: detail: units still available, fewer than asked for
    SOLD_OUT = "SOLD_OUT"
    #: detail: units the buyer holds or owns already
    LIMIT = "LIMIT"
    #: detail: the opening time, ms; 0 when a person opens the sale
    NOT_OPEN = "NOT_OPEN"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    #: the same id with another content
    CONFLICT = "CONFLICT"
    NOT_FOUND = "NOT_FOUND"
    #: detail: the state that does not allow it
    WRONG_STATE = "WRONG_STATE"
    ALREADY_LOADED = "ALREADY_LOADED"
    NOT_ENOUGH = "NOT_ENOUGH"
    OVER_CAPACITY = "OVER_CAPACITY"
    #: detail: orders that are held and not paid
    HOLDS_OPEN = "HOLDS_OPEN"
    #: what the caller has of the log is not what Redis has; detail, of `archive`: events still in the log
    NOT_PROVEN = "NOT_PROVEN"
    #: detail: a consumer group, or - for none at all; status: events that it has not acknowledged
    NOT_ACKNOWLEDGED = "NOT_ACKNOWLEDGED"
    #: something was written since the caller looked
    MOVED = "MOVED"
    #: the sale is not in Redis: closed, never empty
    NOT_LOADED = "NOT_LOADED"
    #: the log is behind what this caller has seen: it lost its tail, nothing is sold
    LOG_REGRESSED = "LOG_REGRESSED"

    #: of `mend`: the record was put right; it was right already; it is no longer what was seen; its counters would go
    #: below zero; somebody else mended, or founded the log anew, meanwhile
    MENDED = "MENDED"
    DONE = "DONE"
    CHANGED = "CHANGED"
    BELOW_ZERO = "BELOW_ZERO"
    STALE = "STALE"


_CODES = {code.encode(): code for code in Code}


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One request's answer."""

    code: Code
    #: of the event when accepted; of the log's head when refused
    position: Position
    detail: str = ""
    #: the order's present status when the request had been decided before: this is that answer again
    status: str = ""

    @property
    def repeated(self) -> bool:
        return self.status != ""

    @property
    def hold_until_ms(self) -> int:
        """Of a RESERVED answer: when the hold ends, by Redis's clock."""
        return int(self.detail)


class Reply(msgspec.Struct, frozen=True):
    """What one script call returned."""

    #: the log's head after the call
    position: Position
    #: Redis's clock at the call
    now_ms: int
    answers: list[Answer]


def parse_reply(raw: list[bytes | int]) -> Reply:
    """Read `{position, now_ms, answer ...}`. Equal answers of a batch are parsed once and shared."""
    known: dict[bytes | int, Answer] = {}
    answers = []
    for text in raw[2:]:
        answer = known.get(text)
        if answer is None:
            answer = known[text] = parse_answer(_bytes(text))
        answers.append(answer)
    return Reply(Position.parse(_bytes(raw[0])), _int(raw[1]), answers)


def parse_answer(text: bytes) -> Answer:
    """Read `CODE position [detail [status]]`. Raises `ValueError` on an unknown word."""
    word, _, rest = text.partition(b" ")
    position, _, rest = rest.partition(b" ")
    code = _CODES.get(word)
    if code is None:
        raise ValueError(f"{word!r} is not a word that a script answers with")
    if not rest:
        return Answer(code, Position.parse(position))
    detail, _, status = rest.decode().partition(" ")
    return Answer(code, Position.parse(position), detail, status)


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise TypeError(f"expected text in a script's reply, got {value}")
    return value


def _int(value: bytes | int) -> int:
    return int(value)
