"""Every operation of the API: where it is, who may ask for it, what it takes, answers and refuses.

The routes and the OpenAPI document are both made of this table.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from flashsale.gateway import messages, problems
from flashsale.gateway.problems import Kind

#: Who may ask.
Callers = Literal["anybody", "a buyer", "a service", "a buyer or a service"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    #: its name in the document; clients that are generated call their functions so
    name: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    #: one sentence
    summary: str
    callers: Callers = "anybody"
    #: what the body is; None: no body is read
    request: type[msgspec.Struct] | None = None
    #: whether the body may be left out
    request_optional: bool = False
    answer: type[msgspec.Struct]
    status: int = 200
    needs_key: bool = False
    #: whether a sale with a waiting room wants a pass
    takes_pass: bool = False
    #: whether one buyer may ask for it so often, and no more
    is_throttled: bool = False
    #: whether callers may ask if what they have is still true
    is_cached: bool = False
    #: whether it goes on: an answer each time that something changes
    is_stream: bool = False
    #: operations on what it made, by name
    leads_to: tuple[str, ...] = ()
    problems: tuple[Kind, ...] = ()

    @property
    def refusals(self) -> tuple[Kind, ...]:
        """Every kind of problem it may answer with."""
        found = [*self.problems, *_ALWAYS]
        if self.callers != "anybody":
            found += [problems.UNAUTHENTICATED]
        if self.callers in ("a buyer", "a service"):
            found += [problems.FORBIDDEN]
        if self.request is not None:
            found += [problems.BAD_REQUEST, problems.TOO_SLOW, problems.TOO_LARGE, problems.NO_JSON]
        if self.takes_pass:
            found += [problems.PASS_REQUIRED]
        if self.needs_key:
            found += [problems.IDEMPOTENCY_KEY_MISSING, problems.BAD_REQUEST]
        if self.is_throttled:
            found += [problems.TOO_MANY_REQUESTS]
        return tuple(dict.fromkeys(found))


_ALWAYS = (problems.HEADERS_TOO_LARGE, problems.INTERNAL, problems.OVERLOADED)
_OF_SALE = (problems.UNKNOWN_SALE, problems.UNAVAILABLE)
_OF_ORDER = (*_OF_SALE, problems.UNKNOWN_ORDER, problems.HALTED)
_DECIDED = (problems.NOT_OPEN, problems.CLOSED, problems.UNKNOWN_OUTCOME)
_IN_LINE = (*_OF_SALE, problems.NOT_OPEN, problems.CLOSED, problems.UNKNOWN_OUTCOME, problems.HALTED)
_SALE = "/v1/sales/{sale}"
_QUEUE = "/v1/sales/{sale}/queue"
_ORDER = "/v1/sales/{sale}/orders/{order}"

OPERATIONS = (
    Operation(
        name="get_sale",
        method="GET",
        path=_SALE,
        summary="How a sale stands: the same page for everybody, fit for a cache.",
        answer=messages.SaleState,
        is_cached=True,
        problems=_OF_SALE,
    ),
    Operation(
        name="follow_sale",
        method="GET",
        path=_SALE + "/feed",
        summary="How a sale stands, told when it changes: server-sent events.",
        callers="a buyer",
        answer=messages.SaleState,
        takes_pass=True,
        is_stream=True,
        problems=_OF_SALE,
    ),
    Operation(
        name="join_queue",
        method="POST",
        path=_QUEUE,
        summary="Join the line, or keep the place in it; of somebody who was called, fetch the pass.",
        callers="a buyer",
        answer=messages.QueueState,
        problems=_IN_LINE,
    ),
    Operation(
        name="get_queue",
        method="GET",
        path=_QUEUE,
        summary="How the buyer who asks stands, without joining.",
        callers="a buyer",
        answer=messages.QueueState,
        problems=(*_OF_SALE, problems.NOT_OPEN, problems.CLOSED, problems.NOT_IN_LINE, problems.HALTED),
    ),
    Operation(
        name="leave_queue",
        method="DELETE",
        path=_QUEUE,
        summary="Give the place, or the pass, to the others.",
        callers="a buyer",
        answer=messages.LeftQueue,
        is_throttled=True,
        problems=_IN_LINE,
    ),
    Operation(
        name="place_order",
        method="POST",
        path="/v1/sales/{sale}/orders",
        summary="Hold units for the buyer who asks.",
        callers="a buyer",
        request=messages.PlaceOrder,
        answer=messages.PlacedOrder,
        status=201,
        needs_key=True,
        takes_pass=True,
        is_throttled=True,
        leads_to=("get_order", "cancel_order", "confirm_order", "refund_order"),
        problems=(
            *_OF_SALE,
            *_DECIDED,
            problems.UNKNOWN_SKU,
            problems.SOLD_OUT,
            problems.LIMIT_REACHED,
            problems.PAUSED,
            problems.IDEMPOTENCY_KEY_REUSED,
            problems.HALTED,
        ),
    ),
    Operation(
        name="get_order",
        method="GET",
        path=_ORDER,
        summary="An order as it is now.",
        callers="a buyer or a service",
        answer=messages.OrderState,
        problems=_OF_ORDER,
    ),
    Operation(
        name="cancel_order",
        method="POST",
        path=_ORDER + "/cancel",
        summary="Give up an order that is not paid.",
        callers="a buyer or a service",
        answer=messages.ChangedOrder,
        problems=(*_OF_ORDER, *_DECIDED, problems.WRONG_STATE),
    ),
    Operation(
        name="confirm_order",
        method="POST",
        path=_ORDER + "/confirm",
        summary="Record that an order is paid.",
        callers="a service",
        answer=messages.ChangedOrder,
        problems=(*_OF_ORDER, *_DECIDED, problems.WRONG_STATE, problems.REFUND_DUE),
    ),
    Operation(
        name="refund_order",
        method="POST",
        path=_ORDER + "/refund",
        summary="Record that the money of an order goes back.",
        callers="a service",
        request=messages.RefundOrder,
        request_optional=True,
        answer=messages.ChangedOrder,
        problems=(*_OF_ORDER, *_DECIDED, problems.WRONG_STATE),
    ),
    Operation(
        name="is_alive",
        method="GET",
        path="/healthz",
        summary="Whether this process lives.",
        answer=messages.Health,
    ),
    Operation(
        name="is_ready",
        method="GET",
        path="/readyz",
        summary="Whether this process should be sent requests.",
        answer=messages.Health,
        problems=(problems.UNAVAILABLE,),
    ),
)
