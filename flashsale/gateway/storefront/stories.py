"""An order's story for its buyer: what happened when, and whether Postgres has it yet."""

from __future__ import annotations

import msgspec

from flashsale.client.aio_reads import AsyncReads
from flashsale.events import Event, type_name
from flashsale.gateway.sales import Sales
from flashsale.ids import Position, shard_of_order
from flashsale.stream import ShardId

#: What each event means to the buyer.
_WORDS = {
    "order.reserved": "Reserved for you",
    "order.confirmed": "Paid",
    "order.cancelled": "Given back",
    "order.expired": "Not paid in time",
    "order.refund_due": "Payment arrived too late: it goes back to you",
    "order.refunded": "Refunded",
}
#: By an order's status: its newest event, when that is no longer there to be read.
_NEWEST = {status: f"order.{status}" for status in ("confirmed", "cancelled", "expired", "refund_due", "refunded")}


class Step(msgspec.Struct, frozen=True):
    """One line of the story."""

    text: str
    #: 0: not known any more
    at_ms: int = 0
    #: place in the sale's log; empty: none
    position: str = ""
    #: False: this is still to come
    done: bool = True


class Stories:
    """Reads stories. Who may hear one was decided before."""

    def __init__(self, reads: AsyncReads, sales: Sales) -> None:
        self._reads, self._sales = reads, sales

    async def of(self, sale: str, order_id: str) -> tuple[Step, ...]:
        """The first event and the newest one, as the log has them; the last line is about Postgres."""
        order = await self._reads.order(sale, order_id)
        if order is None:
            return ()
        shard = shard_of_order(order_id)
        places = list(dict.fromkeys((order.reserved_at, order.changed_at)))
        events = await self._reads.events(sale, shard, places)
        known = [_step(event, place) for event, place in zip(events, places, strict=True) if event is not None]
        if len(known) < len(places):  # trimmed
            known = [Step(_WORDS["order.reserved"], position=str(order.reserved_at))]
            if newest := _NEWEST.get(order.status):
                known.append(Step(_WORDS[newest], position=str(order.changed_at)))
        recorded = self._sales.recorded(ShardId(sale, shard)) >= order.changed_at
        return (*known, written(done=recorded))


def written(*, done: bool) -> Step:
    """The last line: of Postgres, which keeps everything."""
    return Step("Written into the shop’s books" if done else "Being written into the shop’s books", done=done)


def _step(event: Event, place: Position) -> Step:
    name = type_name(event)
    return Step(_WORDS.get(name, name), event.at_ms, str(place))
