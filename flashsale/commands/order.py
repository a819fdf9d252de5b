"""What buyers ask for. Requests of one kind travel in batches: one script call decides many of them."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec
from msgspec.structs import astuple

from flashsale import ids
from flashsale.errors import BadInput

#: Any buyer: the caller has checked who asks, or is an operator.
ANY_BUYER = "-"


class _Traceable(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    #: kept with the event, and otherwise ignored: no part of the request, a repeat may have another; empty: none
    trace_id: str = ""


class OrderRequest(_Traceable, frozen=True, gc=False):
    """A request about one order. Making one checks every field; a bad one raises `BadInput`."""

    #: the script that decides it
    SCRIPT: ClassVar[str]

    order_id: str

    @property
    def subject(self) -> str:
        """What it is about: of two requests with the same, the one that was sent first is decided first."""
        return self.order_id

    def arguments(self) -> tuple[str | int, ...]:
        """Its part of the batch's ARGV: its fields in their order, without the trace id."""
        return astuple(self)[:-1]


class Reserve(OrderRequest, frozen=True, gc=False):
    """Hold `quantity` units of `sku` for `buyer`. The order id is the request's identity: keep it for retries."""

    SCRIPT = "reserve"

    buyer: str
    sku: str
    quantity: int = 1

    def __post_init__(self) -> None:
        if not ids.are_order_buyer_sku(self.order_id, self.buyer, self.sku):
            ids.order_id(self.order_id)
            ids.buyer(self.buyer)
            ids.sku(self.sku)
        ids.quantity(self.quantity)
        if self.trace_id:
            ids.trace_id(self.trace_id)


class _Resolution(OrderRequest, frozen=True, gc=False):
    #: must be the order's buyer when given; a foreign order is answered NOT_FOUND, like an unknown one
    buyer: str = ANY_BUYER

    def __post_init__(self) -> None:
        ids.order_id(self.order_id)
        if self.buyer != ANY_BUYER:
            ids.buyer(self.buyer)
        if self.trace_id:
            ids.trace_id(self.trace_id)


class Confirm(_Resolution, frozen=True, gc=False):
    """The order is paid."""

    SCRIPT = "confirm"


class Cancel(_Resolution, frozen=True, gc=False):
    """The buyer gives up an order that is not paid."""

    SCRIPT = "cancel"


class Refund(_Resolution, frozen=True, gc=False):
    """A paid order's money goes back; its units are sold again (`restock`) or not (`keep`)."""

    SCRIPT = "refund"

    units: Literal["restock", "keep"] = "restock"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.units not in ("restock", "keep"):
            raise BadInput("units", self.units, "use restock or keep")
