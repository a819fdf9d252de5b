"""Afterwards: the log, and what every buyer was told, held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from flashsale import history
from flashsale.loadtest.shop import Shop
from flashsale.reconcile import compare
from flashsale.verify import Source, verify

#: From the last answer until Postgres has everything.
CATCH_UP_TIMEOUT_S = 120


class Checked(msgspec.Struct, frozen=True):
    """How the sale stands by its log, and what does not hold."""

    events: int
    #: by the log: units that there are, that are sold, held, left
    units: int
    sold: int
    held: int
    left: int
    #: requests of the crowd that were held against the log
    requests: int
    #: of those, nobody knows the outcome; the log does
    unknown: int
    #: differences between log, Redis and Postgres; None when they were not compared
    drift: int | None
    #: what did not hold, as sentences
    broken: list[str]


def check(shop: Shop, told: Path) -> Checked:
    """Hold the history of the crowd against the log; of a private shop also log, Redis and Postgres.

    Raises `Halted` for a log with a gap, and `NotCaughtUp` when the projector does not come to its end.
    """
    with told.open("rb") as stream:
        report = verify(_lines(shop), "log", [Source("crowd", iter(stream.readline, b""))])
    assert report.history is not None
    broken = [f"{one.rule}: {one.sentence}" for one in report.violations]
    broken += [f"{one.rule}: {one.sentence}" for one in report.history.violations]
    more = report.history.broken.total() - len(report.history.violations)
    if more:
        broken.append(f"and {more:,} more")
    drift = None
    if shop.private_postgres_url:
        found = compare(shop.client, shop.log, shop.connection, shop.shard, timeout_s=CATCH_UP_TIMEOUT_S)
        drift = len(found.drifts)
        broken += [f"{one.kind} {one.key}: the log has {one.log}, Redis {one.redis}, Postgres {one.postgres}"
                   for one in found.drifts[:20]]  # fmt: skip
    (counts,) = report.history.clients.values()
    shard = report.shards[shop.shard.sale, shop.shard.shard]
    stock = shard.state.stock[shop.target.sku]
    return Checked(
        events=shard.events,
        units=stock.capacity,
        sold=stock.sold,
        held=stock.held,
        left=stock.available,
        requests=counts.requests,
        unknown=counts.unknown,
        drift=drift,
        broken=broken,
    )


def _lines(shop: Shop) -> Iterator[bytes]:
    """The log as `flashsale events export` prints it."""
    for event in history.whole(shop.log, shop.connection, shop.shard):
        yield msgspec.json.encode(event.record()) + b"\n"
