"""The log of a sale, page by page, however long it is: by positions, from the stream and from the archive."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from flashsale import history, ids, values, words
from flashsale.errors import BadInput
from flashsale.events import EVENT_TYPES, type_name
from flashsale.history import Shown
from flashsale.ids import START, Position
from flashsale.operator import pages
from flashsale.operator.desk import Desk
from flashsale.operator.stretch import Bounds, Stretch, backwards, forwards
from flashsale.operator.visit import Visit
from flashsale.projections import catalog
from flashsale.shop import Shop
from flashsale.stream import ShardId

EVENTS_PER_PAGE = 100
#: Events that are read for a page of one type: a page of a rare one would read the whole log.
SEARCHED_MAX = 10_000
#: The type of what cannot be decoded.
UNREADABLE = "unreadable"
TYPES = (*EVENT_TYPES, UNREADABLE)
#: Said in a column of their own, or of no use to people.
_SAID_ELSEWHERE = ("v", "at_ms", "by", "order_id")


def browse(desk: Desk, visit: Visit) -> Response:
    """One page: the newest, those before a position, or those from one on; all of them, or those of one type."""
    sale, kind = ids.sale_id(visit.path["sale"]), visit.fields.get("type", "")
    shard = ShardId(sale, 0)
    if kind and kind not in TYPES:
        raise BadInput("type", kind, f"use one of {', '.join(TYPES)}")
    with desk.connected(visit.login.person) as shop:
        catalog.get(shop.connection, sale)
        head = max(shop.log.head(shard) or START, history.checkpoint(shop.connection, shard))
        stretch = _page(shop, shard, visit, max(1, head.epoch))
    first, last = stretch.first, stretch.last
    is_cut = stretch.read == SEARCHED_MAX and len(stretch.found) < EVENTS_PER_PAGE
    return pages.page(
        "events.html",
        visit.login,
        sale=sale,
        head=head,
        rows=[row(event) for event in stretch.found],
        type=kind,
        types=TYPES,
        stretch=stretch,
        is_cut=is_cut,
        is_forwards=_is_forwards(visit),
        older=_turn("before", first, kind) if first and not _is_first(first) else None,
        newer=_turn("after", last, kind) if last and last < head else None,
    )


def row(shown: Shown) -> dict[str, Any]:
    """One event, for people."""
    event = shown.event
    return {
        "position": shown.position,
        "archived": shown.archived,
        "at_ms": event.at_ms if event else None,
        "type": _type_of(shown),
        "by": event.by if event else "",
        "order": getattr(event, "order_id", ""),
        "detail": _detail(shown),
        "body": shown.body.decode(errors="backslashreplace"),
    }


def _page(shop: Shop, shard: ShardId, visit: Visit, epoch: int) -> Stretch:
    given, kind = visit.fields, visit.fields.get("type", "")
    bounds = Bounds(EVENTS_PER_PAGE, SEARCHED_MAX if kind else EVENTS_PER_PAGE)

    def fits(shown: Shown) -> bool:
        return not kind or _type_of(shown) == kind

    if "before" in given:
        return backwards(shop, shard, values.position(given["before"], "before", epoch), fits, bounds)
    if "after" in given:
        return forwards(shop, shard, values.position(given["after"], "after", epoch), fits, bounds)
    if "at" in given:
        first = values.position(given["at"], "at", epoch)
        return forwards(shop, shard, first._replace(seq=first.seq - 1), fits, bounds)
    return backwards(shop, shard, None, fits, bounds)


def _is_forwards(visit: Visit) -> bool:
    return "before" not in visit.fields and not visit.fields.keys().isdisjoint(("after", "at"))


def _turn(way: str, position: Position, kind: str) -> str:
    """The query of another page of the same type."""
    return urlencode({way: str(position)} | ({"type": kind} if kind else {}))


def _type_of(shown: Shown) -> str:
    return type_name(shown.event) if shown.event else UNREADABLE


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
