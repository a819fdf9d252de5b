"""`flashsale trim`: take off the log what Postgres has and every consumer group has acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flashsale import ids, refusals, values, words
from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared
from flashsale.cli.unknown import unknown_told
from flashsale.commands import Code
from flashsale.errors import RefusedByState
from flashsale.refusals import Asked
from flashsale.shop import Shop

if TYPE_CHECKING:
    from flashsale.definition import SaleDefinition
    from flashsale.trim import Trimmed


@shared
def trim(
    session: Session,
    sale: Annotated[
        str | None, typer.Argument(metavar="SALE", help="Id of the sale; or --all.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every sale that has a log.")] = False,
    keep: Annotated[
        str | None, typer.Option(metavar="N", help="Events that stay in each log, the newest (1000).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trimmed, and change nothing.")
    ] = False,
    json: Json = False,
) -> int:
    """Make logs in Redis shorter: the oldest events go, which Postgres has byte for byte and all groups acknowledged.

    Exit code 4 when older events than those to keep must stay; the reasons are told, and how many events each keeps.
    What may go is gone then all the same.
    """
    if (sale is None) != every:
        raise values.Usage("name a sale, or give --all")
    number = values.keep(keep)
    if sale is not None:
        ids.sale_id(sale)
    from flashsale.projections import catalog

    with session.connected() as shop:
        definitions = catalog.every(shop.connection) if sale is None else [catalog.get(shop.connection, sale)]
        with unknown_told("repeat it: what is gone stays gone, and nothing else goes"):
            results = [done for each in definitions for done in _trim(shop, each, number, dry_run=dry_run)]
        if sale is None:
            # Sales that are not warm yet, or archived, have no log.
            results = [done for done in results if not _has_none(shop, done)]
        _print(results, dry_run=dry_run, json=json)
        for done in results:
            if done.refused is not None:
                raise refusals.error_of(done.refused, Asked(done.shard.sale, "trimmed"), shop.connection)
    obstacles = [(done.shard, obstacle) for done in results for obstacle in done.obstacles]
    for shard, obstacle in obstacles:
        output.fail(f"{shard}: {obstacle}")
    if any(obstacle.kind == "unprojected" for _, obstacle in obstacles):
        output.suggest("projector run")
    elif obstacles:
        output.suggest("projector status")
    return RefusedByState.exit_code if obstacles else 0


def _trim(shop: Shop, definition: SaleDefinition, keep: int, *, dry_run: bool) -> list[Trimmed]:
    from flashsale import trim
    from flashsale.stream import ShardId

    shards = [ShardId(definition.sale, number) for number in range(definition.shards)]
    return [
        trim.trim(shop.client, shop.log, shop.connection, shard, keep=keep, dry_run=dry_run)
        for shard in shards
    ]


def _has_none(shop: Shop, done: Trimmed) -> bool:
    """Whether this shard has no log, and should have none."""
    from flashsale import history
    from flashsale.ids import START

    if done.refused is None:
        return False
    if done.refused.code is Code.NOT_LOADED:
        return history.checkpoint(shop.connection, done.shard) == START
    return done.refused.code is Code.ARCHIVED


def _print(results: list[Trimmed], *, dry_run: bool, json: bool) -> None:
    if json:
        output.json({"dry_run": dry_run, "shards": [_record(done) for done in results]})
        return
    shown = [done for done in results if done.refused is None]
    if shown:
        output.table(
            ("sale", "#would go" if dry_run else "#trimmed", "#left in the log"),
            [
                (
                    done.shard.sale,
                    words.count(done.trimmed),
                    words.count(done.remaining),
                )
                for done in shown
            ],
        )
    elif not results:
        output.say("No sale has a log.")


def _record(done: Trimmed) -> dict[str, Any]:
    return {
        "sale": done.shard.sale,
        "shard": done.shard.shard,
        "trimmed": done.trimmed,
        "remaining": done.remaining,
        "obstacles": [
            {
                "kind": obstacle.kind,
                "events": obstacle.events,
                "group": obstacle.group,
                "position": obstacle.position,
                "sentence": str(obstacle),
            }
            for obstacle in done.obstacles
        ],
        "refused": done.refused and str(done.refused.code),
    }
