"""Every state of the pages, to be looked at: `?demo=STATE` of a gateway with --demo-auth. Nothing in them is true."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from flashsale.gateway.messages import OrderState, QueueState, Room, SaleState
from flashsale.gateway.storefront.purchases import Purchases
from flashsale.gateway.storefront.stories import Step, written
from flashsale.gateway.storefront.views import OrderView, SaleView, sale_kind

View = SaleView | OrderView

_BUYER = "demo-preview"
_ORDER = "0-preview-preview-pre"
_FINGERPRINT = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#: Nothing moves on a preview.
_NEVER_MS = 3_600_000


def preview(sale: SaleState, state: str) -> View | None:
    """The page of a sale in that state; None for a state that there is not."""
    make = STATES.get(state)
    return make(msgspec.structs.replace(sale, poll_after_ms=_NEVER_MS)) if make else None


def _sale(
    sale: SaleState, state: str, left: int = 0, *, opens_in_ms: int = 0, queue: QueueState | None = None
) -> SaleView:
    opens_ms = sale.server_time_ms + opens_in_ms if opens_in_ms else 0
    items = [msgspec.structs.replace(item, available=left) for item in sale.items]
    shown = msgspec.structs.replace(
        sale, state=state, items=items, opens_ms=opens_ms, room=_room(queue) if queue else None
    )
    return SaleView(
        kind=sale_kind(shown, queue),
        sale=shown,
        buyer=_BUYER,
        queue=queue,
        purchases=Purchases([], 1),
        is_demo=True,
    )


def _room(queue: QueueState) -> Room:
    return Room(
        mode="open",
        now_serving=18_260,
        waiting=48_211,
        message=queue.message,
        commitment=_FINGERPRINT,
        drawn=None if queue.place is None else 41_870,
        seed=None,
    )


def _queue(sale: SaleState, state: str = "waiting", **more: object) -> QueueState:
    known = {"sale": sale.sale, "state": state, "ticket": 30_114, "poll_after_ms": _NEVER_MS}
    return msgspec.convert(known | more, QueueState)


def _waiting(sale: SaleState) -> SaleView:
    queue = _queue(
        sale,
        place=18_672,
        ahead=412,
        wait_min_ms=120_000,
        wait_max_ms=240_000,
        chance="good",
        message="Hello! We let in three people a second. Have your address ready.",
    )
    return _sale(sale, "open", 640, queue=queue)


def _drawing(sale: SaleState) -> SaleView:
    return _sale(sale, "open", 1_000, queue=_queue(sale))


def _out_for_you(sale: SaleState) -> SaleView:
    return _sale(sale, "open", 12, queue=_queue(sale, place=38_672, ahead=20_412, chance="none"))


def _called(sale: SaleState) -> SaleView:
    queue = _queue(sale, "admitted", pass_expires_ms=sale.server_time_ms + 95_000)
    return _sale(sale, "open", 37, queue=queue)


def _back(sale: SaleState) -> SaleView:
    return msgspec.structs.replace(_sale(sale, "open", 1), is_back=True)


def _stranger(sale: SaleState) -> SaleView:
    return msgspec.structs.replace(_sale(sale, "open", 640), buyer=None, purchases=None)


def _left(sale: SaleState) -> SaleView:
    return msgspec.structs.replace(_sale(sale, "open", 640), kind="left")


def _order(sale: SaleState, status: str, *steps: Step) -> OrderView:
    now_ms = sale.server_time_ms
    order = OrderState(
        sale.sale, _ORDER, _BUYER, sale.items[0].sku, 1, status, now_ms + sale.hold_ms * 3 // 4
    )
    reserved = Step("Reserved for you", now_ms - sale.hold_ms // 4, "1-1204")
    return OrderView(
        sale=sale, order=order, order_id=_ORDER, story=(reserved, *steps), is_demo=True, is_preview=True
    )


def _held(sale: SaleState) -> OrderView:
    return _order(sale, "held", written(done=True))


def _confirmed(sale: SaleState) -> OrderView:
    return _order(sale, "confirmed", Step("Paid", sale.server_time_ms - 1_000, "1-1377"), written(done=True))


def _cancelled(sale: SaleState) -> OrderView:
    return _order(
        sale, "cancelled", Step("Given back", sale.server_time_ms - 1_000, "1-1377"), written(done=True)
    )


def _expired(sale: SaleState) -> OrderView:
    return _order(
        sale, "expired", Step("Not paid in time", sale.server_time_ms - 1_000, "1-1377"), written(done=True)
    )


def _unknown(sale: SaleState) -> OrderView:
    return OrderView(sale=sale, order=None, order_id=_ORDER, sku=sale.items[0].sku, is_preview=True)


STATES: dict[str, Callable[[SaleState], View]] = {
    "soon": lambda sale: _sale(sale, "scheduled", 1_000, opens_in_ms=754_000),
    "in-the-draw": lambda sale: _sale(sale, "scheduled", 1_000, opens_in_ms=94_000, queue=_queue(sale)),
    "open": lambda sale: _sale(sale, "open", 640),
    "few": lambda sale: _sale(sale, "open", 3),
    "drawing": _drawing,
    "waiting": _waiting,
    "called": _called,
    "out-for-you": _out_for_you,
    "sold-out": lambda sale: _sale(sale, "open"),
    "back-in-stock": _back,
    "paused": lambda sale: _sale(sale, "paused", 640),
    "closed": lambda sale: _sale(sale, "closed"),
    "halted": lambda sale: _sale(sale, "halted"),
    "left": _left,
    "stranger": _stranger,
    "held": _held,
    "paid": _confirmed,
    "cancelled": _cancelled,
    "expired": _expired,
    "lost-answer": _unknown,
}
