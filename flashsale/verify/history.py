"""Hold what clients asked and were told against the log: the promises that the log alone cannot show.

One sweep over all histories in the order of their times. Memory: the index of the log (see `flashsale.verify.index`),
one byte an event, and the requests that are under way or never returned; requests that were answered leave nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from flashsale.client_history import Invoked, Returned
from flashsale.errors import BadInput
from flashsale.verify.answers import Span, Untrue
from flashsale.verify.history_lines import Source, Step, steps
from flashsale.verify.index import Index
from flashsale.verify.shard_sweep import Op, ShardSweep

#: What must hold between the histories of clients and the log.
HISTORY_RULES = {
    "K1": "what was acknowledged stands in the log, where and as it was said",
    "K2": "what was refused was not done",
    "K3": "what had an unknown outcome was done once or not at all, and not before it was asked for",
    "K4": "what was answered before another request was made comes before it in the log; no answer is older than one "
    "that was there already",
    "K5": "a refusal is true at the place of the log that it names",
    "K6": "a request that is repeated gets the answer that it got",
}

#: Violations that are kept; the others are counted.
VIOLATIONS_MAX = 100


class HistoryViolation(msgspec.Struct, frozen=True):
    """A request whose answer cannot be true, or whose event cannot be its own."""

    sale: str
    shard: int
    #: the name of the history
    history: str
    #: which of its requests
    op: int
    #: a key of `HISTORY_RULES`
    rule: str
    meaning: str
    sentence: str


class Counts(msgspec.Struct):
    """The requests of one history. Those without a return are unknown."""

    requests: int = 0
    ok: int = 0
    refused: int = 0

    @property
    def unknown(self) -> int:
        return self.requests - self.ok - self.refused


class HistoryReport(msgspec.Struct):
    """What the histories of clients say."""

    #: name → its requests
    clients: dict[str, Counts] = msgspec.field(default_factory=dict)
    #: the first `VIOLATIONS_MAX`
    violations: list[HistoryViolation] = msgspec.field(default_factory=list)
    #: rule → how often it was broken
    broken: Counter[str] = msgspec.field(default_factory=Counter)
    #: requests about a shard whose log does not add up: nothing can be held against it
    not_judged: int = 0

    @property
    def requests(self) -> int:
        return sum(counts.requests for counts in self.clients.values())


class Sweep:
    """Judges the steps of all histories in their order; `finish` when there are no more."""

    def __init__(self, sources: Sequence[Source], indexes: Mapping[tuple[str, int], Index | None]) -> None:
        """`indexes`: sale and shard → its log; None where the log does not add up."""
        self.report = HistoryReport({source.name: Counts() for source in sources})
        self._names = [source.name for source in sources]
        self._counts = list(self.report.clients.values())
        self._shards = {key: None if index is None else ShardSweep(index) for key, index in indexes.items()}
        self._under_way: dict[tuple[int, int], Op] = {}
        self._newest_op = [0] * len(sources)

    def take(self, step: Step) -> None:
        """One line. Raises `BadInput` when it does not fit to the lines before it."""
        if isinstance(step.line, Invoked):
            self._invoked(step, step.line)
        else:
            self._returned(step, step.line)

    def finish(self) -> HistoryReport:
        """What never returned has an unknown outcome; then every event must have a request that wrote it."""
        for op in self._under_way.values():
            shard = self._shard(op.asked)
            if shard is not None:
                shard.unknown(op)
        for shard in self._shards.values():
            for op, rule, sentence in () if shard is None else shard.unwritten():
                self._tell(op, rule, sentence)
        return self.report

    def _shard(self, asked: Invoked) -> ShardSweep | None:
        """The shard of a request; None where the log does not add up."""
        key = (asked.sale, asked.shard)
        if key not in self._shards:
            self._shards[key] = ShardSweep(Index())
        return self._shards[key]

    def _invoked(self, step: Step, asked: Invoked) -> None:
        if asked.op <= self._newest_op[step.source]:
            raise self._bad(step, f"op {asked.op}", "a history counts its requests up")
        self._newest_op[step.source] = asked.op
        self._counts[step.source].requests += 1
        shard = self._shard(asked)
        floor, told_by = (0, (0, 0)) if shard is None else (shard.floor, shard.told_by)
        self._under_way[step.source, asked.op] = Op(step.source, asked, floor, told_by)
        self.report.not_judged += shard is None

    def _returned(self, step: Step, told: Returned) -> None:
        op = self._under_way.pop((step.source, told.op), None)
        if op is None:
            raise self._bad(step, f"op {told.op}", "a request returns once, after it was made")
        counts = self._counts[step.source]
        counts.ok += told.outcome == "ok"
        counts.refused += told.outcome == "refused"
        shard = self._shard(op.asked)
        if shard is None:
            return
        try:
            span = shard.judge(op, told)
        except Untrue as untrue:
            self._tell(op, untrue.rule, str(untrue))
        except ValueError as error:
            raise self._bad(step, told.position, "the place of an answer is epoch-seq") from error
        else:
            if span is not None:
                self._place(shard, op, told, span)

    def _place(self, shard: ShardSweep, op: Op, told: Returned, span: Span) -> None:
        """Real-time order: nothing is decided before what had been answered when it was asked for."""
        if shard.contradicts(op, span):
            source, number = op.told_by
            other = f"request {number} of {self._names[source]}"
            said = f"it was answered {told.code} at {told.position}"
            self._tell(op, "K4", f"{said}, and {other} had been told of a later place before it was made")
        shard.saw(op, span)

    def _tell(self, op: Op, rule: str, sentence: str) -> None:
        self.report.broken[rule] += 1
        if len(self.report.violations) < VIOLATIONS_MAX:
            asked = op.asked
            what = asked.order_id or asked.request_id or asked.sale
            self.report.violations.append(
                HistoryViolation(
                    asked.sale,
                    asked.shard,
                    self._names[op.source],
                    asked.op,
                    rule,
                    HISTORY_RULES[rule],
                    f"{asked.command} {what}: {sentence}",
                )
            )

    def _bad(self, step: Step, value: str, remedy: str) -> BadInput:
        return BadInput(f"{self._names[step.source]}, line {step.number}", value, remedy)


def verify_history(
    sources: Sequence[Source], indexes: Mapping[tuple[str, int], Index | None]
) -> HistoryReport:
    """Judge all histories. Raises `BadInput` on what is none, or when there is no request in any."""
    sweep = Sweep(sources, indexes)
    for step in steps(sources):
        sweep.take(step)
    report = sweep.finish()
    if not report.requests:
        raise BadInput("history", ", ".join(source.name for source in sources), "it has no request to check")
    return report
