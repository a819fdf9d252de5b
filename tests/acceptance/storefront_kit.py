"""A gateway with pages, and a browser's way of asking for them, without the browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import unescape
from html.parser import HTMLParser
from typing import Self

import httpx

from tests.helpers import wait_until

#: What a browser says of a form that stands on a page of the same host.
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


class _Reader(HTMLParser):
    """Takes a page's forms and its text apart."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.heading, self.main = "", dict[str, str | None]()
        self._in_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append({"action": given["action"] or ""})
        elif tag == "input" and self.forms:
            self.forms[-1][given["name"] or ""] = given["value"] or ""
        elif tag == "main":
            self.main = given
        elif tag == "h1":
            self._in_heading = True

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = self._in_heading and tag != "h1"

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.heading += data.strip()


class Page:
    """One page, as it was answered."""

    def __init__(self, response: httpx.Response) -> None:
        self.response, self.text, self.path = response, response.text, response.request.url.path
        self._reader = _Reader()
        self._reader.feed(response.text)

    @property
    def heading(self) -> str:
        return self._reader.heading

    @property
    def kind(self) -> str | None:
        return self._reader.main.get("data-kind")

    @property
    def reload(self) -> tuple[int, str] | None:
        """When and where a browser without scripts looks again."""
        found = re.search(r'http-equiv="refresh" content="(\d+); url=([^"]+)"', self.text)
        return (int(found[1]), unescape(found[2])) if found else None

    @property
    def tries_again(self) -> str:
        """Where, of a page that could not be shown and says that it loads itself again; else empty."""
        return self.reload[1] if self.reload and self._reader.main.get("class") == "problem" else ""

    def form(self, ending: str) -> dict[str, str]:
        """The only form whose action ends so."""
        (found,) = [form for form in self._reader.forms if form["action"].endswith(ending)]
        return dict(found)

    def buy(self, sku: str) -> dict[str, str]:
        """The form that buys one of these."""
        (found,) = [form for form in self._reader.forms if form.get("sku") == sku]
        return dict(found)

    @property
    def skus(self) -> set[str]:
        """What can be bought on it."""
        return {form["sku"] for form in self._reader.forms if "sku" in form}

    def has_form(self, ending: str) -> bool:
        return any(form["action"].endswith(ending) for form in self._reader.forms)


class Browser:
    """Keeps cookies, follows to where a form leads, runs no scripts."""

    def __init__(self, url: str, cookies: Mapping[str, str] | None = None) -> None:
        self.http = httpx.Client(base_url=url, timeout=20, follow_redirects=True, cookies=dict(cookies or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.http.close()

    def look(self, path: str) -> Page:
        """What there is at this moment."""
        return Page(self.http.get(path))

    def open(self, path: str) -> Page:
        """The page, as soon as it can be shown: one that tries again by itself does so."""
        return self._shown(self.look(path))

    def send(self, form: Mapping[str, str], headers: Mapping[str, str] = OWN_PAGE) -> Page:
        """Click the button of a form."""
        fields = {name: value for name, value in form.items() if name != "action"}
        return self._shown(Page(self.http.post(form["action"], data=fields, headers=dict(headers))))

    def _shown(self, page: Page) -> Page:
        pages = [page]

        def is_shown() -> bool:
            if again := pages[-1].tries_again:
                pages.append(self.look(again))
            return not pages[-1].tries_again

        wait_until(is_shown, 20, f"{page.path} can be shown")
        return pages[-1]


#: Opens a browser: of this buyer, with the shop's token; of nobody (None); or at the demo's gateway ("demo").
Visit = Callable[[str | None], Browser]
