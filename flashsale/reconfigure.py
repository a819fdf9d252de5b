"""What belongs to a change of a running sale beside it: a check before, and the definition afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flashsale import words
from flashsale.commands import Reconfigure
from flashsale.commands.sale import check_window
from flashsale.errors import BadInput, FlashsaleError, Unreachable

if TYPE_CHECKING:
    from flashsale.projections.database import Connection
    from flashsale.shop import Shop


def check_new_window(shop: Shop, sale: str, request: Reconfigure) -> None:
    """Raises `BadInput` for a window that ends before it begins; the script cannot say it as well."""
    before = shop.snapshot(sale).state
    opens_ms = before.opens_ms if request.opens_ms is None else request.opens_ms
    closes_ms = before.closes_ms if request.closes_ms is None else request.closes_ms
    try:
        check_window(opens_ms, closes_ms)
    except BadInput:
        remedy = f"it must come after the opening time, {words.when(opens_ms)}"
        raise BadInput("closes", words.when(closes_ms), remedy) from None


def keep_definition_in_step(connect: Callable[[], Connection], sale: str, request: Reconfigure) -> None:
    """Write into the definition what Redis has accepted. Raises `Unreachable`: then only Redis has it."""
    from flashsale.projections import catalog

    try:
        with connect() as connection:
            catalog.reconfigure(
                connection,
                sale,
                opens_ms=request.opens_ms,
                closes_ms=request.closes_ms,
                hold_ms=request.hold_ms,
                limits=request.limits,
            )
    except FlashsaleError as error:
        raise Unreachable(
            f"done in Redis, but not in the definition in Postgres; repeat it. {error}"
        ) from error
