"""Find an order, by its id or by its buyer, and tell its story."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from starlette.responses import Response

from flashsale import ids, order_story, words
from flashsale.errors import BadInput, NotFound
from flashsale.events import type_name
from flashsale.history import Shown
from flashsale.operator import pages
from flashsale.operator.desk import Desk
from flashsale.operator.visit import Visit
from flashsale.projections import catalog, reads
from flashsale.shop import Shop

#: Orders of one buyer that are listed of one sale; with so many, no further sale is searched for the same page.
ORDERS_MAX = 100
#: Sales that are searched for a page. Each is read whole: there is no index of buyers.
SALES_SEARCHED_MAX = 20


class Search(NamedTuple):
    """What was found of a buyer."""

    #: each order with its sale: sales and orders, the newest first
    rows: list[tuple[str, reads.OrderRow]]
    #: the sales that were searched
    searched: list[str]
    #: the sale to go on with; None: all were searched
    on: str | None


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
            newest_first = [sale] if sale else sales[::-1]
            start = visit.fields.get("from", next(iter(newest_first), ""))
            if start and start not in newest_first:
                raise BadInput("from", start, "name one of the sales")
            rest = newest_first[newest_first.index(start) :] if start else []
            return _page(visit, sales, search=search_buyer(shop, buyer, rest))
    return _page(visit, sales)


def search_buyer(shop: Shop, buyer: str, sales: list[str]) -> Search:
    """One sale after the other, until enough was found or enough was read."""
    rows: list[tuple[str, reads.OrderRow]] = []
    searched: list[str] = []
    for sale in islice(sales, SALES_SEARCHED_MAX):
        rows += [(sale, row) for row in reads.orders_of(shop.connection, buyer, sale, ORDERS_MAX)]
        searched.append(sale)
        if len(rows) >= ORDERS_MAX:
            break
    return Search(rows, searched, next(iter(sales[len(searched) :]), None))


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
    search: Search | None = None,
) -> Response:
    return pages.page(
        "orders.html", visit.login, sales=sales, q=visit.fields.get("q", ""), chosen=visit.fields.get("sale"),
        by_sale=by_sale, search=search, most=ORDERS_MAX,
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
