"""Orders over HTTP: placed, read and cancelled by buyers; confirmed and refunded by services of the shop."""

from __future__ import annotations

import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flashsale import ids
from flashsale.commands import ANY_BUYER, Cancel, Code, Confirm, OrderRequest, Refund, Reserve
from flashsale.errors import BadInput
from flashsale.gateway import problems, reading
from flashsale.gateway.answers import refusal, refused
from flashsale.gateway.callers import Callers
from flashsale.gateway.engine import Engine
from flashsale.gateway.messages import ChangedOrder, OrderState, PlacedOrder, PlaceOrder, RefundOrder
from flashsale.gateway.passes import Passes
from flashsale.gateway.problems import PRIVATE, Problem
from flashsale.gateway.ready import Ready
from flashsale.gateway.rooms import Rooms
from flashsale.gateway.sales import Sales
from flashsale.gateway.throttle import Throttle

#: Tells a replay from the first answer.
REPLAYED = "Idempotency-Replayed"

_place = msgspec.json.Decoder(PlaceOrder)
_refund = msgspec.json.Decoder(RefundOrder)


class Orders:
    """The orders of every sale. Each request is checked here, decided by Redis, and answered; nothing is kept."""

    def __init__(
        self,
        callers: Callers,
        sales: Sales,
        engine: Engine,
        throttle: Throttle,
        *,
        rooms: Rooms,
        passes: Passes,
    ) -> None:
        self._callers, self._sales, self._engine, self._throttle = callers, sales, engine, throttle
        self._rooms, self._passes = rooms, passes

    async def place(self, request: Request) -> Response:
        """Hold units. The same buyer and key is the same order, for ever: the engine knows it by its id."""
        buyer = self._callers.buyer(request)
        sale = self._sales.selling(request.path_params["sale"]).sale
        order = ids.derived_order_id(sale, buyer, reading.idempotency_key(request))
        if self._rooms.demand_pass(sale):
            await self._check_pass(request, sale, buyer, order)
        wanted = await reading.body(request, _place)
        await self._admit(sale, buyer, order)
        trace_id = reading.trace_id(request)
        reserve = Reserve(order, buyer, wanted.sku, wanted.quantity, trace_id=trace_id)
        answer = await self._engine.decide(sale, reserve)
        if answer.code is not Code.RESERVED:
            return refused(answer)
        status = answer.status or "held"
        placed = PlacedOrder(sale, order, wanted.sku, wanted.quantity, status, answer.hold_until_ms)
        headers = {"Location": f"/v1/sales/{sale}/orders/{order}"}
        return _json(placed, 201, headers | ({REPLAYED: "true"} if answer.repeated else {}))

    async def read(self, request: Request) -> Response:
        """What an order is now. Of another buyer's order nobody learns that there is one."""
        caller = self._callers.of(request)
        sale, order_id = self._named(request, may_be_over=True)
        order = await self._engine.order(sale, order_id, archived=self._sales.is_archived(sale))
        if order is None or (caller.role == "buyer" and order.buyer != caller.name):
            raise _no_order(sale, order_id)
        state = OrderState(
            sale, order_id, order.buyer, order.sku, order.quantity, order.status, order.hold_until_ms
        )
        return _json(state)

    async def cancel(self, request: Request) -> Response:
        """Give up an order that is not paid: the buyer's own, or for a service any."""
        caller = self._callers.of(request)
        sale, order = self._named(request)
        buyer = caller.name if caller.role == "buyer" else ANY_BUYER
        cancel = Cancel(order, buyer, trace_id=reading.trace_id(request))
        return await self._change(sale, cancel, Code.CANCELLED)

    async def confirm(self, request: Request) -> Response:
        """Record a payment. Only the shop can tell whether there was one."""
        self._callers.service(request)
        sale, order = self._named(request)
        return await self._change(sale, Confirm(order, trace_id=reading.trace_id(request)), Code.CONFIRMED)

    async def refund(self, request: Request) -> Response:
        """Record that the money goes back."""
        self._callers.service(request)
        sale, order = self._named(request)
        wanted = await reading.body(request, _refund, empty=b"{}")
        refund = Refund(order, units=wanted.units, trace_id=reading.trace_id(request))
        return await self._change(sale, refund, Code.REFUNDED)

    async def _check_pass(self, request: Request, sale: str, buyer: str, order: str) -> None:
        """Raises `Problem` for a new order without a pass. What has been ordered needs none, whatever holds by now."""
        try:
            self._passes.check(request, sale, buyer)
        except Problem:
            if await self._engine.order(sale, order) is None:
                raise

    async def _admit(self, sale: str, buyer: str, order: str) -> None:
        """Raises `Problem` for a buyer who asks for new orders too often. What has been ordered is not new."""
        wait_ms = self._throttle.wait_ms(buyer, order, time.monotonic())
        if wait_ms and await self._engine.order(sale, order) is None:
            sentence = (
                "this buyer asks for new orders faster than people do; a retry with the same key is answered"
            )
            raise Problem(problems.TOO_MANY_REQUESTS, sentence, retry_ms=wait_ms)

    async def _change(self, sale: str, request: OrderRequest, done: Code) -> Response:
        answer = await self._engine.decide(sale, request)
        if answer.code is Code.CONFLICT:
            sentence = f"it is refunded, and that says of its units: {answer.detail}"
            raise Problem(problems.WRONG_STATE, sentence, state="refunded")
        if answer.code is not done:
            raise refusal(answer)
        status = answer.status or done.lower()
        return _json(ChangedOrder(sale, request.order_id, status, answer.repeated))

    def _named(self, request: Request, *, may_be_over: bool = False) -> tuple[str, str]:
        """Sale and order of the path. Raises `Problem`, also for a shard that the sale does not have."""
        find = self._sales.find if may_be_over else self._sales.selling
        definition = find(request.path_params["sale"])
        try:
            order = ids.order_id(request.path_params["order"])
        except BadInput as error:
            raise Problem(problems.UNKNOWN_ORDER, str(error)) from error
        if ids.shard_of_order(order) >= definition.shards:
            raise _no_order(definition.sale, order)
        return definition.sale, order


def _no_order(sale: str, order: str) -> Problem:
    return Problem(problems.UNKNOWN_ORDER, f"sale {sale} has no order {order} of this buyer")


def _json(message: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Ready(msgspec.json.encode(message), status, PRIVATE | (headers or {}), "application/json")
