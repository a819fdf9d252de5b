"""What an acknowledgement is worth: at D1 nothing is lost, unless the log itself is (a flush, a promoted replica).

Such a loss is written down by the fault that made it: which positions neither Postgres nor the Redis that is left had.
An answer that names one of them is, from then on, an answer of a history that is gone: whoever got it was told so by
docs/runbook.md. The checker reads it as unknown; everything else it holds to the promise. Answers over HTTP name no
position: for them, the fault keeps what the lost events did to which order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from flashsale.client_history import Header, Invoked, Line, Returned
from flashsale.events import decode, type_name
from flashsale.events.types import OrderEvent
from flashsale.ids import Position

#: An order, and a status that it came to.
Change = tuple[str, str]

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Loss(NamedTuple):
    """Events behind `survived` of an epoch that were answered before `until_ns` are gone."""

    cause: str
    survived: Position
    #: the epoch that was lost: positions in later ones were never in it
    epoch: int
    #: time.monotonic_ns of the last moment at which the lost log answered; 0: it was the last one of its epoch
    until_ns: int
    #: time.monotonic_ns of the first such moment; 0: from the beginning
    since_ns: int = 0
    #: what these events did, where the lost log could still be read
    changes: frozenset[Change] = frozenset()

    def took(self, position: Position, at_ns: int) -> bool:
        """Whether an answer with this position, received at this time, is of the lost part."""
        return position > self.survived and self._told(position, at_ns)

    def took_status(self, position: Position, at_ns: int, changed: Position | None) -> bool:
        """Whether such an answer told a status that was lost: the log that is left came to it later, or never.

        `position` is of the reservation, which may have survived; `changed` is where the log has the status's event.
        """
        return (changed is None or changed > self.survived) and self._told(position, at_ns)

    def took_change(self, told: Iterable[Change], at_ns: int) -> bool:
        """Whether an answer that names no position told one of the lost changes.

        Also when the order came to it once more, and was answered later. Of a log that answered from `since_ns` on,
        all that it said is lost.
        """
        return not self.changes.isdisjoint(told) or (self.since_ns > 0 and self._in_time(at_ns))

    def _told(self, position: Position, at_ns: int) -> bool:
        """Whether it was an answer of the log that was lost."""
        return position.epoch <= self.epoch and self._in_time(at_ns)

    def _in_time(self, at_ns: int) -> bool:
        return self.since_ns <= at_ns and (not self.until_ns or at_ns <= self.until_ns)


#: (order, status) → where the log has the first event that brought it
Changes = Mapping[Change, Position]


def changes(log: Path) -> Changes:
    """Of an exported log, where each order came to each of its statuses."""
    found: dict[Change, Position] = {}
    with log.open("rb") as lines:
        for line in lines:
            event = msgspec.json.decode(line)
            kind, _, status = event["type"].partition(".")
            if kind == "order":
                place = Position(event["epoch"], event["seq"])
                found.setdefault((event["order_id"], _status(status)), place)
    return found


def changes_behind(survived: Position, entries: Iterable[tuple[str, Mapping[str, str]]]) -> frozenset[Change]:
    """What the entries of a stream did that stand behind a position."""
    events = [decode(fields["e"].encode()) for place, fields in entries if Position.parse(place) > survived]
    return frozenset(
        (event.order_id, _status(type_name(event).removeprefix("order.")))
        for event in events
        if isinstance(event, OrderEvent)
    )


def without_lost(source: Path, target: Path, losses: Iterable[Loss], changed: Changes) -> int:
    """Copy a history with every lost answer made unknown; returns how many acknowledgements were lost."""
    losses = list(losses)
    lost_acks = 0
    orders: dict[int, str] = {}
    with source.open("rb") as lines, target.open("wb") as copy:
        for line in lines:
            try:
                record = _decoder.decode(line)
            except msgspec.MsgspecError:
                copy.write(line)  # torn by kill -9: the checker knows
                continue
            if isinstance(record, Invoked):
                orders[record.op] = record.order_id
            elif isinstance(record, Returned):
                order = orders.pop(record.op, "")
                if any(_took(loss, record, order, changed) for loss in losses):
                    lost_acks += record.outcome == "ok"
                    copy.write(msgspec.json.encode(Returned(record.op, record.at_ns, "unknown")) + b"\n")
                    continue
            copy.write(line)
    return lost_acks


def _took(loss: Loss, record: Returned, order: str, changed: Changes) -> bool:
    """Whether what was answered about an order is lost."""
    if record.position:
        position = Position.parse(record.position)
        event = changed.get((order, record.status))
        return loss.took(position, record.at_ns) or (
            record.status != "" and loss.took_status(position, record.at_ns, event)
        )
    told = (order, _status(record.code.lower())), (order, record.status)
    return record.outcome == "ok" and loss.took_change(told, record.at_ns)


def _status(word: str) -> str:
    """The status to which an event, or an answer, of this name brings an order."""
    return "held" if word == "reserved" else word


def count_outcomes(files: Iterable[Path]) -> dict[str, int]:
    """How many requests had which outcome; one without a return is unknown."""
    counts = {"asked": 0, "ok": 0, "refused": 0, "unknown": 0}
    for file in files:
        returned = 0
        asked = 0
        for line in file.read_bytes().splitlines():
            try:
                record = _decoder.decode(line)
            except msgspec.MsgspecError:
                continue
            if isinstance(record, Invoked):
                asked += 1
            elif isinstance(record, Returned):
                returned += 1
                counts[record.outcome] += 1
            else:
                assert isinstance(record, Header)
        counts["asked"] += asked
        counts["unknown"] += asked - returned
    return counts
