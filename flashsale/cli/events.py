"""`flashsale events`: the log of a sale, event by event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flashsale import values, words
from flashsale.cli import output
from flashsale.cli.session import Json, SaleId, Session, shard_of, shared
from flashsale.errors import BadInput, NotFound
from flashsale.ids import START
from flashsale.shop import Shop

if TYPE_CHECKING:
    from flashsale.history import Shown
    from flashsale.ids import Position
    from flashsale.stream import ShardId

app = typer.Typer(help="Read the log of a sale: what happened, in order.")

TAIL_MAX = 100_000


@app.command()
@shared
def tail(
    session: Session,
    sale: SaleId,
    number: Annotated[
        str, typer.Option("--number", "-n", metavar="N", help="How many to begin with.")
    ] = "10",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes. Ctrl-C ends it.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the newest events, oldest of them first."""
    wanted = values.whole(number, "number", 0, TAIL_MAX)
    shard = shard_of(sale)
    from flashsale import history

    with session.connected() as shop:
        _check_defined(shop, sale)
        events = history.newest(shop.log, shop.connection, shard, wanted) if wanted else []
        for event in events:
            _print(event, json=json)
        if not follow:
            return
        output.flush()
        # Nothing was there: what came since then was not shown, so its head is not where to begin.
        head = START if wanted else shop.log.head(shard) or START
        reached = events[-1].position if events else head
        while True:
            for entry in history.follow(shop.log, shop.connection, shard, reached):
                _print(history.shown(shard, entry, archived=False), json=json)
                reached = entry.position
            output.flush()


@app.command()
@shared
def show(
    session: Session,
    sale: SaleId,
    seq: Annotated[
        str, typer.Argument(metavar="SEQ", help="42, or with its epoch 1-42.", show_default=False)
    ],
    json: Json = False,
) -> None:
    """Show one event with the names of its fields."""
    values.position(seq, "seq", 1)  # refused before anything is connected
    shard = shard_of(sale)
    from flashsale import history

    with session.connected() as shop:
        _check_defined(shop, sale)
        position = values.position(seq, "seq", _last_epoch(shop, shard))
        before = position._replace(seq=position.seq - 1)
        event = next(history.whole(shop.log, shop.connection, shard, before, position), None)
    if event is None or event.position != position:
        raise NotFound(f"the log of sale {sale} has no event {position}")
    if json:
        output.json(event.record() | {"archived": event.archived})
        return
    record = {name: value for name, value in event.record().items() if name not in ("epoch", "seq", "shard")}
    output.facts(
        [
            ("position", str(position)),
            *((name.removesuffix("_ms"), words.field(name, value)) for name, value in record.items()),
            ("stored in", "Postgres" if event.archived else "the log only"),
            ("as written", event.body.decode(errors="backslashreplace")),
        ]
    )


@app.command()
@shared
def export(
    session: Session,
    sale: SaleId,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="SEQ", help="First event, 42 or 1-42; none: the log's first."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="SEQ", help="Last event; none: the log's last.")
    ] = None,
    json: Json = False,  # noqa: ARG001 - it is JSON in any case
) -> None:
    """Print the whole log as JSON, one event a line, with the names of all fields."""
    start, end = _range(first, last, 1)  # refused before anything is connected
    shard = shard_of(sale)
    from flashsale import history

    with session.connected() as shop:
        _check_defined(shop, sale)
        start, end = _range(first, last, _last_epoch(shop, shard))
        after = start._replace(seq=start.seq - 1) if start else START
        for event in history.whole(shop.log, shop.connection, shard, after, end):
            output.json(event.record())


def _range(first: str | None, last: str | None, epoch: int) -> tuple[Position | None, Position | None]:
    start = None if first is None else values.position(first, "from", epoch)
    end = None if last is None else values.position(last, "to", epoch)
    if start and end and end < start:
        raise BadInput("to", last, f"it must not come before --from {first}")
    return start, end


def _check_defined(shop: Shop, sale: str) -> None:
    from flashsale.projections import catalog

    catalog.get(shop.connection, sale)


def _last_epoch(shop: Shop, shard: ShardId) -> int:
    """What a bare sequence number belongs to."""
    from flashsale import history

    head: Position = max(shop.log.head(shard) or START, history.checkpoint(shop.connection, shard))
    return max(1, head.epoch)


def _print(event: Shown, *, json: bool) -> None:
    from flashsale import history

    if json:
        output.json(event.record())
    elif event.event is None:
        output.line(f"{event.position}  unreadable: {event.problem}")
    else:
        fields = history.fields_of(event.event)
        rest = "  ".join(
            f"{name.removesuffix('_ms')}={words.field(name, value)}"
            for name, value in fields.items()
            if name not in _IN_FRONT
        )
        if event.trace_id:
            rest += f"  trace_id={event.trace_id}"
        if event.why:
            rest += f"  why={event.why}"
        kind = event.record()["type"]
        output.line(f"{event.position!s:<8} {words.clock(event.event.at_ms)}  {kind:<18} {rest}")


_IN_FRONT = ("v", "at_ms")
