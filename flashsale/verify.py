"""Check an exported log without any server: whether it adds up, event by event.

Reads what `flashsale events export` prints: one JSON object a line, every field by its name; several sales and shards
may stand in one file, each in its order. Folds each shard and reports the first event that does not follow; nothing
after it is judged, because nothing after it can be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from flashsale.errors import BadInput
from flashsale.events import EVENT_TYPES, RULES, InvariantBroken, ShardState, evolve
from flashsale.events.types import AnyEvent
from flashsale.ids import Position


class Violation(msgspec.Struct, frozen=True):
    """The first event of a shard that breaks a rule."""

    sale: str
    shard: int
    position: Position
    #: a key of `flashsale.events.RULES`, or `decode` for an entry that is no event
    rule: str
    meaning: str
    sentence: str


class ShardReport(msgspec.Struct):
    """One shard's log."""

    events: int = 0
    state: ShardState = msgspec.field(default_factory=ShardState)
    violation: Violation | None = None


class Report(msgspec.Struct):
    """What a file says."""

    events: int
    #: (sale, shard) → its log
    shards: dict[tuple[str, int], ShardReport]

    @property
    def violations(self) -> list[Violation]:
        return [report.violation for report in self.shards.values() if report.violation is not None]


_decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_FIELDS = {name: cls.__struct_fields__ for name, cls in EVENT_TYPES.items()}


def verify(lines: Iterable[bytes], name: str = "the file") -> Report:
    """Fold every shard in an export. Raises `BadInput` naming the line that is no line of an export."""
    report = Report(0, {})
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = _read(line, f"{name}, line {number}")
        key = (str(record["sale"]), int(record["shard"]))
        shard = report.shards.get(key)
        if shard is None:
            shard = report.shards[key] = ShardReport()
        report.events += 1
        shard.events += 1
        if shard.violation is None:
            shard.violation = _step(shard, key, record)
    for key, shard in report.shards.items():
        if shard.violation is None:
            shard.violation = _owners(shard, key)
    return report


def _read(line: bytes, place: str) -> dict[str, Any]:
    try:
        record = _decoder.decode(line)
        if (
            all(type(record[field]) is int for field in ("shard", "epoch", "seq"))
            and type(record["sale"]) is str
        ):
            return record
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError, RecursionError):
        pass
    raise BadInput(
        place, line.decode(errors="replace").strip(), "it must be a line of `flashsale events export`"
    )


def _step(shard: ShardReport, key: tuple[str, int], record: dict[str, Any]) -> Violation | None:
    position = Position(record["epoch"], record["seq"])
    fields = _FIELDS.get(record.get("type") or "")
    if fields is None:
        return _undecodable(key, position, record.get("problem") or f"unknown type {record.get('type')!r}")
    try:
        event = msgspec.convert([record["type"], *(record[field] for field in fields)], AnyEvent)
        shard.state = evolve(shard.state, position, event)
    except InvariantBroken as error:
        return Violation(*key, error.position, error.rule, RULES[error.rule], str(error))
    except KeyError as error:
        return _undecodable(key, position, f"{error} is missing")
    except msgspec.ValidationError as error:
        return _undecodable(key, position, str(error))
    return None


def _undecodable(key: tuple[str, int], position: Position, reason: str) -> Violation:
    return Violation(*key, position, "decode", "every entry is an event", f"{position}: {reason}")


def _owners(shard: ShardReport, key: tuple[str, int]) -> Violation | None:
    """I3: the orders that are held and paid own exactly the units that the counters say are held and sold."""
    owned: dict[tuple[str, str], int] = {}
    for order in shard.state.orders.values():
        owned[order.sku, order.status] = owned.get((order.sku, order.status), 0) + order.quantity
    for sku, stock in shard.state.stock.items():
        held, sold = owned.get((sku, "held"), 0), owned.get((sku, "confirmed"), 0)
        if (held, sold) != (stock.held, stock.sold):
            counted = f"counters say {stock.held} and {stock.sold}"
            sentence = f"orders own {held} held and {sold} sold units of {sku}, {counted}"
            return Violation(*key, shard.state.position, "I3", RULES["I3"], sentence)
    return None
