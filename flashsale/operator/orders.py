"""Find an order, by its id or by its buyer, and tell its story."""

from __future__ import annotations

from starlette.responses import Response

from flashsale import ids, order_story, words
from flashsale.errors import NotFound
from flashsale.events import type_name
from flashsale.history import Shown
from flashsale.operator import pages
from flashsale.operator.desk import Desk
from flashsale.operator.visit import Visit
from flashsale.projections import catalog, reads
from flashsale.shop import Shop

#: Orders of one buyer that are listed.
ORDERS_MAX = 100


def search(desk: Desk, visit: Visit) -> Response:
    """The form; and, when something is asked for, what was found."""
    wanted, sale = visit.fields.get("q", ""), visit.fields.get("sale")
    if sale is not None:
        ids.sale_id(sale)
    with desk.connected(visit.login.person) as shop:
        sales = [definition.sale for definition in catalog.every(shop.connection)]
        if ids.ORDER_ID.fullmatch(wanted):
            found = _sales_of(shop, [sale] if sale else sales, wanted)
            if len(found) == 1:
                return pages.see(f"/sales/{found[0]}/orders/{wanted}")
            if not found:
                raise NotFound(f"no sale has an order {wanted}")
            return _page(visit, sales, by_sale=found)
        if wanted:
            buyer = ids.buyer(wanted, "buyer or order")
            rows = reads.orders_of(shop.connection, buyer, sale, ORDERS_MAX)
            return _page(visit, sales, rows=rows)
    return _page(visit, sales)


def story(desk: Desk, visit: Visit) -> Response:
    """Everything known of one order."""
    sale, order = ids.sale_id(visit.path["sale"]), ids.order_id(visit.path["order"])
    with desk.connected(visit.login.person) as shop:
        found = order_story.read(shop, sale, order)
    buyer, sku, quantity = found.content()
    return pages.page(
        "order.html", visit.login, story=found, buyer=buyer, sku=sku, quantity=quantity,
        price=words.price(found.definition, sku, quantity), rows=[_row(event) for event in found.events],
    )  # fmt: skip


def _sales_of(shop: Shop, sales: list[str], order: str) -> list[str]:
    """The sales that have an order of this id; its id says its shard, and not its sale."""
    return [
        sale
        for sale in sales
        if reads.order(shop.connection, sale, order) is not None or _in_redis(shop, sale, order)
    ]


def _in_redis(shop: Shop, sale: str, order: str) -> bool:
    return shop.order(sale, order) is not None


def _page(
    visit: Visit,
    sales: list[str],
    *,
    by_sale: list[str] | None = None,
    rows: list[tuple[str, reads.OrderRow]] | None = None,
) -> Response:
    return pages.page(
        "orders.html", visit.login, sales=sales, q=visit.fields.get("q", ""), chosen=visit.fields.get("sale"),
        by_sale=by_sale, rows=rows, most=ORDERS_MAX,
    )  # fmt: skip


def _row(shown: Shown) -> dict[str, object]:
    event = shown.event
    return {
        "at_ms": event.at_ms if event else None,
        "type": type_name(event).removeprefix("order.") if event else "unreadable",
        "detail": order_story.detail_of(event) if event else shown.problem,
        "by": event.by if event else "",
        "position": shown.position,
        "archived": shown.archived,
        "trace_id": shown.trace_id,
    }
