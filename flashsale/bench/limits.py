"""What Redis could do at the very best: commands packed beforehand, two windows of them always under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from redis.connection import AbstractConnection, Connection, parse_url

from flashsale.bench.orders import orders
from flashsale.bench.place import HOLD_MS, SKU, TIMEOUT_MS, Place
from flashsale.bench.trial import Latencies, Trial
from flashsale.client.wire import CALLS_PER_ROUND, Command, connection_options, pack
from flashsale.commands import BATCH_MAX
from flashsale.events import encode
from flashsale.events.types import OrderReserved

#: Commands in one write: as many requests as the clients send in one round.
WINDOW = BATCH_MAX * CALLS_PER_ROUND


@contextmanager
def xadd(place: Place, count: int) -> Iterator[Trial]:
    """XADD of the bytes that flashsale's script writes for the same orders, and nothing else."""
    key = place.new_key()
    commands = [("XADD", key, f"1-{seq}", "e", _event(count, seq, *order)) for seq, order in orders(count, 1)]
    with _pipeline(place, commands) as (run, _):
        yield Trial(run, lambda: {"entries": int(place.redis.xlen(key))}, {"entries": count})
    place.forget(key)


@contextmanager
def get(place: Place, count: int) -> Iterator[Trial]:
    """GET of a counter that says that nothing is left."""
    key = place.new_key()
    place.redis.set(key, "0")
    with _pipeline(place, [("GET", key)] * count) as (run, replies):
        yield Trial(run, lambda: {"zeros": replies[b"0"]}, {"zeros": count})
    place.forget(key)


@contextmanager
def _pipeline(place: Place, commands: Sequence[Command]) -> Iterator[tuple[Any, Counter[bytes]]]:
    rest = iter(commands)
    windows = [(pack(part), len(part)) for part in iter(lambda: list(islice(rest, WINDOW)), [])]
    replies: Counter[bytes] = Counter()
    options = connection_options(TIMEOUT_MS) | parse_url(place.urls.redis_url)
    connection: AbstractConnection = options.pop("connection_class", Connection)(**options)
    connection.connect()

    def read(number: int) -> None:
        replies.update([connection.read_response() for _ in range(number)])

    def run() -> Latencies:
        under_way = 0
        for data, number in windows:
            connection.send_packed_command([data])
            if under_way:
                read(under_way)
            under_way = number
        read(under_way)
        return None

    try:
        yield run, replies
    finally:
        connection.disconnect()


def _event(units: int, seq: int, order_id: str, buyer: str) -> bytes:
    now_ms = 1_800_000_000_000
    return encode(
        OrderReserved(1, now_ms, "bench", order_id, buyer, SKU, 1, units - seq, seq, 0, 0, now_ms + HOLD_MS)
    )
