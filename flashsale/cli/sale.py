"""`flashsale sale`: what is sold, and its life from definition to close."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from flashsale import ids
from flashsale.cli import output, refusals, sale_archive, sale_views, sale_watch, values, words
from flashsale.cli.refusals import Asked
from flashsale.cli.session import Json, SaleId, Session, Shop, shared
from flashsale.commands import Answer, Close, Code, Open, Pause, Reconfigure, Restock, Resume, SaleRequest
from flashsale.commands.sale import check_window
from flashsale.definition_file import parse_hold, read_definition
from flashsale.errors import BadInput, FlashsaleError, Unreachable

app = typer.Typer(help="Define a sale, warm it, open it, watch it, close it.")

EXAMPLE = "mega-drop.toml"


@app.command()
@shared
def example(session: Session) -> None:  # noqa: ARG001 - takes the options that all take
    """Print a definition to begin with.

    flashsale sale example > drop.toml
    """
    output.line((files("flashsale") / "examples" / EXAMPLE).read_text(encoding="utf-8").rstrip())


@app.command()
@shared
def define(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file.", show_default=False)],
    json: Json = False,
) -> None:
    """Store what a file says is to be sold. It is checked whole; one fault, and nothing is stored.

    `flashsale sale example` prints such a file.
    """
    from flashsale.projections import catalog

    definition = read_definition(file)
    with session.parts.postgres() as connection:
        catalog.define(connection, definition)
    units = sum(item.quantity for item in definition.items)
    if json:
        output.json({"sale": definition.sale, "items": len(definition.items), "units": units})
    output.say(
        f"Defined {definition.sale}: {words.count(len(definition.items), 'SKUs')}, {words.count(units, 'units')}."
    )
    output.suggest(f"sale warm {definition.sale}")


@app.command()
@shared
def warm(session: Session, sale: SaleId, json: Json = False) -> None:
    """Put the stock of a defined sale into Redis, once; its log begins. Nothing is sold yet."""
    from flashsale.projections import catalog
    from flashsale.warm import warm as warm_definition

    ids.sale_id(sale)
    with session.parts.postgres() as connection:
        definition = catalog.get(connection, sale)

    def ask(shop: Shop) -> Answer:
        return warm_definition(shop.client, shop.connection, definition)

    _decided(session, ask, Asked(sale, "warmed"), Code.LOADED, json)
    output.say(f"{sale} is warm: its stock is in Redis.")
    now_ms = time.time_ns() // 1_000_000
    if 0 < definition.closes_ms <= now_ms:
        output.say(f"Its closing time {words.when(definition.closes_ms)} has passed: nothing will be sold.")
        output.suggest(f"sale reconfigure {sale} --closes TIME")
    elif definition.opens_ms > now_ms:
        output.say(f"It opens by itself at {words.when(definition.opens_ms)}.")
        output.suggest(f"sale watch {sale}")
    else:
        output.suggest(f"sale open {sale}")


@app.command("open")
@shared
def open_(
    session: Session,
    sale: SaleId,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for its opening time.")] = False,
    json: Json = False,
) -> None:
    """Let a warm sale sell: at once, or from its opening time on if it has one."""
    answer = _control(session, Open(at_once=now), Asked(sale, "opened"), Code.OPENED, json)
    opens_ms = int(answer.detail)
    if opens_ms > time.time_ns() // 1_000_000:
        output.say(f"{sale} opens at {words.when(opens_ms)}.")
        output.suggest(f"sale reconfigure {sale} --opens TIME", "for another time")
    else:
        output.say(f"{sale} is open.")
        output.suggest(f"sale watch {sale}")


@app.command()
@shared
def pause(session: Session, sale: SaleId, json: Json = False) -> None:
    """Take no new reservations for a while. Payments, cancellations and refunds go on."""
    _control(session, Pause(), Asked(sale, "paused"), Code.PAUSED, json)
    output.say(f"{sale} is paused: nobody can reserve, what is held can be paid.")
    output.suggest(f"sale resume {sale}")


@app.command()
@shared
def resume(session: Session, sale: SaleId, json: Json = False) -> None:
    """Let a paused sale sell again, within its window."""
    _control(session, Resume(), Asked(sale, "resumed"), Code.RESUMED, json)
    output.say(f"{sale} is resumed: it sells again, within its window.")
    output.suggest(f"sale watch {sale}")


@app.command()
@shared
def close(session: Session, sale: SaleId, json: Json = False) -> None:
    """End a sale for good. What is held can still be paid, cancelled and refunded."""
    _control(session, Close(), Asked(sale, "closed"), Code.CLOSED, json)
    output.say(f"{sale} is closed for good.")
    output.suggest(f"sale show {sale}")


@app.command(context_settings={"ignore_unknown_options": True})  # -5 is a number here
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
    answer = _control(
        session, request, asked, Code.RESTOCKED, json, f"repeat it with --request-id {request_id}"
    )
    available = f"{words.count(int(answer.detail))} available"
    if answer.repeated:
        output.say(f"Request {request_id} was carried out before ({available} then). Nothing was changed.")
    else:
        done = "put on sale" if units > 0 else "taken off"
        output.say(f"{words.count(abs(units), 'units')} of {sku} {done}: {available}. (Request {request_id})")
    output.suggest(f"sale show {sale}")


@app.command()
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
    _check_new_window(session, sale, request)
    _control(session, request, Asked(sale, "reconfigured"), Code.RECONFIGURED, json)
    _keep_definition_in_step(session, sale, request)
    output.say(f"{sale} is reconfigured.")
    output.suggest(f"sale show {sale}")


def _check_new_window(session: Session, sale: str, request: Reconfigure) -> None:
    """The script would refuse it, too, but cannot say it as well."""
    ids.sale_id(sale)
    with session.connected() as shop:
        before = shop.snapshot(sale).state
    opens_ms = before.opens_ms if request.opens_ms is None else request.opens_ms
    closes_ms = before.closes_ms if request.closes_ms is None else request.closes_ms
    try:
        check_window(opens_ms, closes_ms)
    except BadInput:
        remedy = f"it must come after the opening time, {words.when(opens_ms)}"
        raise BadInput("closes", words.when(closes_ms), remedy) from None


def _keep_definition_in_step(session: Session, sale: str, request: Reconfigure) -> None:
    from flashsale.projections import catalog

    try:
        with session.parts.postgres() as connection:
            catalog.reconfigure(
                connection,
                sale,
                opens_ms=request.opens_ms,
                closes_ms=request.closes_ms,
                hold_ms=request.hold_ms,
            )
    except FlashsaleError as error:
        raise Unreachable(
            f"done in Redis, but not in the definition in Postgres; repeat it. {error}"
        ) from error


def _control(
    session: Session, request: SaleRequest, asked: Asked, accepted: Code, json: bool, remedy: str = ""
) -> Answer:
    """Ask for something about a whole sale. Raises when it is refused."""
    sale = ids.sale_id(asked.sale)
    return _decided(session, lambda shop: shop.client.control(sale, request), asked, accepted, json, remedy)


def _decided(
    session: Session,
    ask: Callable[[Shop], Answer],
    asked: Asked,
    accepted: Code,
    json: bool,
    remedy: str = "",
) -> Answer:
    with session.connected() as shop:
        with refusals.unknown_told(remedy or f"look at it with `flashsale sale show {asked.sale}`"):
            answer = ask(shop)
        if json:
            output.json(refusals.record(answer, asked))
        if answer.code is not accepted:
            raise refusals.error_of(answer, asked, shop.connection)
        return answer


app.command("archive")(sale_archive.archive)
app.command("list")(sale_views.list_sales)
app.command("show")(sale_views.show)
app.command("watch")(sale_watch.watch)
