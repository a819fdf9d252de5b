"""One look at both servers. What cannot be told has no sample: an unknown lag is not 0, nor is lost stock."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import msgspec
import structlog

from flashsale import sale_health
from flashsale.client import Client
from flashsale.commands import Snapshot
from flashsale.errors import FlashsaleError, Halted, OtherShop, Unreachable
from flashsale.ids import START
from flashsale.metrics.names import Sample
from flashsale.projections import comparisons, reads
from flashsale.projections.comparisons import Comparison
from flashsale.projections.database import Connection
from flashsale.projections.reads import CheckpointRow
from flashsale.shard_status import shard_status
from flashsale.stream import Log, NoGroup, ShardId

log = structlog.get_logger(__name__)

#: In the order in which they are asked.
SERVERS = ("redis", "postgres")
#: A reply of Redis that takes longer is not waited for: who scrapes has no time.
REPLY_TIMEOUT_MS = 2_000


class Servers(msgspec.Struct, frozen=True):
    """How to connect to what is looked at. Each call opens a connection of its own."""

    log: Callable[[], Log]
    client: Callable[[], Client]
    postgres: Callable[[], Connection]


class Seen:
    """What one look has shown so far. One thread fills it, others may read it meanwhile, and cut it short."""

    def __init__(self) -> None:
        #: server → whether it answered; a server that was not asked yet is not in it
        self.up: dict[str, bool] = {}
        self.samples: list[Sample] = []
        self.is_whole = True
        self._lock = threading.Lock()
        self._session: Connection | None = None

    def failed(self, error: Exception) -> None:
        """Something could not be looked at."""
        self.is_whole = False
        log.warning(str(error), action="look_failed")

    @contextmanager
    def interruptible(self, connection: Connection) -> Iterator[Connection]:
        """While this connection is used, `interrupt` ends what it waits for."""
        self._session = connection
        try:
            yield connection
        finally:
            with self._lock:
                self._session = None

    def interrupt(self) -> None:
        """Hang up on Postgres: a server that stands still would be waited for without end. Redis has timeouts."""
        with self._lock:
            if self._session is None or self._session.closed:
                return
            # The look's thread, and nobody else, closes the connection: it then reads the end of it.
            with suppress(OSError), socket.socket(fileno=os.dup(self._session.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)


class Examiner:
    """Looks at every sale that was warmed and is not archived; remembers which those are while Postgres is away."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._shards: list[ShardId] = []

    def look(self, seen: Seen) -> None:
        """Fill `seen`. Raises nothing that a server may cause."""
        begun_s = time.monotonic()
        try:
            with ExitStack() as stack:
                self._look(self._hot(stack, seen), self._connection(stack, seen), seen)
        except (
            Unreachable
        ) as error:  # in the middle; what it says begins with the name of Postgres, or it was Redis
            seen.up["postgres" if str(error).startswith("Postgres") else "redis"] = False
            seen.failed(error)
        seen.samples.append(Sample("flashsale_look_duration_seconds", time.monotonic() - begun_s))

    def _look(self, hot: tuple[Log, Client] | None, connection: Connection | None, seen: Seen) -> None:
        rows: dict[ShardId, CheckpointRow] = {}
        compared: dict[ShardId, Comparison] = {}
        if connection is not None:
            found = reads.checkpoints(connection)
            rows = {row.shard: row for row in found if row.reached != START and not row.archived}
            self._shards = list(rows)
            compared = comparisons.every(connection)
        for row in rows.values():
            seen.samples += _of_postgres(row, is_alone=hot is None)
            seen.samples += _of_reconcile(compared.get(row.shard))
        if hot is not None:
            for shard in self._shards:
                self._look_at(hot, connection, shard, rows.get(shard), seen)

    def _hot(self, stack: ExitStack, seen: Seen) -> tuple[Log, Client] | None:
        try:
            reader = stack.enter_context(self._servers.log())
            client = stack.enter_context(self._servers.client())
            client.now_ms()
        except FlashsaleError as error:
            seen.up["redis"] = False
            seen.failed(error)
            return None
        seen.up["redis"] = True
        return reader, client

    def _connection(self, stack: ExitStack, seen: Seen) -> Connection | None:
        try:
            connection = stack.enter_context(self._servers.postgres())
            stack.enter_context(seen.interruptible(connection))
        except FlashsaleError as error:
            # An old schema is a fault, too, but not of a server that is away.
            seen.up["postgres"] = not isinstance(error, Unreachable)
            seen.failed(error)
            return None
        seen.up["postgres"] = True
        return connection

    @staticmethod
    def _look_at(
        hot: tuple[Log, Client],
        connection: Connection | None,
        shard: ShardId,
        row: CheckpointRow | None,
        seen: Seen,
    ) -> None:
        """What Redis says of one shard, and what both say together. A shard that cannot be read hides no other."""
        reader, client = hot
        parts: tuple[Callable[[], list[Sample]], ...] = (
            partial(_of_redis, reader, client, shard, is_alone=row is None),
            partial(_of_both, reader, client, connection, row),
            partial(_pending, reader, shard),
        )
        for part in parts:
            try:
                seen.samples += part()
            except NoGroup:
                continue  # nobody has read the log yet, or there is none: how much is pending is unknown
            except OtherShop as error:  # both servers answer
                seen.failed(error)
            except Unreachable:
                raise
            except FlashsaleError as error:
                seen.failed(error)


def _labels(shard: ShardId) -> tuple[str, str]:
    return shard.sale, str(shard.shard)


def _of_postgres(row: CheckpointRow, *, is_alone: bool) -> Iterator[Sample]:
    labels = _labels(row.shard)
    if is_alone and row.halted:  # otherwise only both can tell
        yield Sample("flashsale_log_halted", 1, labels)
    yield Sample("flashsale_projected_events_total", row.checkpoint.seq, labels)
    yield Sample("flashsale_projector_leading", row.holder is not None, labels)
    yield Sample("flashsale_dead_letter_events", row.parked, labels)
    if row.heartbeat_age_ms is not None:
        at_s = time.time() - row.heartbeat_age_ms / 1000
        yield Sample("flashsale_projector_heartbeat_timestamp_seconds", at_s, labels)


def _of_reconcile(found: Comparison | None) -> Iterator[Sample]:
    """What the newest comparison that came to its end found."""
    if found is not None and (compared := found.compared) is not None:
        labels = _labels(found.shard)
        yield Sample("flashsale_reconcile_differences", compared.differences, labels)
        yield Sample("flashsale_reconcile_timestamp_seconds", compared.at_ms / 1000, labels)


def _of_redis(reader: Log, client: Client, shard: ShardId, *, is_alone: bool) -> list[Sample]:
    labels = _labels(shard)
    snapshot = client.snapshot(*shard)
    halted = [Sample("flashsale_log_halted", 1, labels)] if is_alone and snapshot.lost else []
    if not snapshot.is_loaded:
        return halted  # lost: no stock known is not the same as none left
    overdue_ms = reader.overdue_ms(shard, snapshot.now_ms) or 0
    return [
        *halted,
        Sample("flashsale_sale_state", 1, (*labels, snapshot.state.status)),
        *(Sample("flashsale_stock_units", units, (*labels, state)) for state, units in _units(snapshot)),
        Sample("flashsale_open_holds", snapshot.hold_count, labels),
        Sample("flashsale_oldest_hold_overdue_seconds", overdue_ms / 1000, labels),
        Sample("flashsale_log_events_total", snapshot.state.position.seq, labels),
        Sample("flashsale_log_entries", reader.length(shard), labels),
    ]


def _units(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    for state in ("available", "held", "sold", "returned"):
        yield state, sum(getattr(stock, state) for stock in snapshot.state.stock.values())


def _of_both(
    reader: Log, client: Client, connection: Connection | None, row: CheckpointRow | None
) -> list[Sample]:
    if row is None or connection is None:
        return []
    labels = _labels(row.shard)
    is_halted = bool(row.halted or sale_health.why_lost(reader, connection, row))
    found = [Sample("flashsale_log_halted", is_halted, labels)]
    try:
        status = shard_status(reader, row, client.now_ms)
    except Halted:  # something else stands in the place of the log
        return found
    numbers = {
        "flashsale_log_lost_events": status.lost_events,
        "flashsale_projector_lag_events": status.lag_events,
        "flashsale_projector_lag_seconds": status.lag_s,
    }
    return found + [Sample(name, number, labels) for name, number in numbers.items() if number is not None]


def _pending(reader: Log, shard: ShardId) -> list[Sample]:
    oldest = reader.pending(shard, count=1)
    counted = sum(consumer.pending for consumer in reader.consumers(shard))
    idle_s = oldest[0].idle_ms / 1000 if oldest else 0.0
    return [
        Sample("flashsale_projector_pending_events", counted, _labels(shard)),
        Sample("flashsale_projector_oldest_pending_seconds", idle_s, _labels(shard)),
    ]
