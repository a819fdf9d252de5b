"""What Redis could do at the very best: commands in pipelines, and nothing to decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from redis import Redis
from redis.connection import AbstractConnection, Connection, parse_url

from flashsale.bench.orders import orders
from flashsale.bench.place import HOLD_MS, SKU, TIMEOUT_MS, Place
from flashsale.bench.trial import Latencies, Prepare, Trial
from flashsale.client.replicas import Command
from flashsale.client.wire import CALLS_PER_ROUND, connection_options, pack
from flashsale.commands import BATCH_MAX
from flashsale.events import encode
from flashsale.events.types import OrderReserved

#: Commands in one write: as many requests as the clients send in one round.
WINDOW = BATCH_MAX * CALLS_PER_ROUND


#: Makes of commands what sends them and puts each reply into the counter.
Sender = Callable[[Place, Sequence[Command], Counter[bytes]], AbstractContextManager[Callable[[], Latencies]]]


def xadd(sender: Sender) -> Prepare:
    """XADD of the bytes that flashsale's script writes for the same orders, and nothing else."""

    @contextmanager
    def prepare(place: Place, count: int) -> Iterator[Trial]:
        key = place.new_key()
        commands: list[Command] = [
            ("XADD", key, f"1-{seq}", "e", _event(count, seq, *order)) for seq, order in orders(count, 1)
        ]
        with sender(place, commands, Counter()) as run:
            yield Trial(run, lambda: {"entries": int(place.redis.xlen(key))}, {"entries": count})
        place.forget(key)

    return prepare


def get(sender: Sender) -> Prepare:
    """GET of a counter that says that nothing is left."""

    @contextmanager
    def prepare(place: Place, count: int) -> Iterator[Trial]:
        key, replies = place.new_key(), Counter[bytes]()
        place.redis.set(key, "0")
        with sender(place, [("GET", key)] * count, replies) as run:
            yield Trial(run, lambda: {"zeros": replies[b"0"]}, {"zeros": count})
        place.forget(key)

    return prepare


@contextmanager
def packed(
    place: Place, commands: Sequence[Command], replies: Counter[bytes]
) -> Iterator[Callable[[], Latencies]]:
    """Packed before the clock starts; while one window is answered, the next one is there already."""
    windows = [(pack(part), len(part)) for part in _windows(commands)]
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
        yield run
    finally:
        connection.disconnect()


@contextmanager
def redis_py(
    place: Place, commands: Sequence[Command], replies: Counter[bytes]
) -> Iterator[Callable[[], Latencies]]:
    """What a Python program gets that sends the same with redis-py's own pipeline."""
    with Redis.from_url(place.urls.redis_url, **connection_options(TIMEOUT_MS)) as redis:

        def run() -> Latencies:
            for part in _windows(commands):
                pipeline = redis.pipeline(transaction=False)
                for command in part:
                    pipeline.execute_command(*command)
                replies.update(pipeline.execute())
            return None

        yield run


def _windows(commands: Sequence[Command]) -> Iterator[Sequence[Command]]:
    return (commands[start : start + WINDOW] for start in range(0, len(commands), WINDOW))


def _event(units: int, seq: int, order_id: str, buyer: str) -> str:
    now_ms = 1_800_000_000_000
    event = OrderReserved(
        1, now_ms, "bench", order_id, buyer, SKU, 1, units - seq, seq, 0, 0, now_ms + HOLD_MS
    )
    return encode(event).decode()
