"""An order's story for its buyer: what happened when, and whether Postgres has it yet."""

from __future__ import annotations

import msgspec
import structlog

from flashsale.client.aio_reads import Archived, AsyncReads
from flashsale.errors import FlashsaleError
from flashsale.events import Order
from flashsale.gateway.archive import Archive
from flashsale.gateway.sales import Sales
from flashsale.ids import Position, shard_of_order
from flashsale.projections.reads import OrderRow
from flashsale.stream import ShardId

log = structlog.get_logger(__name__)

_RESERVED = "Reserved for you"
#: What the newest event means to the buyer, by the order's status.
_WORDS = {
    "confirmed": "Paid",
    "cancelled": "Given back",
    "expired": "Not paid in time",
    "refund_due": "Payment came too late: it goes back to you",
    "refunded": "Refunded",
}


class Step(msgspec.Struct, frozen=True):
    """One line of the story."""

    text: str
    #: 0: not known
    at_ms: int = 0
    #: place in the sale's log; empty: none
    position: str = ""
    #: False: this is still to come
    done: bool = True


class Stories:
    """Reads stories. Who may hear one was decided before."""

    def __init__(self, reads: AsyncReads, sales: Sales, archive: Archive) -> None:
        self._reads, self._sales, self._archive = reads, sales, archive

    async def of(self, sale: str, order_id: str) -> tuple[Step, ...]:
        """Its first event, its newest one, and Postgres; without times while Postgres does not tell them."""
        if self._sales.is_archived(sale):
            return await self._of_the_past(sale, order_id)
        try:
            order = await self._reads.order(sale, order_id)
        except Archived:  # a moment ago
            return await self._of_the_past(sale, order_id)
        if order is None:
            return ()
        shard = ShardId(sale, shard_of_order(order_id))
        is_recorded = self._sales.recorded(shard) >= order.changed_at
        # A held order is looked at again and again, in the rush, by its clock: Postgres is asked once it has been
        # decided. Redis does not know when it was reserved, only where: the hold may have been changed since.
        row = await self._row(sale, order_id) if is_recorded and order.status != "held" else None
        return story(order, row, is_recorded=is_recorded)

    async def _of_the_past(self, sale: str, order_id: str) -> tuple[Step, ...]:
        """Of a sale that only Postgres has."""
        row = await self._row(sale, order_id)
        if row is None:
            return ()
        reserved = Step(_RESERVED, row.reserved_ms)
        return _told(reserved, row.status, row.changed_ms, row.position, is_recorded=True)

    async def _row(self, sale: str, order_id: str) -> OrderRow | None:
        try:
            return await self._archive.order(sale, order_id)
        except FlashsaleError as error:
            log.warning(str(error), action="gateway_degraded", server="postgres")
            return None


def story(order: Order, row: OrderRow | None, *, is_recorded: bool) -> tuple[Step, ...]:
    """By Redis, which knows first, and by Postgres, which knows the times."""
    reserved_ms, changed_ms = (row.reserved_ms, row.changed_ms) if row else (0, 0)
    reserved = Step(_RESERVED, reserved_ms, str(order.reserved_at))
    return _told(reserved, order.status, changed_ms, order.changed_at, is_recorded=is_recorded)


def _told(
    reserved: Step, status: str, changed_ms: int, changed_at: Position, *, is_recorded: bool
) -> tuple[Step, ...]:
    newest = _WORDS.get(status)
    changed = () if newest is None else (Step(newest, changed_ms, str(changed_at)),)
    return (reserved, *changed, written(done=is_recorded))


def written(*, done: bool) -> Step:
    """The last line: of Postgres, which keeps everything."""
    return Step("Written into the books" if done else "Being written into the books", done=done)
