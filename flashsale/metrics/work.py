"""What a daemon has done since it began, for Prometheus. Scrapes read it from a thread: numbers only."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from flashsale.daemon import Daemon
from flashsale.metrics.names import Sample
from flashsale.projections.projector import Projector
from flashsale.stream import ShardId
from flashsale.sweeper import Sweeper


class Compared:
    """What the newest comparison of log, Redis and Postgres found. A shard that was not compared is not told."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def now(self, differences: Mapping[ShardId, int]) -> None:
        """A comparison came to its end."""
        # A new list: a scrape may be reading the old one.
        self.samples = [
            sample
            for shard, number in differences.items()
            for sample in (
                Sample("flashsale_reconcile_differences", number, (shard.sale, str(shard.shard))),
                Sample("flashsale_reconcile_timestamp_seconds", time.time(), (shard.sale, str(shard.shard))),
            )
        ]


def of_reconcile(daemon: Daemon, compared: Compared) -> list[Sample]:
    return [*_of_daemon(daemon), *compared.samples]


def of_projector(daemon: Daemon, projector: Projector) -> list[Sample]:
    done = projector.totals
    return [
        *_of_daemon(daemon),
        Sample("flashsale_projector_applied_events_total", done.events),
        Sample("flashsale_projector_batches_total", done.batches),
        Sample("flashsale_projector_parked_events_total", done.parked),
        Sample("flashsale_projector_ack_missing_events_total", done.ack_missing),
    ]


def of_sweeper(daemon: Daemon, sweeper: Sweeper) -> list[Sample]:
    return [*_of_daemon(daemon), Sample("flashsale_sweeper_expired_holds_total", sweeper.expired)]


def _of_daemon(daemon: Daemon) -> Iterator[Sample]:
    yield Sample("flashsale_daemon_turns_total", daemon.turns)
    for server, times in daemon.errors.items():
        yield Sample("flashsale_daemon_errors_total", times, (server,))
    if daemon.last_turn_s is not None:
        yield Sample("flashsale_daemon_last_turn_timestamp_seconds", daemon.last_turn_s)
