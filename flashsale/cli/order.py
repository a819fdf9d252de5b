"""`flashsale order`: what a buyer, or an operator for a buyer, does with one order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import typer

from flashsale import ids, refusals, values, words
from flashsale.cli import output
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.cli.unknown import unknown_told
from flashsale.commands import Answer, Cancel, Code, Confirm, OrderRequest, Refund, Reserve
from flashsale.definition import SaleDefinition
from flashsale.errors import BadInput, NotFound, RefusedByState
from flashsale.refusals import Asked

app = typer.Typer(help="Reserve, confirm, cancel and refund orders, and see what became of one.")

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Id of the order.", show_default=False)]
TraceId = Annotated[
    str,
    typer.Option(
        metavar="HEX",
        help="Keep this trace id with the event: 32 digits, as in a traceparent.",
        show_default=False,
    ),
]

KEY_LENGTH_MAX = 200


@app.command()
@shared
def reserve(
    session: Session,
    sale: SaleId,
    sku: Annotated[str, typer.Argument(metavar="SKU", help="What to reserve.", show_default=False)],
    buyer: Annotated[str, typer.Option(metavar="BUYER", help="Who reserves.", show_default=False)],
    quantity: Annotated[str, typer.Option(metavar="N", help="Units.")] = "1",
    order: Annotated[
        str | None,
        typer.Option(metavar="ORDER", help="Id for the order; the same for a retry. None: a new one."),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Make the order id from sale, buyer and this key.")
    ] = None,
    trace_id: TraceId = "",
    json: Json = False,
) -> None:
    """Hold units for a buyer until they are paid for. Prints the order id.

    Sent again with the same order id (or key), it changes nothing and gets the same answer.
    """
    ids.sale_id(sale)
    order_id = _order_id(sale, ids.buyer(buyer), order, idempotency_key)
    units = values.whole(quantity, "quantity", 1, ids.QUANTITY_MAX)
    request = Reserve(order_id, buyer, ids.sku(sku), units, trace_id=trace_id)
    asked = Asked(sale, "reserved", order_id=order_id, sku=sku)
    definition, answer = _execute(session, asked, request, {Code.RESERVED}, json)
    if not json:
        output.line(order_id)
    until = words.when(answer.hold_until_ms)
    if answer.repeated:
        output.say(f"Reserved before, the same answer again: held until {until}; it is {answer.status} now.")
    else:
        amount = words.price(definition, sku, units)
        output.say(f"Held for {buyer} until {until}: {words.count(units, 'units')} of {sku}, {amount}.")
    if answer.status in ("", "held"):
        output.suggest(f"order confirm {sale} {order_id}", "once it is paid")
    else:
        output.suggest(f"order show {sale} {order_id}")


@app.command()
@shared
def confirm(
    session: Session, sale: SaleId, order: OrderId, trace_id: TraceId = "", json: Json = False
) -> None:
    """Record that an order is paid.

    Paid after its hold expired, it takes its units again if they are left. Else, or if it was cancelled, a refund
    is due: exit code 4.
    """
    asked = Asked(sale, "confirmed", order)
    _, answer = _execute(
        session, asked, Confirm(order, trace_id=trace_id), {Code.CONFIRMED, Code.REFUND_DUE}, json
    )
    if answer.code is Code.REFUND_DUE:
        raise RefusedByState(
            f"order {order} was paid after it was cancelled, or after its hold expired and nothing was left: "
            f"the money must go back; `flashsale order refund {sale} {order}`"
        )
    late = "; its hold had expired, but its units were still there" if answer.detail == "1" else ""
    _say_done(answer, asked, f"is paid{late}")
    output.suggest(f"order show {sale} {order}")


@app.command()
@shared
def cancel(
    session: Session, sale: SaleId, order: OrderId, trace_id: TraceId = "", json: Json = False
) -> None:
    """Give up an order that is not paid; its units are sold again."""
    asked = Asked(sale, "cancelled", order)
    _, answer = _execute(session, asked, Cancel(order, trace_id=trace_id), {Code.CANCELLED}, json)
    _say_done(answer, asked, "is cancelled, its units are on sale again")
    output.suggest(f"order show {sale} {order}")


@app.command()
@shared
def refund(
    session: Session,
    sale: SaleId,
    order: OrderId,
    keep: Annotated[bool, typer.Option("--keep", help="Do not sell its units again.")] = False,
    trace_id: TraceId = "",
    json: Json = False,
) -> None:
    """Record that the money of a paid order goes back. Its units are sold again, unless they are kept."""
    request = Refund(order, units="keep" if keep else "restock", trace_id=trace_id)
    asked = Asked(sale, "refunded", order)
    _, answer = _execute(session, asked, request, {Code.REFUNDED}, json)
    where = {
        "restock": "its units are on sale again",
        "keep": "its units stay out of the sale",
        "none": "it held no units any more",
    }[answer.detail]
    _say_done(answer, asked, f"is refunded, {where}")
    output.suggest(f"order show {sale} {order}")


@app.command()
@shared
def show(session: Session, sale: SaleId, order: OrderId, json: Json = False) -> None:
    """Show an order's whole timeline, and what Redis and Postgres say of it now."""
    from flashsale.cli.order_view import print_story
    from flashsale.order_story import read

    ids.sale_id(sale)
    ids.order_id(order)
    with session.connected() as shop:
        story = read(shop, sale, order)
    if json:
        output.json(story.record())
    else:
        print_story(story)


def _order_id(sale: str, buyer: str, order: str | None, key: str | None) -> str:
    if order is not None and key is not None:
        raise BadInput("idempotency-key", key, "give either --order or --idempotency-key")
    if key is None:
        return ids.new_order_id() if order is None else ids.order_id(order)
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise BadInput("idempotency-key", key, f"use 1 to {KEY_LENGTH_MAX} printable characters")
    return ids.derived_order_id(sale, buyer, key)


def _execute(
    session: Session, asked: Asked, request: OrderRequest, accepted: Collection[Code], json: bool
) -> tuple[SaleDefinition, Answer]:
    """Ask, and return the answer. Raises when it is refused."""
    from flashsale.projections import catalog

    sale, shard = ids.sale_id(asked.sale), ids.shard_of_order(request.order_id)
    with session.connected() as shop:
        definition = catalog.get(shop.connection, sale)
        if shard >= definition.shards:
            raise NotFound(f"sale {sale} has no shard {shard}: its order ids begin with 0-")
        again = f" with --order {request.order_id}" if isinstance(request, Reserve) else ""
        with unknown_told(f"ask again{again}: if it was, you get the same answer"):
            answer = shop.client.execute(sale, [request], shard)[0]
        if json:
            output.json(refusals.record(answer, asked))
        if answer.code not in accepted:
            raise refusals.error_of(answer, asked, shop.connection)
        return definition, answer


def _say_done(answer: Answer, asked: Asked, outcome: str) -> None:
    if answer.repeated:
        since = "" if answer.status == asked.done else f" Since then it was {answer.status}."
        output.say(f"The same answer again: order {asked.order_id} {outcome}.{since}")
    else:
        output.say(f"Order {asked.order_id} {outcome}.")
