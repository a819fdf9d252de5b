"""Examine sale by sale, and keep what was found: one that cannot be compared hides no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flashsale.errors import Halted, NotFound, UnknownOutcome, Unreachable
from flashsale.projections import catalog
from flashsale.reconcile.comparison import NotCaughtUp
from flashsale.reconcile.examination import examine
from flashsale.reconcile.finding import Finding, Report
from flashsale.reconcile.keeping import Keeper
from flashsale.shop import Shop
from flashsale.stream import ShardId


class Examination(NamedTuple):
    """What was found."""

    #: of each shard that could be compared
    reports: list[Report]
    #: a sentence for each that is not caught up
    behind: list[str]
    #: why Postgres keeps nothing of it; empty: it does
    not_kept: str


def examine_each(
    shop: Shop,
    names: Sequence[str],
    timeout_s: float,
    *,
    by: str,
    wait: Callable[[float], object] = time.sleep,
) -> Examination:
    """Examine these sales; without a name, every sale. `by` is who compares, for those who look later.

    Raises `NotFound` for a sale that is not defined, `Unreachable` when a server goes away.
    """
    reports: list[Report] = []
    behind: list[str] = []
    keeper = Keeper(shop.connection, by)
    for shard in _shards(shop, names):
        try:
            report = examine(shop, shard, timeout_s=timeout_s, wait=wait).report
        except NotCaughtUp as error:
            behind.append(str(error))
            keeper.missed(shard, str(error))
            continue
        except Halted as error:
            report = Report(shard)
            report.add(Finding("fork", "log", None, None, note=str(error), refusal=str(error)))
        except UnknownOutcome as error:
            raise Unreachable(f"Redis went away: {error.__cause__}") from error
        reports.append(report)
        keeper.compared(report)
    return Examination(reports, behind, keeper.failure)


def _shards(shop: Shop, names: Sequence[str]) -> list[ShardId]:
    known = list(catalog.fences(shop.connection))
    for name in names:
        if all(shard.sale != name for shard in known):
            raise NotFound(f"sale {name} is not defined; `flashsale sale list` shows those that are")
    return [shard for shard in known if not names or shard.sale in names]
