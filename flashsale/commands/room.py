"""The waiting room of a sale: what operators set, and what those who wait ask. Sans IO.

Words: the line is who waits; a ticket counts those who joined, from 0; a place is the position in the line: the ticket,
or, of those who had come before the opening, the shuffled one; places below `serving` were called; a pass is the right
to reserve once, until it expires.

docs/waiting-room.md says what each answer means to a buyer.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import ClassVar, Literal, get_args

import msgspec

from flashsale import ids
from flashsale.commands.answer import Answer
from flashsale.commands.sale import SaleRequest
from flashsale.errors import BadInput

#: open: called at the rate; queue-all: nobody is called, nobody gets a pass; pass-through: nobody waits, and the sale
#: demands no pass: as if there were no room.
Mode = Literal["open", "queue-all", "pass-through"]

RATE_PER_S_MAX = 100_000
ACTIVE_MAX = 1_000_000
PASS_TTL_MS_MIN, PASS_TTL_MS_MAX = 10_000, 24 * 3600 * 1_000
LEAVE_AFTER_MS_MIN, LEAVE_AFTER_MS_MAX = 10_000, 3600 * 1_000
#: Bytes of the operator's sentence in UTF-8.
MESSAGE_BYTES_MAX = 500
#: Tickets of one room, as lua/join.lua has it.
TICKETS_MAX = 2**24
#: The whole rate; 0 calls nobody.
WHOLE_SHARE = 1_000


class RoomSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator decides. Making one checks every field; a bad one raises `BadInput`."""

    mode: Mode = "open"
    #: people called per second, at most
    rate_per_s: int
    #: people with a pass at the same time, at most
    active_max: int
    pass_ttl_ms: int = 120_000
    #: who gave no sign of life for so long is not called, and loses a place that was
    leave_after_ms: int = 120_000
    #: whether the places of those who came before the opening are drawn by lot
    shuffle: bool = True
    #: a sentence of the operator for all who wait; empty: none
    message: str = ""

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise BadInput("mode", self.mode, f"use one of {', '.join(get_args(Mode))}")
        _within("rate_per_s", self.rate_per_s, 1, RATE_PER_S_MAX)
        _within("active_max", self.active_max, 1, ACTIVE_MAX)
        _within("pass_ttl_ms", self.pass_ttl_ms, PASS_TTL_MS_MIN, PASS_TTL_MS_MAX)
        _within("leave_after_ms", self.leave_after_ms, LEAVE_AFTER_MS_MIN, LEAVE_AFTER_MS_MAX)
        if type(self.shuffle) is not bool:
            raise BadInput("shuffle", self.shuffle, "use true or false")
        check_message(self.message)

    @property
    def demands_pass(self) -> bool:
        """Whether new reservations need a pass."""
        return self.mode != "pass-through"


class SetRoom(SaleRequest, frozen=True):
    """Give a sale a waiting room, or change its settings.

    `only` names those that are changed where the sale has a room by then: the others stay, whoever set them.
    None: all are set. No setting limits another, so settings of two callers may stand side by side.

    `seed` is for the draw. It is taken when the room has none, and only its SHA-256, the commitment, goes into the log;
    the seed itself when the line is drawn. Later ones are ignored: nobody can choose again.

    ROOM_SET | WRONG_STATE closed | what every request about a sale is answered.
    """

    SCRIPT = "room"

    settings: RoomSettings
    #: 64 hexadecimal digits
    seed: str = msgspec.field(default_factory=lambda: secrets.token_hex(32))
    #: fields of `settings`
    only: frozenset[str] | None = None

    def __post_init__(self) -> None:
        for name in self.only or ():
            if name not in RoomSettings.__struct_fields__:
                raise BadInput("only", name, f"use some of {', '.join(RoomSettings.__struct_fields__)}")

    def arguments(self) -> tuple[str | int, ...]:
        s = self.settings
        numbers = (s.rate_per_s, s.active_max, s.pass_ttl_ms, s.leave_after_ms, int(s.shuffle))
        only = () if self.only is None else (" ".join(sorted(self.only)),)
        return (s.mode, *numbers, self.seed, commitment(self.seed), s.message, *only)


class LineRequest(msgspec.Struct, frozen=True, gc=False):
    """What somebody who waits asks. Many travel in one call; they are about shard 0, where the room is."""

    SCRIPT: ClassVar[str]
    #: no event tells of them
    trace_id: ClassVar[str] = ""

    buyer: str

    def __post_init__(self) -> None:
        ids.buyer(self.buyer)

    @property
    def subject(self) -> str:
        """What it is about: of two requests with the same, the one that was sent first is decided first."""
        return self.buyer

    def arguments(self) -> tuple[str | int, ...]:
        """Its part of the batch's ARGV."""
        return (self.buyer,)


class Join(LineRequest, frozen=True, gc=False):
    """Take a place, or keep it: the same request is the sign of life, and fetches the pass of who was called.

    - ADMITTED: has a pass; see `pass_expires_ms`
    - WAITING: see `standing`
    - NO_ROOM: this sale has none: reserve at once
    - ROOM_FULL: no more tickets
    - CLOSED: the sale is over
    - NOT_LOADED, ARCHIVED, LOG_REGRESSED: nothing of the sale is left; one that is only halted keeps its line
    """

    SCRIPT = "join"


class Leave(LineRequest, frozen=True, gc=False):
    """Give back the place or the pass.

    LEFT, also when there was neither | NO_ROOM | NOT_LOADED | ARCHIVED | LOG_REGRESSED.
    """

    SCRIPT = "leave"


class Stand(LineRequest, frozen=True, gc=False):
    """How one stands, without joining and without a sign of life.

    ADMITTED, WAITING and CLOSED as of `Join`; NOT_FOUND: not in the line | NO_ROOM | NOT_LOADED | ARCHIVED |
    LOG_REGRESSED.
    """

    SCRIPT = "stand"


class Admit(msgspec.Struct, frozen=True, gc=False):
    """Call those whose turn it is, by Redis's clock: however many ask, and how often, nobody is called too early.

    - CALLED: see `called`
    - HELD: nobody is called; detail: warm, scheduled, paused, closed (the sale), queue-all, pass-through (the room) or
      no-stock
    - NO_ROOM, NOT_LOADED, ARCHIVED, LOG_REGRESSED

    The first call after the opening draws the line.
    """

    SCRIPT: ClassVar[str] = "admit"
    trace_id: ClassVar[str] = ""

    #: of the rate: 0 to 1000
    share_permille: int = WHOLE_SHARE

    def __post_init__(self) -> None:
        _within("share_permille", self.share_permille, 0, WHOLE_SHARE)

    @property
    def subject(self) -> str:
        """Of no buyer."""
        return ""

    def arguments(self) -> tuple[str | int, ...]:
        return (self.share_permille,)


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Where somebody waits."""

    ticket: int
    #: None: it will be drawn when the sale opens
    place: int | None


class Called(msgspec.Struct, frozen=True, gc=False):
    """What one call of `Admit` did."""

    serving: int
    #: people called now
    count: int


def standing(answer: Answer) -> Standing:
    """Of a WAITING answer."""
    return Standing(int(answer.detail), None if answer.status == "-" else int(answer.status))


def pass_expires_ms(answer: Answer) -> int:
    """Of an ADMITTED answer, by Redis's clock."""
    return int(answer.detail)


def called(answer: Answer) -> Called:
    """Of a CALLED answer."""
    return Called(int(answer.detail), int(answer.status))


def commitment(seed: str) -> str:
    """What is published of a seed before the draw: SHA-256 of its text, hexadecimal."""
    return hashlib.sha256(seed.encode()).hexdigest()


def check_message(message: object) -> None:
    """One line, or nothing. Raises `BadInput`."""
    if type(message) is not str or not message.isprintable() or message != message.strip():
        raise BadInput("message", message, "use one line of text, without spaces at its ends")
    if len(message.encode()) > MESSAGE_BYTES_MAX:
        raise BadInput("message", message, f"use at most {MESSAGE_BYTES_MAX} bytes")


def _within(field: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise BadInput(field, value, f"use a whole number from {low} to {high}")
