"""A recorded sale as something that can be falsified: its log and its histories by their fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from flashsale.events import EVENT_TYPES, InvariantBroken, ShardState, evolve
from flashsale.ids import Position
from flashsale.verify import Report, Source, verify
from tests.integration.history_kit import Recorded

Record = dict[str, Any]

COUNTERS = ("available", "held", "sold", "returned")


@dataclass
class Op:
    """One request of one history; its records are the story's own."""

    history: str
    asked: Record
    told: Record | None

    @property
    def answer(self) -> Record:
        assert self.told is not None
        return self.told

    @property
    def seq(self) -> int:
        return Position.parse(self.answer["position"]).seq

    @property
    def key(self) -> tuple[str, int]:
        """As a violation names it."""
        return self.history, self.asked["op"]

    def put(self, seq: int) -> None:
        self.answer["position"] = f"1-{seq}"


@dataclass
class Story:
    """What a mutant changes in place."""

    log: list[Record]
    histories: dict[str, list[Record]]

    @classmethod
    def of(cls, recorded: Recorded) -> Story:
        histories = {
            name: [msgspec.json.decode(line) for line in lines] for name, lines in recorded.histories.items()
        }
        return cls([msgspec.json.decode(line) for line in recorded.log], histories)

    def verified(self) -> Report:
        sources = [Source(name, _lines(records)) for name, records in self.histories.items()]
        return verify(_lines(self.log), "log", sources)

    def ops(self, command: str = "", outcome: str = "", code: str = "") -> list[Op]:
        """Requests that were answered, in the order of their answers."""
        found = [op for op in self._every_op() if op.told is not None]
        wanted = [
            op
            for op in found
            if command in ("", op.asked["command"])
            and outcome in ("", op.answer["outcome"])
            and code in ("", op.answer.get("code", ""))
        ]
        return sorted(wanted, key=lambda op: op.answer["at_ns"])

    def done(self, command: str = "", code: str = "", *, repeated: bool = False) -> list[Op]:
        """Requests that were done by this very attempt, or were repeats of one that was."""
        return [op for op in self.ops(command, "ok", code) if bool(op.answer.get("status")) == repeated]

    def lone(self, command: str) -> list[Op]:
        """Acknowledged requests that were made once and whose order nobody asked for in this way again."""
        every = [(op.asked["command"], op.asked.get("order_id")) for op in self._every_op()]
        return [op for op in self.done(command) if every.count((command, op.asked["order_id"])) == 1]

    def never_told(self) -> list[Op]:
        return [op for op in self._every_op() if op.told is None]

    def _every_op(self) -> Iterator[Op]:
        for name, records in self.histories.items():
            told = {record["op"]: record for record in records if record["type"] == "return"}
            for record in records:
                if record["type"] == "invoke":
                    yield Op(name, record, told.get(record["op"]))

    def events(self, kind: str = "", order: str = "") -> list[Record]:
        return [e for e in self.log if kind in ("", e["type"]) and order in ("", e.get("order_id"))]

    def event(self, op: Op) -> Record:
        return self.log[op.seq - 1]

    def append(self, op: Op) -> Op:
        """The same request and answer once more, after everything else of that history."""
        records = self.histories[op.history]
        number = 1 + max(record.get("op", 0) for record in records)
        end_ns = max(records[-1]["at_ns"], op.answer["at_ns"])
        again = Op(
            op.history,
            op.asked | {"op": number, "at_ns": end_ns + 1_000},
            op.answer | {"op": number, "at_ns": end_ns + 2_000},
        )
        records += [again.asked, again.answer]
        return again

    def rebuild(self, log: list[Record]) -> None:
        """Put another log in the place of this one, with seq and counters as scripts would have written them.

        The histories speak of the same events as before, at their new places; of one that is gone, at that before it.
        """
        moved, newest = {}, 0
        placed = {id(event): seq for seq, event in enumerate(log, 1)}
        for event in self.log:
            newest = placed.get(id(event), newest)
            moved[event["seq"]] = newest
        for op in self.ops():
            if op.answer.get("position"):
                op.put(moved[op.seq])
        for seq, event in enumerate(log, 1):
            event["seq"] = seq
        self.log = log
        _recount(log)


def _recount(log: list[Record]) -> None:
    """Write the counters that follow from the events, up to one that cannot follow at all."""
    state = ShardState()
    for record in log:
        kind = EVENT_TYPES[record["type"]]
        event: Any = kind(**{name: record[name] for name in kind.__struct_fields__})
        try:
            state = evolve(state, Position(record["epoch"], record["seq"]), event, tell=lambda _: None)
        except InvariantBroken:
            return
        if "available" in record:
            stock = state.stock[record["sku"]]
            record.update({name: getattr(stock, name) for name in COUNTERS})


def _lines(records: list[Record]) -> list[bytes]:
    return [msgspec.json.encode(record) + b"\n" for record in records]
