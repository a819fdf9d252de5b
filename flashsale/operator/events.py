"""The log of a sale, page by page, however long it is: by positions, from the stream and from the archive."""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.responses import Response

from flashsale import history, ids, values, words
from flashsale.events import type_name
from flashsale.history import Shown
from flashsale.ids import START, Position
from flashsale.operator import pages
from flashsale.operator.desk import Desk
from flashsale.operator.visit import Visit
from flashsale.projections import catalog
from flashsale.shop import Shop
from flashsale.stream import ShardId

EVENTS_PER_PAGE = 100
#: Said in a column of their own, or of no use to people.
_SAID_ELSEWHERE = ("v", "at_ms", "by", "order_id")


def browse(desk: Desk, visit: Visit) -> Response:
    """One page: the newest, those before a position, or those from one on."""
    sale = ids.sale_id(visit.path["sale"])
    shard = ShardId(sale, 0)
    with desk.connected(visit.login.person) as shop:
        catalog.get(shop.connection, sale)
        head = max(shop.log.head(shard) or START, history.checkpoint(shop.connection, shard))
        shown = _page(shop, shard, visit, max(1, head.epoch))
    return pages.page(
        "events.html",
        visit.login,
        sale=sale,
        head=head,
        rows=[row(event) for event in shown],
        older=shown[0].position if shown and not _is_first(shown[0].position) else None,
        newer=shown[-1].position if shown and shown[-1].position < head else None,
    )


def row(shown: Shown) -> dict[str, Any]:
    """One event, for people."""
    event = shown.event
    return {
        "position": shown.position,
        "archived": shown.archived,
        "at_ms": event.at_ms if event else None,
        "type": type_name(event) if event else "unreadable",
        "by": event.by if event else "",
        "order": getattr(event, "order_id", ""),
        "detail": _detail(shown),
        "body": shown.body.decode(errors="backslashreplace"),
    }


def _page(shop: Shop, shard: ShardId, visit: Visit, epoch: int) -> list[Shown]:
    given = visit.fields
    if "before" in given:
        end = values.position(given["before"], "before", epoch)
        return history.before(shop.log, shop.connection, shard, end, EVENTS_PER_PAGE)
    if "after" in given:
        return _from(shop, shard, values.position(given["after"], "after", epoch))
    if "at" in given:
        first = values.position(given["at"], "at", epoch)
        return _from(shop, shard, first._replace(seq=first.seq - 1))
    return history.newest(shop.log, shop.connection, shard, EVENTS_PER_PAGE)


def _from(shop: Shop, shard: ShardId, after: Position) -> list[Shown]:
    return list(islice(history.whole(shop.log, shop.connection, shard, after), EVENTS_PER_PAGE))


def _is_first(position: Position) -> bool:
    return position == Position(1, 1)


def _detail(shown: Shown) -> str:
    if shown.event is None:
        return shown.problem
    fields = history.fields_of(shown.event)
    told = [
        f"{name.removesuffix('_ms')}={words.field(name, value)}"
        for name, value in fields.items()
        if name not in _SAID_ELSEWHERE
    ]
    return "  ".join([*told, *([f"why: {shown.why}"] if shown.why else [])])
