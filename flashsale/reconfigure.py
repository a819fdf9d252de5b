"""Change the window, the hold or the limits of a running sale, and its definition with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flashsale import words
from flashsale.commands import Answer, Code, Reconfigure
from flashsale.commands.sale import check_window
from flashsale.errors import BadInput, FlashsaleError, Unreachable

if TYPE_CHECKING:
    from flashsale.shop import Shop


def change_sale(shop: Shop, sale: str, request: Reconfigure) -> Answer:
    """Raises as `check_new_window` does, and `Unreachable` when only Redis has the change."""
    check_new_window(shop, sale, request)
    answer = shop.client.control(sale, request)
    if answer.code is Code.RECONFIGURED:
        _keep_definition_in_step(shop, sale)
    return answer


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


def _keep_definition_in_step(shop: Shop, sale: str) -> None:
    from flashsale.projections import catalog

    try:
        catalog.keep_in_step(shop.connection, sale, lambda: shop.snapshot(sale).state)
    except FlashsaleError as error:
        raise Unreachable(
            f"done in Redis, but not in the definition in Postgres; repeat it. {error}"
        ) from error
