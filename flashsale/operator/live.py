"""The first page: the books first, then what is sold, how fast, and how far Postgres is behind."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from flashsale import overview
from flashsale.operator import pages
from flashsale.operator.desk import Desk
from flashsale.operator.scene import Scene
from flashsale.operator.visit import Visit
from flashsale.operator.watch import LOOK_EVERY_S, Seen
from flashsale.overview import Overview
from flashsale.sale_view import BUCKETS, sums

#: A heartbeat older than this is told as one that stopped: a projector says that it lives every second or so.
HEARTBEAT_OLD_MS = 10_000
#: Postgres cuts the name of a session there, and the projector's name is the end of it.
NAME_LENGTH_MAX = 63 - len("flashsale projector ")


class Points(msgspec.Struct, frozen=True):
    """The chart, column by column."""

    at_s: list[float]
    decided: list[float]
    applied: list[float]


class News(msgspec.Struct, frozen=True):
    """What the page fetches again and again."""

    #: of what was seen
    age_s: float
    away: str
    #: the part of the page that changes
    html: str
    points: Points


class Lag(NamedTuple):
    """How far the sales that one projector leads are behind: events of all of them, and the oldest one's age.

    None: of one of them it cannot be told.
    """

    events: int | None
    seconds: float | None


def show(desk: Desk, visit: Visit) -> Response:
    """The whole page."""
    seen = desk.watch.seen()
    values = _values(seen)
    return pages.page("overview.html", visit.login, **values, every_ms=round(LOOK_EVERY_S * 1000))


def news(desk: Desk, visit: Visit) -> Response:  # noqa: ARG001  # a page takes both
    """What has changed."""
    seen = desk.watch.seen()
    found = News(round(seen.age_s, 1), seen.away, pages.text("_live.html", _values(seen)), _points(seen))
    return Response(msgspec.json.encode(found), media_type="application/json")


def _values(seen: Seen) -> dict[str, Any]:
    scene = seen.scene
    return {
        "scene": scene,
        "sales": [] if scene is None else [_sale(seen, scene, sale) for sale in scene.overview.sales],
        "colour": _worst(scene),
        "age_s": seen.age_s,
        "away": seen.away,
        "point": seen.points[-1] if seen.points else None,
        "heartbeat_old_ms": HEARTBEAT_OLD_MS,
        "lags": {} if scene is None else lags(scene.overview),
    }


def _sale(seen: Seen, scene: Scene, sale: str) -> dict[str, Any]:
    found = scene.overview.sales[sale]
    look = seen.overviews
    assert look is not None
    stock = found.view.stock
    return {
        "id": sale,
        "found": found,
        "sums": sums(found.view) if stock else dict.fromkeys(BUCKETS),
        "capacity": scene.lights[sale].capacity if stock else None,
        "light": scene.lights[sale],
        "paused": scene.pauses.get(sale),
        "room": scene.rooms.get(sale),
        "comparison": found.comparison,
        "rate": overview.rate(look, sale),
    }


def lags(seen: Overview) -> dict[str, Lag]:
    """By projector, as its name is shown; those that lead nothing are missing."""
    found: dict[str, Lag] = {}
    for look in seen.sales.values():
        status = look.status
        if status.holder is None:
            continue
        name = status.holder[:NAME_LENGTH_MAX]
        events, seconds = found.get(name, Lag(0, 0.0))
        found[name] = Lag(
            None if events is None or status.lag_events is None else events + status.lag_events,
            None if seconds is None or status.lag_s is None else max(seconds, status.lag_s),
        )
    return found


def _worst(scene: Scene | None) -> str:
    """The colour of all sales together."""
    if scene is None or not (scene.lights or scene.overview.unreadable):
        return "grey"
    colours = {light.colour for light in scene.lights.values()}
    if scene.overview.unreadable or "red" in colours:
        return "red"
    return "amber" if "amber" in colours else "green" if "green" in colours else "grey"


def _points(seen: Seen) -> Points:
    return Points(
        [round(point.at_s, 1) for point in seen.points],
        [point.decided for point in seen.points],
        [point.applied for point in seen.points],
    )
