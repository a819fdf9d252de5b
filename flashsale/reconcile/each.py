"""Examine sale by sale: one that cannot be compared hides no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from flashsale.errors import Halted, NotFound, UnknownOutcome, Unreachable
from flashsale.projections import catalog
from flashsale.reconcile.comparison import NotCaughtUp
from flashsale.reconcile.examination import Servers, examine
from flashsale.reconcile.finding import Finding, Report
from flashsale.stream import ShardId


def examine_each(
    servers: Servers,
    names: Sequence[str],
    timeout_s: float,
    wait: Callable[[float], object] = time.sleep,
) -> tuple[list[Report], list[str]]:
    """A report for each shard that could be compared, a sentence for each that is not caught up. No name: every sale.

    Raises `NotFound` for a sale that is not defined, `Unreachable` when a server goes away.
    """
    reports: list[Report] = []
    behind: list[str] = []
    for shard in _shards(servers, names):
        try:
            reports.append(examine(servers, shard, timeout_s=timeout_s, wait=wait).report)
        except NotCaughtUp as error:
            behind.append(str(error))
        except Halted as error:
            report = Report(shard)
            report.add(Finding("fork", "log", None, None, note=str(error), refusal=str(error)))
            reports.append(report)
        except UnknownOutcome as error:
            raise Unreachable(f"Redis went away: {error.__cause__}") from error
    return reports, behind


def _shards(servers: Servers, names: Sequence[str]) -> list[ShardId]:
    known = list(catalog.fences(servers.connection))
    for name in names:
        if all(shard.sale != name for shard in known):
            raise NotFound(f"sale {name} is not defined; `flashsale sale list` shows those that are")
    return [shard for shard in known if not names or shard.sale in names]
