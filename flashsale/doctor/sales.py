"""The sales: whether the log of each is whole and applied."""

from __future__ import annotations

from collections.abc import Iterator

from flashsale.doctor.check import Check, Verdict
from flashsale.projections.database import Connection
from flashsale.sale_health import troubles
from flashsale.stream import Log


def sales(log: Log, connection: Connection) -> Iterator[Check]:
    """What is wrong with each sale; one line when nothing is."""
    found = list(troubles(log, connection))
    for trouble in found:
        verdict: Verdict = "halted" if trouble.is_halted else "warn"
        yield Check(f"sale {trouble.shard.sale}", verdict, trouble.found, trouble.remedy)
    if not found:
        yield Check("sales", "ok", "every log is whole, nothing waits")
