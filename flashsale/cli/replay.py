"""`flashsale replay`: rebuild a sale's tables from the log, swap them, take that back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from typer.core import TyperGroup

from flashsale import ids, values
from flashsale.cli import INTERRUPTED, output
from flashsale.cli.session import Json, SaleId, Session, shared
from flashsale.errors import BadInput, FlashsaleError
from flashsale.shop import Shop

if TYPE_CHECKING:
    from flashsale.ids import Position
    from flashsale.replay import Replay, Request

#: What `--verify` ends with when the tables are not what the log says.
DRIFT = 6

_HELP_WORDS = ("--help", "-h")


class SaleFirst(TyperGroup):
    """`replay SALE` is short for `replay run SALE`; a sale that is called like a verb needs the long form."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in _HELP_WORDS:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=SaleFirst, help="Rebuild the tables of a sale from the log. `replay SALE` is `replay run SALE`."
)


@app.command()
@shared
def run(
    session: Session,
    sale: Annotated[
        str | None, typer.Argument(metavar="SALE", help="Id of the sale.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every sale, one after the other.")] = False,
    projection: Annotated[
        str, typer.Option(metavar="orders|stock|all", help="Which tables to rebuild.")
    ] = "all",
    until: Annotated[
        str | None,
        typer.Option(
            metavar="SEQ|TIME", help="Build them as of then, for queries; live tables stay as they are."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Build, compare, drop again: exit code 6 when they differ.")
    ] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="No second copy: the projector waits until it is done.")
    ] = False,
    json: Json = False,
) -> int:
    """Build the tables of a sale anew beside the live ones, compare, and put them in their place.

    Sales and projectors go on meanwhile. Killed or stopped with Ctrl-C at any moment, the same command goes on where it
    was. The old tables are kept until `replay finish`; `replay rollback` takes them back.
    """
    asked = _request(sale, projection, until, every=every, verify=verify, in_place=in_place)
    from flashsale import log
    from flashsale.cli.replay_views import Watch, print_result
    from flashsale.projections import catalog
    from flashsale.replay import Stopped

    log.configure("warning", session.config.settings.log_format)
    with session.connected() as shop, Watch() as watch:
        engine = _engine(session, shop, watch)
        sales = [definition.sale for definition in catalog.every(shop.connection)] if every else [asked.sale]
        if not sales:
            output.say("No sale is defined, so there is nothing to rebuild.")
        codes = [0]
        for name in sales:
            try:
                done = engine.run(msgspec.structs.replace(_resolved(shop, asked, name), sale=name))
            except Stopped:
                watch.clear()
                _say_stopped(name, asked)
                return INTERRUPTED
            except FlashsaleError as error:
                if not every:
                    raise
                watch.clear()
                output.fail(str(error))
                codes.append(error.exit_code)
                continue
            watch.clear()
            print_result(done, json=json)
            if done.differing and asked.mode == "verify":
                codes.append(DRIFT)
    return max(codes)


@app.command()
@shared
def status(session: Session, json: Json = False) -> None:
    """Show what is being rebuilt, what is kept, and tables that an older version of the code built."""
    from flashsale.cli.replay_views import run_record, run_row
    from flashsale.projections import replays
    from flashsale.projections.versions import PROJECTION_VERSIONS

    with session.parts.postgres() as connection:
        runs = replays.runs(connection)
        old = [
            live
            for live in replays.live_tables(connection)
            if live.version != PROJECTION_VERSIONS.get(live.name)
        ]
    if json:
        output.json({"replays": [run_record(run) for run in runs], "of_another_version": old})
        return
    if runs:
        columns = ("sale", "kind", "state", "reached", "started", "tables that are not live")
        output.table(columns, [run_row(run) for run in runs])
    else:
        output.say("Nothing is being rebuilt, and no tables are kept.")
    for live in old:
        now = PROJECTION_VERSIONS.get(live.name)
        output.say(
            f"{live.table} was built by version {live.version} of the code; this one has version {now}."
        )
    if old:
        output.suggest(f"replay {old[0].sale}")


@app.command()
@shared
def rollback(session: Session, sale: SaleId, json: Json = False) -> int:
    """Put the tables that the last replay replaced back, with everything that was applied since."""
    ids.sale_id(sale)
    from flashsale.cli.replay_views import Watch
    from flashsale.replay import Stopped

    with session.connected() as shop, Watch() as watch:
        try:
            undone = _engine(session, shop, watch).roll_back(sale)
        except Stopped:
            output.say(f"Stopped: the rebuilt tables of {sale} are live still; the same command goes on.")
            return INTERRUPTED
    if json:
        output.json({"sale": sale, "live": undone.old_tables, "dropped": sorted(undone.new_tables.values())})
    output.say(f"The old tables of {sale} are live again: {', '.join(undone.old_tables.values())}.")
    return 0


@app.command()
@shared
def finish(session: Session, sale: SaleId, json: Json = False) -> None:
    """Drop the tables of a sale that are not live: replaced ones, those of a past moment, half-built ones."""
    ids.sale_id(sale)
    from flashsale.cli.replay_views import Watch

    with session.connected() as shop, Watch() as watch:
        dropped = _engine(session, shop, watch).finish(sale)
    if json:
        output.json({"sale": sale, "dropped": dropped})
    output.say(f"Dropped {', '.join(dropped)}." if dropped else f"Sale {sale} has no tables to drop.")


def _engine(session: Session, shop: Shop, watch: Any) -> Replay:
    from flashsale.daemon import Daemon
    from flashsale.replay import Replay

    return Replay(
        shop.connection,
        shop.log,
        lambda: session.parts.projector("replay", Daemon("replay"), shop.client),
        watch,
    )


def _request(
    sale: str | None, projection: str, until: str | None, *, every: bool, verify: bool, in_place: bool
) -> Request:
    """What was asked for. Refused before anything is connected."""
    if every == (sale is not None):
        raise values.Usage("name one SALE, or --all")
    if verify and in_place:
        raise values.Usage("--verify changes nothing and --in-place does: choose one")
    if until is not None and (verify or in_place):
        raise values.Usage(
            "--until builds a past moment and leaves the live tables: neither --verify nor --in-place"
        )
    if projection not in ("orders", "stock", "all"):
        raise BadInput("projection", projection, "use orders, stock or all")
    moment = None if until is None else _moment(until)
    if sale is not None:
        ids.sale_id(sale)
    from flashsale.replay import ALL, Request

    mode = "until" if until is not None else "verify" if verify else "in-place" if in_place else "swap"
    names = ALL if projection == "all" else (projection,)
    return Request(sale=sale or "", mode=mode, names=names, until=moment, until_text=until)


def _moment(until: str) -> Position | int:
    """`42`, `1-42`, or a time in ms that is not in the future."""
    if "T" not in until and ":" not in until:
        return values.position(until, "until", 1)
    at_ms = values.time_ms(until, "until")
    if not at_ms or at_ms > time.time() * 1000:
        raise BadInput("until", until, "use a time that has passed")
    return at_ms


def _resolved(shop: Shop, asked: Request, sale: str) -> Request:
    """A bare sequence number belongs to the log's last epoch."""
    if asked.until_text is None or isinstance(asked.until, int):
        return asked
    from flashsale import history
    from flashsale.stream import ShardId

    epoch = max(1, history.checkpoint(shop.connection, ShardId(sale, 0)).epoch)
    return msgspec.structs.replace(asked, until=values.position(asked.until_text, "until", epoch))


def _say_stopped(sale: str, asked: Request) -> None:
    if asked.mode == "in-place":
        output.say(f"Stopped: the tables of {sale} are as they were.")
    else:
        output.say(f"Stopped: what is built of {sale} stays, and the same command goes on from there.")
        output.suggest(f"replay finish {sale}", "to drop it instead")
