"""`flashsale room audit`: whether the places of a line are those that were committed to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from flashsale import ids, values, words
from flashsale.cli import output
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.commands.room import TICKETS_MAX, commitment
from flashsale.errors import DriftFound, NotFound
from flashsale.events import types as t
from flashsale.ids import Position
from flashsale.room import Shuffle

if TYPE_CHECKING:
    from flashsale.history import Shown


class Audited(msgspec.Struct):
    """What a log says of a draw."""

    #: where a commitment was given, or another one
    commitments: list[tuple[Position, t.SaleRoomSet]] = msgspec.field(default_factory=list)
    #: None: the line is not drawn yet
    draw: tuple[Position, t.SaleLineDrawn] | None = None

    @property
    def fits(self) -> bool:
        """Whether what was drawn from is what was committed to last."""
        seed = "" if self.draw is None else self.draw[1].seed
        return seed != "" and commitment(seed) == self.commitments[-1][1].commitment

    def record(self) -> dict[str, Any]:
        """For programs."""
        given = [_place(*one) | {"commitment": one[1].commitment} for one in self.commitments]
        if self.draw is None:
            return {"commitments": given, "draw": None}
        _, event = self.draw
        draw = _place(*self.draw) | {"drawn": event.drawn, "seed": event.seed, "fits": self.fits}
        return {"commitments": given, "draw": draw}

    def facts(self) -> list[tuple[str, str]]:
        """For people."""
        given = [
            ("committed", f"{event.commitment}  ({position}, {words.when(event.at_ms)})")
            for position, event in self.commitments
        ]
        if self.draw is None:
            return [*given, ("drawn", "not yet")]
        position, event = self.draw
        drawn = f"{words.count(event.drawn, 'tickets')}  ({position}, {words.when(event.at_ms)})"
        return [*given, ("drawn", drawn), ("seed", event.seed or "lost")]


@shared
def audit(
    session: Session,
    sale: SaleId,
    ticket: Annotated[
        list[str] | None, typer.Option(metavar="N", help="Say which place this ticket has. Repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Hold the draw of a line against the log: the commitment before it, the seed and the number of tickets.

    Ends with 6 if the seed is not the one that was committed to.
    """
    ids.sale_id(sale)
    tickets = [values.whole(text, "ticket", 0, TICKETS_MAX) for text in ticket or ()]
    from flashsale import history
    from flashsale.projections import catalog
    from flashsale.stream import ShardId

    with session.connected() as shop:
        catalog.get(shop.connection, sale)
        found = _audited(history.whole(shop.log, shop.connection, ShardId(sale, 0)))
    if not found.commitments:
        raise NotFound(f"sale {sale} has no waiting room")
    places = {} if found.draw is None else _places(sale, found.draw[1], tickets)
    if json:
        output.json({"sale": sale} | found.record() | {"places": places})
    else:
        output.facts([*found.facts(), *((f"ticket {one}", f"place {at}") for one, at in places.items())])
    _judge(found)


def _judge(found: Audited) -> None:
    if len(found.commitments) > 1:
        output.say(
            "The commitment was changed before the draw, as happens when Redis loses the seed: ask why."
        )
    if found.draw is None:
        output.say("The line is not drawn yet: keep the commitment, and look again after the opening.")
    elif not found.draw[1].seed:
        output.say("Redis had lost the seed before the draw: nothing was drawn, every place is its ticket.")
    elif not found.fits:
        raise DriftFound("the seed is not the one that was committed to: these places are worth nothing")
    elif not found.draw[1].drawn:
        output.say("No place was drawn: the shuffle was off, or nobody had come. Every place is its ticket.")
    else:
        output.say("The seed is the one that was committed to; the places follow from it and the tickets.")


def _audited(events: Iterable[Shown]) -> Audited:
    """What comes after the draw changes nothing of it, and is not read."""
    found = Audited()
    for shown in events:
        event = shown.event
        if isinstance(event, t.SaleLineDrawn):
            found.draw = shown.position, event
            break
        given = found.commitments
        if isinstance(event, t.SaleRoomSet) and (not given or given[-1][1].commitment != event.commitment):
            given.append((shown.position, event))
    return found


def _places(sale: str, event: t.SaleLineDrawn, tickets: Iterable[int]) -> dict[str, int]:
    shuffle = Shuffle(sale, event.drawn, event.seed)
    return {str(ticket): shuffle.place_of(ticket) for ticket in tickets}


def _place(position: Position, event: t.SaleRoomSet | t.SaleLineDrawn) -> dict[str, str]:
    return {"position": str(position), "at": words.iso(event.at_ms)}
