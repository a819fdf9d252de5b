"""Hold the three stores against each other at the same position of a shard: the log, Redis, Postgres.

The log is the truth. Its fold is compared with what Redis keeps hot and with what the projector wrote; every difference
is a drift, named with all three values.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping

import msgspec

from flashsale.client import Client
from flashsale.commands import Snapshot
from flashsale.errors import FlashsaleError, Halted
from flashsale.events import ShardState, UndecodableEvent, decode, evolve
from flashsale.ids import Position
from flashsale.projections import reads
from flashsale.projections.database import Connection
from flashsale.projections.reads import Tables
from flashsale.stream import Entry, Log, ShardId

#: A sale that moves while it is read is read again, this often.
ATTEMPTS_MAX = 20
#: How often a checkpoint that is waited for is looked at.
LOOK_EVERY_S = 0.02


class Drift(msgspec.Struct, frozen=True):
    """One difference. Values are text; None: the store has no such thing."""

    #: stock, order, units or hold
    kind: str
    #: SKU, order id, or `buyer SKU`
    key: str
    log: str | None
    redis: str | None
    postgres: str | None


class Comparison(msgspec.Struct, frozen=True):
    """The result for one shard."""

    shard: ShardId
    #: where all three were compared
    position: Position
    state: ShardState
    drifts: list[Drift]
    #: SHA-256 over stock and orders, as each store has them
    log_hash: str
    redis_hash: str
    postgres_hash: str
    #: Postgres, as it stood at `position`
    tables: Tables


class NotCaughtUp(FlashsaleError):
    """Postgres did not reach the log's position in the time given. Is a projector running? See its status."""

    exit_code = 5


def compare(
    client: Client,
    log: Log,
    connection: Connection,
    shard: ShardId,
    *,
    timeout_s: float,
    wait: Callable[[float], object] = time.sleep,
) -> Comparison:
    """Compare one shard. Waits until Postgres has applied what Redis held at the snapshot.

    A sale that goes on is read again until all three stand at one position. Raises `NotCaughtUp`, and `Halted` when the
    log itself does not add up or is not whole.
    """
    deadline = time.monotonic() + timeout_s
    for _ in range(ATTEMPTS_MAX):
        snapshot = client.snapshot(shard.sale, shard.shard, everything=True)
        position = snapshot.state.position
        if snapshot.log_position != position:
            raise Halted(f"{shard}: Redis counts to {position}, its log ends at {snapshot.log_position}")
        wait_for_checkpoint(connection, shard, position, timeout_s=deadline - time.monotonic(), wait=wait)
        tables = reads.tables(connection, shard)
        if tables.checkpoint == position:
            return _compare(shard, fold_log(log, connection, shard, position), snapshot, tables)
    raise NotCaughtUp(
        f"{shard}: the sale moved {ATTEMPTS_MAX} times while it was read; pause it, or try again"
    )


def wait_for_checkpoint(
    connection: Connection,
    shard: ShardId,
    position: Position,
    *,
    timeout_s: float,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Return when everything up to `position` is in Postgres. Raises `NotCaughtUp` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        row = next((row for row in reads.checkpoints(connection, shard.sale) if row.shard == shard), None)
        if row is not None and row.checkpoint >= position:
            return
        if row is not None and row.halted:
            raise Halted(row.halted)
        if time.monotonic() >= deadline:
            at = row.checkpoint if row else "nothing"
            raise NotCaughtUp(
                f"{shard}: Postgres stands at {at}, the log at {position}: is a projector running?"
            )
        wait(LOOK_EVERY_S)


def fold_log(log: Log, connection: Connection, shard: ShardId, up_to: Position) -> ShardState:
    """Fold the log up to a position: from the stream, and from the archive what the stream no longer holds."""
    state = ShardState()
    for entry in _entries(log, connection, shard, up_to):
        try:
            event = decode(entry.body or b"")
        except UndecodableEvent as error:
            raise Halted(f"{shard} at {entry.position}: {error.reason}") from error
        state = evolve(state, entry.position, event)
    if state.position != up_to:
        raise Halted(f"{shard}: the log ends at {state.position}, before {up_to}")
    return state


def state_hash(stock: Mapping[str, tuple[int, ...]], orders: Mapping[str, tuple[object, ...]]) -> str:
    """SHA-256 over (SKU, available, held, sold, returned) and (order, status, SKU, quantity, buyer), sorted."""
    content = (sorted(stock.items()), sorted(orders.items()))
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def _entries(log: Log, connection: Connection, shard: ShardId, up_to: Position) -> Iterator[Entry]:
    reached = Position(0, 0)
    first = log.entries(shard, reached, up_to=up_to, count=1)
    while not first or reached < Position(first[0].position.epoch, first[0].position.seq - 1):
        archived = [
            entry for entry in reads.events(connection, shard, reached, 1000) if entry.position <= up_to
        ]
        if first:
            archived = [entry for entry in archived if entry.position < first[0].position]
        if not archived:
            break
        yield from archived
        reached = archived[-1].position
    while page := log.entries(shard, reached, up_to=up_to):
        yield from page
        reached = page[-1].position


def _compare(shard: ShardId, folded: ShardState, snapshot: Snapshot, tables: Tables) -> Comparison:
    log_view, redis_view = _View.of_state(folded), _View.of_state(snapshot.state)
    postgres_view = _View.of_tables(tables)
    held = {order_id for order_id, order in folded.orders.items() if order.status == "held"}
    drifts = [
        *_differences("stock", log_view.stock, redis_view.stock, postgres_view.stock),
        *_differences("order", log_view.orders, redis_view.orders, postgres_view.orders),
        *_differences("units", _units(folded), _units(snapshot.state), _units(folded)),
        *(
            Drift(
                "hold",
                order_id,
                _held(order_id in held),
                _held(order_id in snapshot.holds),
                _held(order_id in held),
            )
            for order_id in sorted(held ^ snapshot.holds.keys())
        ),
    ]
    return Comparison(
        shard=shard,
        position=folded.position,
        state=folded,
        drifts=drifts,
        log_hash=state_hash(log_view.stock, log_view.orders),
        redis_hash=state_hash(redis_view.stock, redis_view.orders),
        postgres_hash=state_hash(postgres_view.stock, postgres_view.orders),
        tables=tables,
    )


class _View(msgspec.Struct, frozen=True):
    """What all three stores know in common."""

    stock: dict[str, tuple[int, ...]]
    orders: dict[str, tuple[object, ...]]

    @classmethod
    def of_state(cls, state: ShardState) -> _View:
        return cls(
            {sku: (s.available, s.held, s.sold, s.returned, s.capacity) for sku, s in state.stock.items()},
            {key: (o.status, o.sku, o.quantity, o.buyer, o.hold_until_ms) for key, o in state.orders.items()},
        )

    @classmethod
    def of_tables(cls, tables: Tables) -> _View:
        return cls(
            {sku: (s.available, s.held, s.sold, s.returned, s.capacity) for sku, s in tables.stock.items()},
            {
                key: (o.status, o.sku, o.quantity, o.buyer, o.hold_until_ms)
                for key, o in tables.orders.items()
            },
        )


def _units(state: ShardState) -> dict[str, tuple[object, ...]]:
    return {f"{buyer} {sku}": (units,) for (buyer, sku), units in state.units.items()}


def _differences(
    kind: str,
    log: Mapping[str, tuple[object, ...]],
    redis: Mapping[str, tuple[object, ...]],
    postgres: Mapping[str, tuple[object, ...]],
) -> Iterator[Drift]:
    for key in sorted(log.keys() | redis.keys() | postgres.keys()):
        values = [store.get(key) for store in (log, redis, postgres)]
        if values[0] != values[1] or values[0] != values[2]:
            yield Drift(kind, key, *(None if v is None else " ".join(map(str, v)) for v in values))


def _held(there: bool) -> str | None:  # noqa: FBT001 - its only argument
    return "held" if there else None
