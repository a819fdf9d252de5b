"""Check an exported log without any server: whether it adds up, event by event.

Reads what `flashsale events export` prints: one JSON object a line, every field by its name; several sales and shards
may stand in one file, each in its order. Folds each shard and reports the first event that does not follow; nothing
after it is judged, because nothing after it can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Union

import msgspec

from flashsale.errors import BadInput
from flashsale.events import EVENT_TYPES, RULES, InvariantBroken, ShardState, evolve
from flashsale.events.types import Event
from flashsale.ids import Position
from flashsale.verify.history import HistoryReport, verify_history
from flashsale.verify.history_lines import Source
from flashsale.verify.index import Index


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
    #: what clients say of it, if they were asked
    history: HistoryReport | None = None

    @property
    def violations(self) -> list[Violation]:
        return [report.violation for report in self.shards.values() if report.violation is not None]


_HEAD = (("sale", str), ("shard", int), ("epoch", int), ("seq", int))


def _line_type(name: str, event: type[Event]) -> type[msgspec.Struct]:
    """An event as the export has it: one object, the head in front of the event's own fields."""
    fields = [(field.name, field.type) for field in msgspec.structs.fields(event)]
    return msgspec.defstruct(event.__name__, [*_HEAD, *fields], tag_field="type", tag=name, gc=False)


#: How a line is read → (the class of its event, the names of the event's fields).
_LINES: dict[type[msgspec.Struct], tuple[Callable[..., Any], tuple[str, ...]]] = {
    _line_type(name, event): (event, event.__struct_fields__) for name, event in EVENT_TYPES.items()
}
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union[tuple(_LINES)])  # noqa: UP007 - made, not written
_head_decoder = msgspec.json.Decoder(msgspec.defstruct("Head", [*_HEAD, ("problem", str, "")]))


def verify(lines: Iterable[bytes], name: str = "the file", histories: Sequence[Source] = ()) -> Report:
    """Fold every shard in an export; then hold what clients wrote down against it, where there is any of it.

    Raises `BadInput` naming the line that is no line of an export, or of a history. So does an export without any
    event: nothing that was checked must not look like a log that adds up. The memory for one order is about 1 KB, and
    about as much again with histories (see `flashsale.verify.history`).
    """
    report = Report(0, {})
    indexes: dict[tuple[str, int], Index] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record, problem = _read(line, f"{name}, line {number}")
        key = (record.sale, record.shard)
        shard = report.shards.get(key)
        if shard is None:
            _require_beginning(record.seq, f"{name}, line {number}")
            shard = report.shards[key] = ShardReport()
            if histories:
                indexes[key] = Index()
        report.events += 1
        shard.events += 1
        if shard.violation is None:
            shard.violation = _step(shard, key, record, problem, indexes.get(key))
    if not report.events:
        raise BadInput(name, "no event", "nothing was checked; `flashsale events export SALE` prints a log")
    for key, shard in report.shards.items():
        if shard.violation is None:
            shard.violation = _owners(shard, key)
    if histories:
        sound = {key: None if report.shards[key].violation else index for key, index in indexes.items()}
        report.history = verify_history(histories, sound)
    return report


def _require_beginning(seq: int, place: str) -> None:
    if seq != 1:
        raise BadInput(place, f"seq {seq}", "a log is checked from its first event on: export it whole")


def _read(line: bytes, place: str) -> tuple[Any, str | None]:
    """A line as one of `_LINES`; or its head alone, and why the rest is no event."""
    try:
        return _decoder.decode(line), None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        try:
            head: Any = _head_decoder.decode(line)
            return head, head.problem or str(error)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            shown = line.decode(errors="replace").strip()
            raise BadInput(place, shown, "it must be a line of `flashsale events export`") from None


def _step(
    shard: ShardReport, key: tuple[str, int], record: Any, problem: str | None, index: Index | None
) -> Violation | None:
    position = Position(record.epoch, record.seq)
    if problem is not None:
        return Violation(*key, position, "decode", "every entry is an event", f"{position}: {problem}")
    of_type, fields = _LINES[type(record)]
    event = of_type(*[getattr(record, field) for field in fields])
    try:
        shard.state = evolve(shard.state, position, event)
        if index is not None:
            index.add(position, event, shard.state)
    except InvariantBroken as error:
        return Violation(*key, error.position, error.rule, RULES[error.rule], str(error))
    return None


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
