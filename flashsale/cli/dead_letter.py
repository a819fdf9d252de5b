"""`flashsale dead-letter`: events that could not be applied, and what to do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flashsale import ids, values, words
from flashsale.cli import dead_letter_view, output
from flashsale.cli.session import Json, SaleId, Session, shard_of, shared
from flashsale.errors import NotFound, RefusedByState

if TYPE_CHECKING:
    from flashsale.ids import Position
    from flashsale.projections.database import Connection
    from flashsale.stream import ShardId

app = typer.Typer(
    help="See the events that could not be applied, apply them once it is mended, or give them up."
)

Seq = Annotated[str, typer.Argument(metavar="SEQ", help="42, or with its epoch 1-42.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]


@app.command("list")
@shared
def list_(
    session: Session,
    sale: Annotated[
        str | None, typer.Argument(metavar="[SALE]", help="Id of a sale; none: all.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Show what is parked, by what is wrong with it.

    A parked event is in the archive, its effect is withheld. Later events of its order (or later stock events of its
    SKU) are its followers: they wait behind it.
    """
    if sale is not None:
        ids.sale_id(sale)
    from flashsale.projections import dead_letters

    with session.parts.postgres() as connection:
        if sale is not None:
            _check_defined(connection, sale)
        groups = dead_letters.groups(connection, sale)
    if json:
        output.json({"groups": [dead_letter_view.group_record(group) for group in groups]})
        return
    if not groups:
        output.say("Nothing is parked.")
        return
    dead_letter_view.print_groups(groups)
    if len(groups) == dead_letters.LIST_MAX:
        output.say(f"These are the oldest {dead_letters.LIST_MAX} groups; there may be more.")
    output.suggest(f"dead-letter show {groups[0].sale} {groups[0].oldest}")


@app.command()
@shared
def show(session: Session, sale: SaleId, seq: Seq, json: Json = False) -> None:
    """Show one parked event: what it says, why it is parked, what waits behind it, and what a retry would do now."""
    values.position(seq, "seq", 1)  # refused before anything is connected
    shard = shard_of(sale)
    from flashsale.projections import dead_letters
    from flashsale.projections.retry import Chosen, retry

    with session.parts.postgres() as connection:
        position = _position(connection, shard, seq)
        letter = dead_letters.get(connection, shard, position)
        chosen = Chosen(position=position)
        forecast = next(retry(connection, shard, chosen, actor=session.actor, dry_run=True), None)
    if json:
        output.json(dead_letter_view.letter_record(shard, letter, forecast))
        return
    dead_letter_view.print_letter(shard, letter, forecast)
    if forecast and forecast.applied:
        output.suggest(f"dead-letter retry {sale} --seq {position}")


@app.command()
@shared
def retry(
    session: Session,
    sale: SaleId,
    seq: Annotated[
        str | None, typer.Option(metavar="SEQ", help="This event, and what waits with it: 42 or 1-42.")
    ] = None,
    error: Annotated[
        str | None, typer.Option(metavar="CLASS", help="All with this class of error, as `list` shows it.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Apply parked events once what was wrong with them is mended, each with its followers, in order.

    What is refused again stays parked: exit code 4. An event that was discarded is applied only by its --seq.
    """
    if [seq is not None, error is not None, all_].count(True) != 1:
        raise values.Usage("say what to retry: --seq SEQ, --error CLASS or --all, one of them")
    if seq is not None:
        values.position(seq, "seq", 1)
    if error is not None:
        values.text(error, "error", values.ERROR_LENGTH_MAX)
    shard = shard_of(sale)
    from flashsale.projections.retry import Chosen
    from flashsale.projections.retry import retry as apply

    with session.parts.postgres() as connection:
        position = None if seq is None else _position(connection, shard, seq)
        _check_defined(connection, sale)
        tried: list[Any] = []
        chosen = Chosen(position, error)
        for line in apply(connection, shard, chosen, actor=session.actor, dry_run=dry_run):
            tried.append(line)
            if not json:
                dead_letter_view.print_retried(line, dry_run=dry_run)
        _check_found(shard, chosen, tried)
        left = _left(connection, sale)
    if json:
        output.json(dead_letter_view.retry_record(shard, tried, left, dry_run=dry_run))
    _say_retried(sale, tried, left, dry_run=dry_run)
    return RefusedByState.exit_code if any(line.refused or line.discarded for line in tried) else 0


@app.command()
@shared
def discard(
    session: Session,
    sale: SaleId,
    seq: Annotated[str, typer.Option(metavar="SEQ", help="The event: 42 or 1-42.", show_default=False)],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; it is kept with your name.", show_default=False)
    ],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Give up a parked event and its followers: their effect never comes.

    They stay in the archive, and later events of the order are parked behind them. `retry --seq` takes it back.
    """
    values.position(seq, "seq", 1)
    values.text(reason, "reason", values.REASON_LENGTH_MAX)
    shard = shard_of(sale)
    from flashsale.projections import dead_letters

    with session.parts.postgres() as connection:
        position = _position(connection, shard, seq)
        done = dead_letters.discard(
            connection, shard, position, reason=reason, actor=session.actor, dry_run=dry_run
        )
    if json:
        output.json({"sale": sale, "dry_run": dry_run, "discarded": [str(event) for event in done]})
    if not done:
        output.say(f"Event {position} was discarded before; nothing changed.")
        return
    which = f"event {position}" + (f" and {words.count(len(done) - 1, 'followers')}" if done[1:] else "")
    output.say(f"Would discard {which}; nothing changed." if dry_run else f"Discarded {which}.")
    output.suggest(f"dead-letter show {sale} {position}")


def _check_defined(connection: Connection, sale: str) -> None:
    from flashsale.projections import catalog

    catalog.get(connection, sale)


def _position(connection: Connection, shard: ShardId, seq: str) -> Position:
    """A bare number belongs to the epoch that is projected now."""
    from flashsale import history

    _check_defined(connection, shard.sale)
    return values.position(seq, "seq", max(1, history.checkpoint(connection, shard).epoch))


def _left(connection: Connection, sale: str) -> int:
    from flashsale.projections import reads

    return sum(row.parked for row in reads.checkpoints(connection, sale))


def _check_found(shard: ShardId, chosen: Any, tried: list[Any]) -> None:
    from flashsale.projections.dead_letters import not_parked

    if tried:
        return
    if chosen.position is not None:
        raise not_parked(shard, chosen.position)
    if chosen.error_class is not None:
        raise NotFound(
            f"nothing of sale {shard.sale} is parked with an error of class {chosen.error_class}; "
            f"`flashsale dead-letter list {shard.sale}` shows the classes"
        )


def _say_retried(sale: str, tried: list[Any], left: int, *, dry_run: bool) -> None:
    applied = sum(len(line.applied) for line in tried)
    if not tried:
        output.say("Nothing waits to be retried.")
    elif dry_run:
        output.say(f"Would apply {words.count(applied, 'events')}; nothing changed.")
    else:
        output.say(
            f"Applied {words.count(applied, 'events')}; {words.count(left, 'events')} still wait."
            if left
            else f"Applied {words.count(applied, 'events')}; nothing waits any more."
        )
    if left and not dry_run:
        output.suggest(f"dead-letter list {sale}")
