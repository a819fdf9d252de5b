"""What reconcile finds: one class for each way in which a store may differ from the log."""

from __future__ import annotations

from typing import Literal

import msgspec

from flashsale.ids import START, Position
from flashsale.stream import ShardId

Kind = Literal[
    "hot-counter",
    "hot-order",
    "hot-setting",
    "buyer-limit",
    "stuck-hold",
    "missing-order",
    "extra-order",
    "wrong-status",
    "stock-row",
    "archive-gap",
    "content-mismatch",
    "oversold",
    "fork",
]

#: What each class means, and where the value is that differs.
CLASSES: dict[Kind, str] = {
    "hot-counter": "Redis counts a SKU's units otherwise than the log adds up to",
    "hot-order": "Redis has another record of an order than the log, or none, or one too many",
    "hot-setting": "Redis goes by another state, window, hold, limit or waiting room, or forgot or made up a restock",
    "buyer-limit": "Redis counts a buyer's units otherwise than the log",
    "stuck-hold": "Redis ends a hold at another time than the log says, or never, or one that is no hold",
    "missing-order": "Postgres lacks an order of the log",
    "extra-order": "Postgres has an order that the log does not have",
    "wrong-status": "Postgres has an order otherwise than the log",
    "stock-row": "Postgres has other counters of a SKU than the log",
    "archive-gap": "Postgres lacks an event that it has applied",
    "content-mismatch": "Postgres has an event otherwise than the log, or otherwise than its own bytes",
    "oversold": "the log itself has sold more units than there are",
    "fork": "two histories, or a log that is not whole: nobody may guess which is right",
}
HOT: frozenset[str] = frozenset(["hot-counter", "hot-order", "hot-setting", "buyer-limit", "stuck-hold"])

#: Findings of one shard that are kept; the rest is counted.
FINDINGS_MAX = 10_000


class Finding(msgspec.Struct, frozen=True):
    """One difference. Values are text; None: there is no such record."""

    kind: Kind
    #: SKU, order id, `buyer SKU`, name of a setting, or a place in the log
    key: str
    log: str | None
    #: the other store's value: Redis's for the classes `HOT`, else Postgres's
    seen: str | None
    #: where in the log it appears first; None where that cannot be known
    first_seq: Position | None = None
    note: str = ""
    #: why it cannot be mended here; "" when it can
    refusal: str = ""
    #: of a stuck hold: the order's record, without which the hold says nothing
    guard: str | None = None
    sku: str = ""

    @property
    def redis(self) -> str | None:
        return self.seen if self.kind in HOT else None

    @property
    def postgres(self) -> str | None:
        return None if self.kind in HOT else self.seen

    @property
    def sentence(self) -> str:
        """For people."""
        values = "" if self.log is self.seen is None else f"the log says {self.log}, found {self.seen}"
        told = dict.fromkeys(part for part in (values, self.note, self.refusal) if part)
        return f"{self.kind} {self.key}: {'; '.join(told)}"

    def record(self) -> dict[str, str | None]:
        """For programs."""
        return {
            "class": self.kind,
            "key": self.key,
            "log": self.log,
            "redis": self.redis,
            "postgres": self.postgres,
            "first_seq": None if self.first_seq is None else str(self.first_seq),
            "note": self.refusal or self.note,
        }


class Report(msgspec.Struct):
    """What was found in one shard."""

    shard: ShardId
    #: where Redis was held against the log, and where Postgres was
    position: Position = START
    checkpoint: Position = START
    #: events whose effect is kept out of orders and stock on purpose
    dead_letters: int = 0
    #: why there was nothing to compare; "" when there was
    skipped: str = ""
    #: at most `FINDINGS_MAX`
    findings: list[Finding] = msgspec.field(default_factory=list)
    #: how many there are
    count: int = 0

    @property
    def is_forked(self) -> bool:
        return any(finding.kind == "fork" for finding in self.findings)

    def add(self, finding: Finding) -> None:
        self.count += 1
        # A fork is never dropped: it decides what may be done at all.
        if len(self.findings) < FINDINGS_MAX or finding.kind == "fork":
            self.findings.append(finding)
