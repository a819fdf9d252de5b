"""The sync client: for tools, daemons and programs without an event loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

from flashsale import ids
from flashsale.client.sync_wire import SyncWire
from flashsale.client.wire import CALLS_PER_ROUND, REPLY_TIMEOUT_MS, Fences, partly_done, replica_wait
from flashsale.commands import (
    Admit,
    Answer,
    BatchRequest,
    Cancel,
    Confirm,
    Expire,
    Hot,
    Join,
    Leave,
    Mend,
    OrderRequest,
    Refund,
    Reply,
    Reserve,
    RoomState,
    SaleRequest,
    Snapshot,
    Stand,
    mend_call,
    order_call,
    parse_hot,
    parse_order,
    parse_reply,
    parse_room_state,
    parse_snapshot,
    plan,
    room_state_call,
    sale_call,
    snapshot_call,
)
from flashsale.commands.founding import found_call, staging
from flashsale.errors import Halted, Unreachable
from flashsale.events import AnyEvent, Order, ShardState
from flashsale.ids import Position
from flashsale.keys import shard_keys

#: Sale and shard.
ShardKey = tuple[str, int]


class Expired(NamedTuple):
    """What one sweep ended."""

    answer: Answer
    order_ids: list[str]
    #: when the next hold ends, ms by Redis's clock; 0 when there is none
    next_hold_until_ms: int
    now_ms: int


class Client:
    """Send commands over one connection, one round trip at a time. Not for use by several threads at once.

    `by` names the caller in the log. `fences` may be shared, and should begin at the Postgres checkpoints. `replicas`:
    so many must have what was decided before it is told; else `NotReplicated`, an `UnknownOutcome`, is raised. A
    request's `trace_id` is kept with its event: 32 hexadecimal digits, as in a traceparent of W3C Trace Context; empty:
    none.

    Methods raise `Unreachable` when nothing was done, `UnknownOutcome` when a reply was lost (retry with the same
    order id), `Halted` when the keys of the sale are damaged. Refusals are answers, not exceptions.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        by: str = "client",
        fences: Fences | None = None,
        timeout_ms: int = REPLY_TIMEOUT_MS,
        replicas: int = 0,
    ) -> None:
        self.by = ids.actor(by)
        self.fences = fences or Fences()
        self._wire = SyncWire(redis_url, timeout_ms, replica_wait(replicas, timeout_ms))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        self._wire.close()

    def reserve(
        self, sale: str, order_id: str, buyer: str, sku: str, quantity: int = 1, *, trace_id: str = ""
    ) -> Answer:
        return self._decide(sale, Reserve(order_id, buyer, sku, quantity, trace_id=trace_id))

    def confirm(self, sale: str, order_id: str, *, trace_id: str = "") -> Answer:
        return self._decide(sale, Confirm(order_id, trace_id=trace_id))

    def cancel(self, sale: str, order_id: str, *, trace_id: str = "") -> Answer:
        return self._decide(sale, Cancel(order_id, trace_id=trace_id))

    def refund(
        self, sale: str, order_id: str, units: Literal["restock", "keep"] = "restock", *, trace_id: str = ""
    ) -> Answer:
        return self._decide(sale, Refund(order_id, units=units, trace_id=trace_id))

    def join(self, sale: str, buyer: str) -> Answer:
        return self.execute(sale, [Join(buyer)])[0]

    def leave(self, sale: str, buyer: str) -> Answer:
        return self.execute(sale, [Leave(buyer)])[0]

    def stand(self, sale: str, buyer: str) -> Answer:
        return self.execute(sale, [Stand(buyer)])[0]

    def admit(self, sale: str, share_permille: int) -> Answer:
        return self.execute(sale, [Admit(share_permille)])[0]

    def execute(self, sale: str, requests: Sequence[BatchRequest], shard: int = 0) -> list[Answer]:
        """Decide any number of requests of one shard; answers stand in the order of the requests.

        Payments, cancellations and refunds go before reservations. An exception in the middle leaves the rest undone
        or unknown: every request may be repeated. `Unreachable` itself is raised only when none of them was decided.
        """
        ids.sale_id(sale)
        answers: list[Answer | None] = [None] * len(requests)
        batches = plan(requests)
        for i in range(0, len(batches), CALLS_PER_ROUND):
            group = batches[i : i + CALLS_PER_ROUND]
            fence = self.fences.text(sale, shard)
            calls = [order_call(sale, shard, fence, self.by, [requests[j] for j in batch]) for batch in group]
            try:
                raws = self._wire.run(calls)
            except Unreachable as error:
                if i == 0:
                    raise
                raise partly_done(error) from error
            for batch, raw in zip(group, raws, strict=True):
                reply = self._parse(sale, shard, raw)
                for index, answer in zip(batch, reply.answers, strict=True):
                    answers[index] = answer
        return [answer for answer in answers if answer is not None]

    def control(self, sale: str, request: SaleRequest, shard: int = 0) -> Answer:
        """Carry out a request about the whole shard."""
        call = sale_call(ids.sale_id(sale), shard, self.fences.text(sale, shard), self.by, request)
        return self._parse(sale, shard, self._wire.run([call])[0]).answers[0]

    def expire(self, sale: str, request: Expire, shard: int = 0) -> Expired:
        """End holds whose time is over."""
        call = sale_call(ids.sale_id(sale), shard, self.fences.text(sale, shard), self.by, request)
        raw = self._wire.run([call])[0]
        reply = self._parse(sale, shard, raw[:3])
        answer = reply.answers[0]
        next_hold_until_ms = int(answer.status or 0)
        return Expired(answer, [order_id.decode() for order_id in raw[3:]], next_hold_until_ms, reply.now_ms)

    def snapshot(self, sale: str, shard: int = 0, *, everything: bool = False) -> Snapshot:
        """Read the hot state at one position, without changing anything."""
        return parse_snapshot(
            self._wire.run([snapshot_call(ids.sale_id(sale), shard, everything=everything)])[0]
        )

    def room(self, sale: str) -> RoomState:
        """How the waiting room stands."""
        return parse_room_state(self._wire.run([room_state_call(ids.sale_id(sale))])[0])

    def hot(self, sale: str, shard: int = 0) -> Hot:
        """The same, every record as it stands there, whoever wrote it."""
        return parse_hot(self._wire.run([snapshot_call(ids.sale_id(sale), shard, everything=True)])[0])

    def mend(self, shard: ShardKey, read: Position, mended: int, mends: Sequence[Mend]) -> list[Answer]:
        """Put records back to what the log says: those that are still what was seen. At most `MEND_MAX` of them.

        `read`: up to where the log was read; `mended`: as `Hot` had it. Not to be repeated without another look: after
        an `UnknownOutcome`, take a new snapshot.
        """
        call = mend_call(shard, self.fences.text(*shard), self.by, mends, read=read, mended=mended)
        return self._parse(*shard, self._wire.run([call])[0]).answers

    def order(self, sale: str, order_id: str) -> Order | None:
        """Read one order as Redis holds it, without changing anything; None when it holds none."""
        keys = shard_keys(ids.sale_id(sale), ids.shard_of_order(ids.order_id(order_id)))
        (record,) = self._wire.plain([("HGET", keys.orders, order_id)])
        try:
            return None if record is None else parse_order(record.decode())
        except ValueError as error:
            raise Halted(
                f"Redis holds a record of order {order_id} that flashsale did not write: {error}"
            ) from error

    def found(
        self,
        sale: str,
        state: ShardState,
        log: Sequence[tuple[Position, AnyEvent]],
        *,
        counted: Position,
        head: Position,
        shard: int = 0,
        origin: str = "",
    ) -> Answer:
        """Put a state, and the log that leads to it, in the place of a shard's own; for `recover` only.

        `origin`: when the sale's definition was stored, if that is known.
        Answered MOVED, with nothing done, unless the shard still counts to `counted` and its log ends at `head`.
        """
        for commands in staging(ids.sale_id(sale), shard, state, log, origin):
            self._wire.plain(commands)
        raw = self._wire.run([found_call(sale, shard, counted, head)])[0]
        return self._parse(sale, shard, raw).answers[0]

    def now_ms(self) -> int:
        """Redis's clock."""
        ((seconds, microseconds),) = self._wire.plain([("TIME",)])
        return int(seconds) * 1_000 + int(microseconds) // 1_000

    def _decide(self, sale: str, request: OrderRequest) -> Answer:
        return self.execute(sale, [request], ids.shard_of_order(request.order_id))[0]

    def _parse(self, sale: str, shard: int, raw: list[Any]) -> Reply:
        reply = parse_reply(raw)
        self.fences.saw(sale, shard, reply.position)
        return reply
