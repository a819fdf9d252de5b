"""`flashsale sale archive`: the last command of a sale's life."""

from __future__ import annotations

from typing import Annotated

import typer

from flashsale import refusals, values, words
from flashsale.cli import output
from flashsale.cli.session import Json, SaleId, Session, shard_of, shared
from flashsale.cli.unknown import unknown_told
from flashsale.commands import Code
from flashsale.refusals import Asked

TIMEOUT_S_MAX = 3_600


@shared
def archive(
    session: Session,
    sale: SaleId,
    timeout: Annotated[
        str, typer.Option(metavar="SECONDS", help="How long to wait until Postgres has caught up.")
    ] = "30",
    json: Json = False,
) -> None:
    """Remove a sale that is over from Redis, once it is proven that Postgres has all of it.

    It must be closed, nothing may be held any more, every event must be in Postgres, byte for byte, and log, Redis and
    Postgres must agree (else exit code 6). Do it when payments and refunds are settled: whatever comes later is
    refused, for there is no log any more that could record it.
    """
    from flashsale import sale_archive
    from flashsale.projections import catalog

    shard = shard_of(sale)
    timeout_s = values.whole(timeout, "timeout", 0, TIMEOUT_S_MAX)
    asked = Asked(sale, "archived")
    with session.connected() as shop:
        catalog.get(shop.connection, sale)
        with unknown_told(f"repeat it: `flashsale sale archive {sale}`"):
            answer = sale_archive.archive(shop.client, shop.log, shop.connection, shard, timeout_s=timeout_s)
        if json:
            output.json(refusals.record(answer, asked))
        if answer.code is not Code.ARCHIVED:
            raise refusals.error_of(answer, asked, shop.connection)
    events = words.count(answer.position.seq, "events")
    output.say(f"{sale} is archived: Postgres has its {events}, and Redis only a note that it is over.")
    output.suggest(f"sale show {sale}")
