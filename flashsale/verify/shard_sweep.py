"""One shard's side of the sweep: which request wrote which event, and what had been told until when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flashsale.client_history import Invoked, Returned
from flashsale.verify.answers import Span, Untrue, event_of, judge_done, place, written_at
from flashsale.verify.index import Index
from flashsale.verify.refusals import judge_refusal


class Op(NamedTuple):
    """One request of one history."""

    source: int
    asked: Invoked
    #: the latest moment of the log that anybody had been told of when it was made, and whoever was told
    floor: int
    told_by: tuple[int, int]


#: Of an event, by bits: a request of the histories is known to have written it · may have.
_ACKNOWLEDGED, _POSSIBLE = 1, 2


class ShardSweep:
    """What is known at a moment of the sweep over all histories."""

    def __init__(self, index: Index) -> None:
        self.index = index
        #: the latest moment of the log that anybody has been told of, and the request whose answer told it
        self.floor, self.told_by = 0, (0, 0)
        #: by prefix
        self._claims = bytearray(len(index.done))
        #: prefix → a request that asks for this event and cannot have written it, and the rule that this breaks
        self._suspects: dict[int, tuple[Op, str, str]] = {}
        self._contradicted: set[tuple[int, int]] = set()

    def saw(self, op: Op, span: Span) -> None:
        """An answer was given: whatever is asked from now on is decided after it."""
        if span.earliest > self.floor:
            self.floor, self.told_by = span.earliest, (op.source, op.asked.op)

    def contradicts(self, op: Op, span: Span) -> bool:
        """Whether an answer is older than one that had been given when it was asked for.

        Each of these earlier answers is named once, not for everybody who came after it.
        """
        if span.latest >= op.floor or op.told_by in self._contradicted:
            return False
        self._contradicted.add(op.told_by)
        return True

    def judge(self, op: Op, told: Returned) -> Span | None:
        """Between which moments of the log a request was decided; None where nothing says so.

        Raises `Untrue` when its answer cannot be true, and `ValueError` when it names no place.
        """
        if told.outcome == "unknown":
            self.unknown(op)
            return None
        try:
            return self._done(op, told) if told.outcome == "ok" else self._refused(op, told)
        except Untrue:
            # This request has been named: its event needs no second violation.
            self._claims[event_of(self.index, op.asked)] |= _POSSIBLE
            raise

    def unwritten(self) -> Iterator[tuple[Op, str, str]]:
        """In the end: events that are asked for, and that no request can have written; with a rule and a sentence."""
        for prefix, suspect in self._suspects.items():
            if not self._claims[prefix] & (_ACKNOWLEDGED | _POSSIBLE):
                yield suspect

    def _done(self, op: Op, told: Returned) -> Span:
        """The span of an acknowledged request. Raises `Untrue`."""
        span, prefix = judge_done(self.index, op.asked, told)
        if not told.status and self._claims[prefix] & _ACKNOWLEDGED:
            raise Untrue(
                "K6", f"it was answered {told.code}{place(told)}, as new, and so was another request"
            )
        self._claims[prefix] |= 0 if told.status else _ACKNOWLEDGED
        if told.status:
            self._suspect(
                prefix, op, "K6", f"it was told that {told.code} was done before, and nobody else asked"
            )
        return span

    def _refused(self, op: Op, told: Returned) -> Span | None:
        """The span of a refused request, if it has one. Raises `Untrue`."""
        prefix = event_of(self.index, op.asked)
        if prefix:
            said = f"it was refused as {told.code}"
            self._suspect(prefix, op, "K2", f"{said}, and the log has it done; nobody else asked for it")
        return judge_refusal(self.index, op.asked, told)

    def unknown(self, op: Op) -> None:
        """A request that may have been carried out, at any time after it was made."""
        prefix = event_of(self.index, op.asked)
        if not prefix:
            return
        if op.floor <= written_at(prefix):
            self._claims[prefix] |= _POSSIBLE
        else:
            self._suspect(prefix, op, "K3", "the log has it done before it was asked for")

    def _suspect(self, prefix: int, op: Op, rule: str, sentence: str) -> None:
        if not self._claims[prefix] & (_ACKNOWLEDGED | _POSSIBLE):
            self._suspects.setdefault(prefix, (op, rule, sentence))
