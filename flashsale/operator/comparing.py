"""Full comparisons that somebody asks this page for: log, Redis and Postgres at the same place."""

from __future__ import annotations

import threading

from flashsale.errors import RefusedByState
from flashsale.reconcile import Examination, examine_each
from flashsale.shop import Shop

#: For the projector to reach what Redis held when the comparison began.
CAUGHT_UP_S = 15.0


class Comparisons:
    """One at a time: each reads a whole sale."""

    def __init__(self) -> None:
        self._busy = threading.Lock()

    def compare(self, shop: Shop, sale: str, by: str) -> Examination:
        """Compare a sale now. Raises `RefusedByState` while another comparison is under way."""
        if not self._busy.acquire(blocking=False):
            raise RefusedByState("a comparison is under way already; wait for its end")
        try:
            return examine_each(shop, [sale], CAUGHT_UP_S, by=by)
        finally:
            self._busy.release()


def told(found: Examination) -> str:
    """What it found, in a sentence."""
    missed = found.behind + [report.skipped for report in found.reports if report.skipped]
    if missed:
        return f"could not be compared: {'; '.join(missed)}"
    position = ", ".join(str(report.position) for report in found.reports)
    differences = sum(report.count for report in found.reports)
    if differences:
        return f"{differences:,} difference(s) at {position}."
    return f"log, Redis and Postgres agree at {position}."
