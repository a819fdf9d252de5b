"""Make pages of what was seen: templates, filled in. Every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from starlette.responses import RedirectResponse, Response

from flashsale import __version__, words
from flashsale.operator.sessions import Login

#: Nothing from elsewhere, nothing inline, no frame around it, and forms that lead here.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(files("flashsale.operator") / "templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=words.count, when=words.when, clock=words.clock, span=words.span, field=words.field
    )
    environment.globals["version"] = __version__
    return environment


_TEMPLATES = _environment()


def text(template: str, values: Mapping[str, Any]) -> str:
    """A part of a page."""
    return _TEMPLATES.get_template(template).render(values)


def page(template: str, login: Login | None, status: int = 200, **values: Any) -> Response:
    """A whole page, with what is to be told to this session once."""
    notice = login.take_notice() if login else ""
    content = text(template, values | {"login": login, "notice": notice})
    return Response(content, status, media_type="text/html")


def see(path: str) -> Response:
    """Go on there, and ask with GET: a reload repeats nothing."""
    return RedirectResponse(path, status_code=303)
