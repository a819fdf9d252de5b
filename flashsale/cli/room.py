"""`flashsale room`: the waiting room of a sale."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from flashsale import ids, words
from flashsale.cli import output, room_audit
from flashsale.cli.sale_control import decided
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.commands import Answer, Code
from flashsale.commands.room import check_message
from flashsale.refusals import Asked
from flashsale.room_settings import MODES, change, no_room, typed
from flashsale.shop import Shop

if TYPE_CHECKING:
    from flashsale.commands import RoomState

app = typer.Typer(help="Have buyers wait before a sale, and let them in as many as it can take.")


@app.command("set")
@shared
def set_(
    session: Session,
    sale: SaleId,
    rate: Annotated[str | None, typer.Option(metavar="N", help="People called per second, at most.")] = None,
    active: Annotated[
        str | None, typer.Option(metavar="N", help="People who may shop at the same time, at most.")
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="open; queue-all: nobody is let in; pass-through: everybody is."),
    ] = None,
    pass_ttl: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long a pass is good for: 90s or 2m.")
    ] = None,
    leave_after: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Who is silent for so long has left.")
    ] = None,
    shuffle: Annotated[
        bool | None,
        typer.Option("--shuffle/--no-shuffle", help="Draw the places of those who come before the opening."),
    ] = None,
    json: Json = False,
) -> None:
    """Give a sale a waiting room, or change its settings; what is not named stays as it is.

    From then on a new reservation needs a pass.
    """
    given = typed(rate=rate, active=active, mode=mode, pass_ttl=pass_ttl, leave_after=leave_after)
    if shuffle is not None:
        given["shuffle"] = shuffle

    def ask(shop: Shop) -> Answer:
        return shop.client.control(sale, change(shop.room(sale).room, given))

    _set(session, sale, ask, json)
    output.say(f"{sale} has a waiting room with these settings.")
    output.suggest(f"room show {sale}")


@app.command()
@shared
def message(
    session: Session,
    sale: SaleId,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT", help="One line; an empty one takes the last away.", show_default=False
        ),
    ],
    json: Json = False,
) -> None:
    """Tell everybody who waits something."""
    check_message(text)

    def ask(shop: Shop) -> Answer:
        state = shop.room(sale)
        if state.room is None:
            raise no_room(sale)
        return shop.client.control(sale, change(state.room, {"message": text}))

    _set(session, sale, ask, json)
    output.say(
        f"Those who wait for {sale} are told." if text else f"Those who wait for {sale} are told nothing."
    )


@app.command()
@shared
def show(session: Session, sale: SaleId, json: Json = False) -> None:
    """Show the settings of a waiting room, and how many wait and shop."""
    ids.sale_id(sale)
    from flashsale.projections import catalog

    with session.connected() as shop:
        catalog.get(shop.connection, sale)
        state = shop.room(sale)
    if state.room is None:
        raise no_room(sale)
    if json:
        output.json(_record(sale, state))
        return
    output.facts(_facts(sale, state))


app.command("audit")(room_audit.audit)


def _set(session: Session, sale: str, ask: Callable[[Shop], Answer], json: bool) -> None:
    ids.sale_id(sale)
    remedy = f"look at it with `flashsale room show {sale}`; to repeat it does no harm"
    decided(session, ask, Asked(sale, "given a waiting room"), Code.ROOM_SET, json, remedy)


def _record(sale: str, state: RoomState) -> dict[str, Any]:
    room = state.room
    assert room is not None
    counted = {name: getattr(state, name) for name in ("tickets", "serving", "waiting", "active")}
    return {"sale": sale} | msgspec.structs.asdict(room) | counted


def _facts(sale: str, state: RoomState) -> list[tuple[str, str]]:
    room = state.room
    assert room is not None
    drawn = (
        "not yet"
        if room.drawn is None
        else f"{words.count(room.drawn, 'places')}, seed {room.seed or 'lost'}"
    )
    return [
        ("sale", sale),
        ("mode", MODES.get(room.mode, room.mode)),
        ("rate", f"{words.count(room.rate_per_s)} a second"),
        ("shopping", f"{words.count(state.active)} of {words.count(room.active_max)}"),
        ("waiting", f"{words.count(state.waiting)} at most; {words.count(state.serving)} places were called"),
        ("pass", f"good for {words.span(room.pass_ttl_ms)}"),
        ("left", f"after {words.span(room.leave_after_ms)} without a sign of life"),
        ("before opening", "places are drawn by lot" if room.shuffle else "first come, first served"),
        ("message", room.message or "none"),
        ("commitment", room.commitment),
        ("drawn", drawn),
    ]
