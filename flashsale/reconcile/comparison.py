"""Hold the three stores against each other at the same position of a shard: the log, Redis, Postgres.

The log is the truth. Its fold is compared with what Redis keeps hot and with what the projector wrote; every difference
is a drift, named with all three values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import msgspec

from flashsale import history
from flashsale.client import Client
from flashsale.commands import Snapshot
from flashsale.errors import FlashsaleError, Halted
from flashsale.events import ShardState, UndecodableEvent, decode, evolve
from flashsale.ids import Position
from flashsale.projections import reads
from flashsale.projections.database import Connection
from flashsale.projections.reads import Tables
from flashsale.projections.state_hash import digest
from flashsale.stream import Log, ShardId

#: How often a checkpoint that is waited for is looked at.
LOOK_EVERY_S = 0.02

#: What a store says about one key.
_Fields = tuple[object, ...]


class Drift(msgspec.Struct, frozen=True):
    """One difference. Values are text; None: the store has no such thing."""

    #: stock, order, units, hold or sale
    kind: str
    #: SKU, order id, `buyer SKU`, or the name of a setting
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
    #: Postgres as it was read, at `position` or later
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

    A sale may go on: what Postgres has applied since the snapshot is taken back, as the log tells it. Raises
    `NotCaughtUp`, and `Halted` when the log itself does not add up or is not whole.
    """
    snapshot = client.snapshot(shard.sale, shard.shard, everything=True)
    position = snapshot.state.position
    if snapshot.log_position != position:
        raise Halted(f"{shard}: Redis counts to {position}, its log ends at {snapshot.log_position}")
    wait_for_checkpoint(connection, shard, position, timeout_s=timeout_s, wait=wait)
    tables = reads.tables(connection, shard)
    folded = fold_log(log, connection, shard, position)
    now = folded if tables.checkpoint == position else fold_log(log, connection, shard, tables.checkpoint)
    postgres = _View.of_tables(tables).taken_back(_View.of_state(now), _View.of_state(folded))
    return _compare(shard, folded, snapshot, tables, postgres)


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
    for entry in history.entries(log, connection, shard, up_to=up_to):
        try:
            event = decode(entry.body or b"")
        except UndecodableEvent as error:
            raise Halted(f"{shard} at {entry.position}: {error.reason}") from error
        state = evolve(state, entry.position, event)
    if state.position != up_to:
        raise Halted(f"{shard}: the log ends at {state.position}, before {up_to}")
    return state


def state_hash(stock: Mapping[str, _Fields], orders: Mapping[str, _Fields]) -> str:
    """The digest of a state, as `replay` and `demo` print it, too."""
    return digest(sorted(stock.items()), sorted(orders.items()))


def _compare(
    shard: ShardId, folded: ShardState, snapshot: Snapshot, tables: Tables, postgres: _View
) -> Comparison:
    log, redis = _View.of_state(folded), _View.of_state(snapshot.state)
    units, settings = _units(folded), _settings(folded)
    holds = {key: (o.hold_until_ms,) for key, o in folded.orders.items() if o.status == "held"}
    redis_holds = {key: (until_ms,) for key, until_ms in snapshot.holds.items()}
    drifts = [
        *_differences("stock", log.stock, redis.stock, postgres.stock),
        *_differences("order", log.orders, redis.orders, postgres.orders),
        # Of these Postgres keeps nothing.
        *_differences("units", units, _units(snapshot.state), units),
        *_differences("hold", holds, redis_holds, holds),
        *_differences("sale", settings, _settings(snapshot.state), settings),
    ]
    return Comparison(
        shard=shard,
        position=folded.position,
        state=folded,
        drifts=drifts,
        log_hash=state_hash(log.stock, log.orders),
        redis_hash=state_hash(redis.stock, redis.orders),
        postgres_hash=state_hash(postgres.stock, postgres.orders),
        tables=tables,
    )


class _View(msgspec.Struct, frozen=True):
    """What all three stores know in common."""

    stock: dict[str, _Fields]
    orders: dict[str, _Fields]

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

    def taken_back(self, now: _View, then: _View) -> _View:
        """This view at an earlier moment: what agrees with the log `now` has the log's value of `then`."""
        return _View(
            _taken_back(self.stock, now.stock, then.stock), _taken_back(self.orders, now.orders, then.orders)
        )


def _taken_back(
    seen: Mapping[str, _Fields], now: Mapping[str, _Fields], then: Mapping[str, _Fields]
) -> dict[str, _Fields]:
    keys = seen.keys() | then.keys()
    found = {key: then.get(key) if seen.get(key) == now.get(key) else seen.get(key) for key in keys}
    return {key: fields for key, fields in found.items() if fields is not None}


def _units(state: ShardState) -> dict[str, _Fields]:
    return {f"{buyer} {sku}": (units,) for (buyer, sku), units in state.units.items()}


def _settings(state: ShardState) -> dict[str, _Fields]:
    """What else a sale goes by."""
    return {
        "status": (state.status,),
        "opens_ms": (state.opens_ms,),
        "closes_ms": (state.closes_ms,),
        "hold_ms": (state.hold_ms,),
        **{f"limit {sku}": (stock.limit,) for sku, stock in state.stock.items()},
        **{
            f"restock {key}": (r.direction, r.sku, r.quantity, r.position)
            for key, r in state.requests.items()
        },
    }


def _differences(
    kind: str,
    log: Mapping[str, _Fields],
    redis: Mapping[str, _Fields],
    postgres: Mapping[str, _Fields],
) -> Iterator[Drift]:
    for key in sorted(log.keys() | redis.keys() | postgres.keys()):
        values = [store.get(key) for store in (log, redis, postgres)]
        if values[0] != values[1] or values[0] != values[2]:
            yield Drift(kind, key, *(None if v is None else " ".join(map(str, v)) for v in values))
