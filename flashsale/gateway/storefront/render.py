"""Views become HTML: the templates of flashsale/storefront, how amounts and times read, and what browsers may do."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from flashsale.gateway import problems
from flashsale.gateway.messages import ItemState, QueueState, SaleState
from flashsale.gateway.problems import PRIVATE, Problem
from flashsale.gateway.ready import Ready
from flashsale.money import money

_PLACE = Path(str(files("flashsale"))) / "storefront"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: The address of a file changes with its content.
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}

#: What is on a page comes from here, and a page is in nobody's frame. Without the origin of a form no form is accepted,
#: so pages must not hide it from this host (`no-referrer` would).
HEADERS = PRIVATE | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
#: Tiles have so many colours.
_TINTS = 6
_MINUTE_S, _HOUR_S = 60, 3_600


class Static:
    """The style sheet, the scripts and the icon, read once."""

    def __init__(self) -> None:
        self._files = {path.name: path.read_bytes() for path in sorted((_PLACE / "static").iterdir())}
        digest = hashlib.blake2b(digest_size=8)
        for name, content in self._files.items():
            digest.update(name.encode() + b"\0" + content)
        #: of their content: scripts import each other, so they have it together
        self.digest = digest.hexdigest()

    async def get(self, request: Request) -> Response:
        """One file. An address of another version is unknown: its content would be kept for ever."""
        content = self._files.get(request.path_params["name"])
        if content is None or request.path_params["digest"] != self.digest:
            return Problem(problems.NOT_FOUND, "no resource has this path").response()
        media_type = _TYPES[Path(request.path_params["name"]).suffix]
        return Ready(content, headers=_FOR_EVER, media_type=media_type)


class Pages:
    """Makes pages of views."""

    def __init__(self, static: Static, *, is_demo: bool) -> None:
        self._env = Environment(
            loader=FileSystemLoader(_PLACE / "templates"),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters |= {
            "duration": duration,
            "iso": iso,
            "money": money,
            "tint": lambda sku: zlib.crc32(sku.encode()) % _TINTS,
            "title_of": title_of,
            "units": units,
            "utc": utc,
            "wait": waiting_time,
        }
        self._env.globals |= {"static": f"/storefront/{static.digest}", "is_demo": is_demo}

    def response(
        self, template: str, *, status: int = 200, reload_url: str = "", reload_s: int = 0, **values: Any
    ) -> Response:
        """A page. `reload_url` is looked at again, by a browser without scripts after `reload_s` seconds (0: never)."""
        html = self._env.get_template(template).render(reload_url=reload_url, reload_s=reload_s, **values)
        return Ready(html, status, HEADERS, "text/html")


def duration(duration_ms: int) -> str:
    """About so long: `45 seconds`, `3 minutes`, `1 h 20 min`."""
    seconds = max(1, round(duration_ms / 1000))
    if seconds < 2 * _MINUTE_S:
        return f"{seconds} second{'s' if seconds != 1 else ''}"
    if seconds < 2 * _HOUR_S:
        return f"{round(seconds / _MINUTE_S)} minutes"
    hours, rest = divmod(seconds, _HOUR_S)
    return f"{hours} h {rest // _MINUTE_S} min"


def waiting_time(queue: QueueState) -> str:
    """A range, for nobody knows the number."""
    if queue.wait_min_ms is None or queue.wait_max_ms is None:
        return "Not known yet"
    if queue.wait_max_ms < 2 * _MINUTE_S * 1000:
        least, most = (max(1, round(ms / 1000)) for ms in (queue.wait_min_ms, queue.wait_max_ms))
        return f"{least} to {most} s" if least < most else f"{most} s"
    least, most = queue.wait_min_ms // 60_000, -(-queue.wait_max_ms // 60_000)
    return f"{least} to {most} min" if least else f"up to {most} min"


def units(items: Sequence[ItemState], most: int | None) -> str:
    """How many are left of them: `1,000`; `50 or more` where no more than `most` of one are told."""
    left = f"{sum(item.available for item in items):,}"
    return left if most is None or all(item.available < most for item in items) else f"{left} or more"


def title_of(sku: str, sale: SaleState) -> str:
    """How the sale calls it."""
    return next((item.title for item in sale.items if item.sku == sku), sku)


def iso(time_ms: int) -> str:
    """For machines: `2027-03-01T09:00:00Z`."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def utc(time_ms: int) -> str:
    """For people whose zone nobody knows: `1 March 2027, 09:00:00 UTC`."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M:%S} UTC"
