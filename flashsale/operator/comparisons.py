"""The last full comparison of each sale that was made from this page: log, Redis and Postgres at the same place."""

from __future__ import annotations

import threading
import time

import msgspec

from flashsale.errors import RefusedByState
from flashsale.reconcile import Report, Servers, examine_each
from flashsale.shop import Shop

#: For the projector to reach what Redis held when the comparison began.
CAUGHT_UP_S = 15.0
#: Differences of a sale that are shown; `flashsale reconcile` has them all.
SHOWN_MAX = 50


class Compared(msgspec.Struct, frozen=True):
    """One comparison that came to its end."""

    by: str
    #: Unix time, ms
    at_ms: int
    #: how many differences there are; None: it could not be compared
    count: int | None
    #: where in the log it was compared
    position: str
    #: the first `SHOWN_MAX` of them, or why nothing was compared
    told: list[str]


class Comparisons:
    """One at a time: each reads a whole sale."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._last: dict[str, Compared] = {}

    def last(self, sale: str) -> Compared | None:
        """The newest one; None: there was none since this page was started."""
        return self._last.get(sale)

    def compare(self, shop: Shop, sale: str, by: str) -> Compared:
        """Compare a sale now. Raises `RefusedByState` while another one is under way."""
        if not self._busy.acquire(blocking=False):
            raise RefusedByState("a comparison is under way already; wait for its end")
        try:
            servers = Servers(shop.client, shop.log, shop.connection)
            (reports, behind) = examine_each(servers, [sale], CAUGHT_UP_S)
        finally:
            self._busy.release()
        found = _compared(by, reports, behind)
        self._last[sale] = found
        return found


def _compared(by: str, reports: list[Report], behind: list[str]) -> Compared:
    at_ms = time.time_ns() // 1_000_000
    position = ", ".join(str(report.position) for report in reports)
    skipped = [report.skipped for report in reports if report.skipped]
    if behind or skipped:
        return Compared(by, at_ms, None, position, behind + skipped)
    findings = [finding for report in reports for finding in report.findings]
    told = [
        f"{finding.kind} {finding.key}: the log says {finding.log}, found {finding.seen}; "
        f"{finding.refusal or finding.note}".rstrip("; ")
        for finding in findings[:SHOWN_MAX]
    ]
    return Compared(by, at_ms, sum(report.count for report in reports), position, told)
