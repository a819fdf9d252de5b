"""`flashsale sale warm-due`: warming by the clock, for a timer."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from flashsale import words
from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared
from flashsale.commands import Code
from flashsale.errors import BadInput, FlashsaleError, RefusedByState
from flashsale.times import parse_duration

WITHIN_MS_MAX = 7 * 86_400_000


@shared
def warm_due(
    session: Session,
    within: Annotated[
        str, typer.Option(metavar="DURATION", help="Sales that open within this time from now.")
    ] = "15m",
    json: Json = False,
) -> None:
    """Warm every sale that opens soon and is not warm yet; for a timer, which may call it every minute.

    A sale without an opening time is left alone: a person opens it, and warms it. One that fails does not stop the
    others; the exit code is 4 then.
    """
    from flashsale import warm
    from flashsale.projections import catalog

    within_ms = parse_duration(within, "within")
    if within_ms > WITHIN_MS_MAX:
        raise BadInput("within", within, f"use at most {words.span(WITHIN_MS_MAX)}")
    warmed, failed = [], []
    with session.parts.postgres() as connection:
        due = catalog.due(connection, now_ms=time.time_ns() // 1_000_000, within_ms=within_ms)
    if due:
        with session.connected() as shop:
            for definition in due:
                try:
                    answer = warm.warm(shop.client, shop.connection, definition)
                except FlashsaleError as error:
                    failed.append(f"{definition.sale}: {error}")
                    continue
                if answer.code is Code.LOADED:
                    warmed.append(definition.sale)
                    output.say(
                        f"{definition.sale} is warm; it opens by itself at {words.when(definition.opens_ms)}."
                    )
                elif answer.code is not Code.ALREADY_LOADED:  # another timer was here first
                    failed.append(f"{definition.sale}: {answer.code}")
    if json:
        output.json({"warmed": warmed, "failed": failed})
    if failed:
        raise RefusedByState(f"not warm: {'; '.join(failed)}")
