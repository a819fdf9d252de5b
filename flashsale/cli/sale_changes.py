"""What can be changed of a running sale: its stock, its window, its hold and its limits."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from flashsale import ids, values, words
from flashsale.cli import output
from flashsale.cli.sale_control import control, decided
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.commands import Code, Reconfigure, Restock
from flashsale.errors import BadInput
from flashsale.reconfigure import change_sale
from flashsale.refusals import Asked
from flashsale.times import parse_hold


@shared
def restock(
    session: Session,
    sale: SaleId,
    sku: Annotated[str, typer.Argument(metavar="SKU", help="What of.", show_default=False)],
    change: Annotated[
        str,
        typer.Argument(metavar="±N", help="+50 puts on sale, -50 takes unsold ones off.", show_default=False),
    ],
    request_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Identity of this change: a repeat does nothing. None: a new one."),
    ] = None,
    json: Json = False,
) -> None:
    """Put more units of a SKU on sale, or take unsold ones off."""
    units = values.change(change, "change")
    request_id = f"cli-{secrets.token_hex(8)}" if request_id is None else request_id
    request = Restock(request_id, "add" if units > 0 else "remove", sku, abs(units))
    asked = Asked(sale, "restocked", sku=sku, request_id=request_id)
    answer = control(
        session, request, asked, Code.RESTOCKED, json, f"repeat it with --request-id {request_id}"
    )
    available = f"{words.count(int(answer.detail))} available"
    if answer.repeated:
        output.say(f"Request {request_id} was carried out before ({available} then). Nothing was changed.")
    else:
        done = "put on sale" if units > 0 else "taken off"
        output.say(f"{words.count(abs(units), 'units')} of {sku} {done}: {available}. (Request {request_id})")
    output.suggest(f"sale show {sale}")


@shared
def reconfigure(
    session: Session,
    sale: SaleId,
    opens: Annotated[
        str | None, typer.Option(metavar="TIME", help="2027-03-01T10:00:00+01:00; none: a person opens it.")
    ] = None,
    closes: Annotated[
        str | None, typer.Option(metavar="TIME", help="The same; none: a person closes it.")
    ] = None,
    hold: Annotated[
        str | None, typer.Option(metavar="DURATION", help="90s or 15m; for orders from now on.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="SKU=N", help="Units one buyer may have; 0: no limit. Repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Change the window, the hold or the limits of a warm sale that is not closed for good.

    A sale that its closing time closed may get a later one, and goes on.
    """
    request = Reconfigure(
        opens_ms=values.time_ms(opens, "opens"),
        closes_ms=values.time_ms(closes, "closes"),
        hold_ms=None if hold is None else parse_hold(hold),
        limits=tuple(values.limit(text, "limit") for text in limit or ()),
    )
    if request == Reconfigure():
        raise values.Usage("say what to change: --opens, --closes, --hold or --limit")
    if len({sku for sku, _ in request.limits}) < len(request.limits):
        raise BadInput("limit", " ".join(limit or ()), "name each SKU once")
    ids.sale_id(sale)
    asked = Asked(sale, "reconfigured")
    decided(
        session, lambda shop: change_sale(shop, sale, request), asked, Code.RECONFIGURED, json, "repeat it"
    )
    output.say(f"{sale} is reconfigured.")
    output.suggest(f"sale show {sale}")
