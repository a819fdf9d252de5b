"""Turn the bytes of a log entry into an event, and back."""

from __future__ import annotations

import re

import msgspec

from flashsale.events.types import EVENT_TYPES, AnyEvent, Event
from flashsale.events.upcasters import UPCASTERS, Raw, upcast
from flashsale.ids import Position

#: Longer reasons are cut: they quote what stands in the entry.
REASON_LENGTH_MAX = 300


class UndecodableEvent(ValueError):
    """The entry is not an event this version of flashsale can read; `reason` says in one line what is wrong with it."""

    def __init__(self, reason: str) -> None:
        # Postgres takes no NUL that is quoted, and a terminal would obey an escape.
        told = [char if char.isprintable() else repr(char)[1:-1] for char in reason[:REASON_LENGTH_MAX]]
        self.reason = "".join(told)
        super().__init__(self.reason)


class NewerEvent(UndecodableEvent):
    """A newer flashsale wrote it: its type `name` is unknown here, or its version is."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(f"version {version} is unknown" if name in EVENT_TYPES else "the type is unknown")
        self.name = name


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event at its place in a shard's log, with the bytes it was read from."""

    position: Position
    event: AnyEvent
    body: bytes


_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_raw_decoder = msgspec.json.Decoder(list)
_encoder = msgspec.json.Encoder()
_CURRENT = {cls: cls.VERSION for cls in EVENT_TYPES.values()}
_LIFTED_TYPES = {name for name, _ in UPCASTERS}
_TYPE_NAME = re.compile(r"[a-z]+\.[a-z_]+")
#: No type comes to more versions; a larger number is damage.
_VERSION_MAX = 999

#: How the body of an event ends whose request had a trace id: behind the fields stands the only object of the array.
_TRACE = re.compile(rb',\{"trace":"(?P<id>[0-9a-f]{32})"\}\]\Z')
_TRACE_BYTES = len(b',{"trace":""}]') + 32

#: The same of one that says why it was done.
_WHY, _WHY_END = b',{"why":"', b'"}]'

#: What msgspec raises on bytes that are no event: also for text that is not UTF-8, and for brackets a thousand deep.
_DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)


def decode(body: bytes) -> AnyEvent:
    """Read one event, lifted to its present version.

    Raises `UndecodableEvent` for anything else (no JSON, a missing or mistyped field), `NewerEvent` for what begins as
    an event does and is of a type or version that this code does not know. Fields after the known ones are ignored.
    """
    try:
        event = _decoder.decode(body)
    except _DAMAGED as error:
        return _decode_lifted(body, str(error))
    if event.v != _CURRENT[type(event)]:
        return _decode_lifted(body, f"version {event.v} is unknown")
    return event


def _decode_lifted(body: bytes, reason: str) -> AnyEvent:
    """The slow path: only old versions and damaged entries come here."""
    try:
        raw = _raw_decoder.decode(body)
        if _is_newer(raw):
            raise NewerEvent(raw[0], raw[1])
        if len(raw) < 2 or raw[0] not in _LIFTED_TYPES or type(raw[1]) is not int:
            raise UndecodableEvent(reason)
        if type(raw[-1]) is dict:  # the trace id: an upcaster may add fields, and it stands behind them all
            del raw[-1]
        event: AnyEvent = msgspec.convert(upcast(raw), AnyEvent)
    except _DAMAGED as error:
        raise UndecodableEvent(reason) from error
    if event.v != _CURRENT[type(event)]:
        raise UndecodableEvent(reason)
    return event


def trace_of(body: bytes) -> str:
    """The trace id of the request that an event answers; empty when it had none. It says nothing of the sale."""
    found = _TRACE.match(body, max(0, len(body) - _TRACE_BYTES))
    return found["id"].decode() if found else ""


def why_of(body: bytes) -> str:
    """Why something was done, as whoever did it wrote behind the fields of the event; empty when they did not."""
    if not body.endswith(_WHY_END) or _WHY not in body:
        return ""
    try:
        found = _raw_decoder.decode(body)[-1]
    except _DAMAGED:
        return ""
    why = found.get("why") if type(found) is dict else None
    return why if type(why) is str else ""


def _is_newer(raw: Raw) -> bool:
    """Whether it begins as every event does: type, version, at_ms, by; and this code does not know the first two."""
    if len(raw) < 4 or [type(value) for value in raw[:4]] != [str, int, int, str]:
        return False
    name, version = raw[:2]
    known = EVENT_TYPES.get(name)
    newest = known.VERSION if known else 0
    return newest < version <= _VERSION_MAX and _TYPE_NAME.fullmatch(name) is not None


def encode(event: Event) -> bytes:
    """The bytes of an event as the scripts write them."""
    return _encoder.encode(event)
