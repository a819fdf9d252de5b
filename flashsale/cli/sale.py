"""`flashsale sale`: what is sold, and its life from definition to close."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from flashsale import ids, words
from flashsale.cli import output, sale_archive, sale_changes, sale_views, sale_warm_due, sale_watch
from flashsale.cli.sale_control import control, decided
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.commands import Answer, Close, Code, Open, Pause, Resume
from flashsale.commands.sale import check_why
from flashsale.definition_file import read_definition
from flashsale.refusals import Asked
from flashsale.shop import Shop

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

    again = f"run `flashsale sale warm {sale}` again: it goes on, or says that it was done"
    decided(session, ask, Asked(sale, "warmed"), Code.LOADED, json, again)
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
    answer = control(session, Open(at_once=now), Asked(sale, "opened"), Code.OPENED, json)
    opens_ms = int(answer.detail)
    if opens_ms > time.time_ns() // 1_000_000:
        output.say(f"{sale} opens at {words.when(opens_ms)}.")
        output.suggest(f"sale reconfigure {sale} --opens TIME", "for another time")
    else:
        output.say(f"{sale} is open.")
        output.suggest(f"sale watch {sale}")


@app.command()
@shared
def pause(
    session: Session,
    sale: SaleId,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, for those who see the sale paused; kept in the log.")
    ] = "",
    json: Json = False,
) -> None:
    """Take no new reservations for a while. Payments, cancellations and refunds go on."""
    control(session, Pause(check_why(reason, "reason")), Asked(sale, "paused"), Code.PAUSED, json)
    output.say(f"{sale} is paused: nobody can reserve, what is held can be paid.")
    output.suggest(f"sale resume {sale}")


@app.command()
@shared
def resume(session: Session, sale: SaleId, json: Json = False) -> None:
    """Let a paused sale sell again, within its window."""
    control(session, Resume(), Asked(sale, "resumed"), Code.RESUMED, json)
    output.say(f"{sale} is resumed: it sells again, within its window.")
    output.suggest(f"sale watch {sale}")


@app.command()
@shared
def close(session: Session, sale: SaleId, json: Json = False) -> None:
    """End a sale for good. What is held can still be paid, cancelled and refunded."""
    control(session, Close(), Asked(sale, "closed"), Code.CLOSED, json)
    output.say(f"{sale} is closed for good.")
    output.suggest(f"sale show {sale}")


app.command("warm-due")(sale_warm_due.warm_due)
app.command("restock", context_settings={"ignore_unknown_options": True})(
    sale_changes.restock
)  # -5 is a number here
app.command("reconfigure")(sale_changes.reconfigure)
app.command("archive")(sale_archive.archive)
app.command("list")(sale_views.list_sales)
app.command("show")(sale_views.show)
app.command("watch")(sale_watch.watch)
