"""What one visitor sees of a sale or an order: asked of the API, and decided by `views`."""

from __future__ import annotations

import msgspec
from starlette.requests import Request

from flashsale.gateway import problems
from flashsale.gateway.callers import Callers
from flashsale.gateway.messages import OrderState, QueueState, SaleState
from flashsale.gateway.problems import Problem
from flashsale.gateway.storefront.api import Api
from flashsale.gateway.storefront.notices import notice
from flashsale.gateway.storefront.options import StorefrontOptions
from flashsale.gateway.storefront.purchases import Purchases, order_of, purchases
from flashsale.gateway.storefront.stories import Stories
from flashsale.gateway.storefront.views import OrderView, SaleView, sale_kind
from flashsale.gateway.storefront.visitors import Visitor

#: A sale whose orders Redis tells.
_HAS_ORDERS = ("scheduled", "open", "paused", "closed")
#: One in which somebody may wait.
_HAS_LINE = ("scheduled", "open", "paused")


class Looks:
    """Nothing is kept from one look to the next."""

    def __init__(self, callers: Callers, api: Api, stories: Stories, options: StorefrontOptions) -> None:
        self._callers, self._api, self._stories, self._options = callers, api, stories, options

    def buyer(self, request: Request, visitor: Visitor) -> str:
        """Who the visitor is. Raises `Problem` for nobody whom the shop knows."""
        scope = {**request.scope, "headers": list(visitor.credentials)}
        return self._callers.buyer(Request(scope))

    async def sale(self, request: Request, visitor: Visitor, sale_id: str) -> SaleView:
        """The page of a sale. Whoever looks while there is a waiting room stands in it."""
        sale = await self._api.sale(request, sale_id)
        buyer = self._maybe_buyer(request, visitor)
        bought = queue = None
        if buyer is not None and sale.state in _HAS_ORDERS:
            bought = await self._purchases(request, visitor, sale_id, buyer)
        has_left = "left" in request.query_params
        if bought is not None and not has_left and _may_wait(sale, bought):
            queue = await self._stand(request, visitor, sale_id)
        kind = sale_kind(sale, queue)
        view = SaleView(
            kind="left" if has_left and kind in ("soon", "open", "sold_out", "paused") else kind,
            sale=sale,
            buyer=buyer,
            queue=queue,
            purchases=bought,
            is_back="seen" in request.query_params and kind == "open",
            notice=notice(request.query_params.get("said", "")),
            sign_in_url=self._options.sign_in_url,
        )
        # What a click was refused in one tab, another one may have got.
        return msgspec.structs.replace(view, notice="") if view.held else view

    async def order(self, request: Request, visitor: Visitor, sale_id: str, order_id: str) -> OrderView:
        """The page of an order. Raises `Problem` for one that the visitor has not, and could not be about to have."""
        buyer = self.buyer(request, visitor)
        sale = await self._api.sale(request, sale_id)
        said = notice(request.query_params.get("said", ""))
        try:
            order = await self._api.order(request, visitor, sale_id, order_id)
        except Problem as problem:
            if problem.kind is not problems.UNKNOWN_ORDER:
                raise
            return await self._maybe_ordered(request, visitor, sale, buyer, order_id)
        return OrderView(
            sale=sale,
            order=order,
            order_id=order_id,
            story=await self._stories.of(sale_id, order_id),
            notice=said,
            checkout_url=self._options.checkout(sale_id, order_id),
        )

    async def _maybe_ordered(
        self, request: Request, visitor: Visitor, sale: SaleState, buyer: str, order_id: str
    ) -> OrderView:
        """The purchase whose answer was lost: its id is known before it is one."""
        found = await self._purchases(request, visitor, sale.sale, buyer)
        sku = request.query_params.get("sku", "")
        number = found.next_number
        is_sold = any(item.sku == sku for item in sale.items)
        if number is None or order_id != order_of(sale.sale, buyer, number) or not is_sold:
            raise Problem(problems.UNKNOWN_ORDER, f"sale {sale.sale} has no order {order_id} of yours")
        ticket = await self._ticket(request, visitor, sale)
        return OrderView(sale=sale, order=None, order_id=order_id, number=number, sku=sku, ticket=ticket)

    async def _ticket(self, request: Request, visitor: Visitor, sale: SaleState) -> str:
        """The pass of a visitor who has been let in; empty: there is none, or none is needed."""
        if sale.room is None or sale.state not in _HAS_LINE:
            return ""
        try:
            return (await self._api.look(request, visitor, sale.sale)).pass_ or ""
        except Problem as problem:
            if problem.kind in (problems.NOT_IN_LINE, problems.NOT_OPEN, problems.CLOSED):
                return ""
            raise

    def _maybe_buyer(self, request: Request, visitor: Visitor) -> str | None:
        try:
            return self.buyer(request, visitor)
        except Problem as problem:
            if problem.kind in (problems.UNAUTHENTICATED, problems.FORBIDDEN):
                return None
            raise

    async def _purchases(self, request: Request, visitor: Visitor, sale: str, buyer: str) -> Purchases:
        async def read(order: str) -> OrderState:
            return await self._api.order(request, visitor, sale, order)

        return await purchases(sale, buyer, read)

    async def _stand(self, request: Request, visitor: Visitor, sale: str) -> QueueState | None:
        """How the visitor stands in the line, by joining it; None when nobody waits here."""
        try:
            queue = await self._api.join(request, visitor, sale)
        except Problem as problem:
            if problem.kind in (problems.NOT_OPEN, problems.CLOSED):
                return None
            raise
        return None if queue.state == "no_room" else queue


def _may_wait(sale: SaleState, bought: Purchases) -> bool:
    """Whether a place would be of use: not to those who hold an order, or have all that they may."""
    if sale.room is None or sale.state not in _HAS_LINE or bought.next_number is None:
        return False
    if bought.newest is not None and bought.newest.status == "held":
        return False
    return any(item.limit == 0 or bought.units.get(item.sku, 0) < item.limit for item in sale.items)
