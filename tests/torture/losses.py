"""What an acknowledgement is worth: at D1 nothing is lost, unless the log itself is (a flush, a promoted replica).

Such a loss is written down by the fault that made it: which positions neither Postgres nor the Redis that is left had.
An answer that names one of them is, from then on, an answer of a history that is gone: whoever got it was told so by
docs/runbook.md. The checker reads it as unknown; everything else it holds to the promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from flashsale.client_history import Header, Invoked, Line, Returned
from flashsale.ids import Position

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

    def took(self, position: Position, at_ns: int) -> bool:
        """Whether an answer with this position, received at this time, is of the lost part."""
        return position > self.survived and self._told(position, at_ns)

    def took_status(self, position: Position, at_ns: int, changed: Position | None) -> bool:
        """Whether such an answer told a status that was lost: the log that is left came to it later, or never.

        `position` is of the reservation, which may have survived; `changed` is where the log has the status's event.
        """
        return (changed is None or changed > self.survived) and self._told(position, at_ns)

    def _told(self, position: Position, at_ns: int) -> bool:
        """Whether it was an answer of the log that was lost."""
        in_time = self.since_ns <= at_ns and (not self.until_ns or at_ns <= self.until_ns)
        return position.epoch <= self.epoch and in_time


#: (order, status) → where the log has the first event that brought it
Changes = Mapping[tuple[str, str], Position]


def changes(log: Path) -> Changes:
    """Of an exported log, where each order came to each of its statuses."""
    found: dict[tuple[str, str], Position] = {}
    with log.open("rb") as lines:
        for line in lines:
            event = msgspec.json.decode(line)
            kind, _, status = event["type"].partition(".")
            if kind == "order":
                place = Position(event["epoch"], event["seq"])
                found.setdefault((event["order_id"], "held" if status == "reserved" else status), place)
    return found


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
            elif isinstance(record, Returned) and record.position:
                position = Position.parse(record.position)
                event = changed.get((orders.pop(record.op, ""), record.status))
                if any(
                    loss.took(position, record.at_ns)
                    or (record.status and loss.took_status(position, record.at_ns, event))
                    for loss in losses
                ):
                    lost_acks += record.outcome == "ok"
                    copy.write(msgspec.json.encode(Returned(record.op, record.at_ns, "unknown")) + b"\n")
                    continue
            copy.write(line)
    return lost_acks


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
