"""Somebody at the operator page, with OPERATOR_TOKEN: logs in, pauses the sale that is named, and resumes it."""

from __future__ import annotations

import os
import sys
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

PAGE = "http://127.0.0.1:8081"
BROWSER = build_opener(HTTPCookieProcessor(CookieJar()))


class Page(HTMLParser):
    """The forms of a page by where they lead, with what they send; its heading, and what it tells once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.told: list[str] = []
        self._form: dict[str, str] = {}
        self._is_told = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = self.forms[given["action"]] = {}
        elif tag == "input" and given.get("type") == "hidden":
            self._form[given["name"]] = given["value"]
        self._is_told = (
            tag in ("h1", "li") or given.get("role") == "status" or "verdict" in given.get("class", "")
        )

    def handle_endtag(self, tag: str) -> None:
        self._is_told = self._is_told and tag == "span"

    def handle_data(self, data: str) -> None:
        if self._is_told and data.strip():
            self.told.append(" ".join(data.split()))


def see(path: str, form: dict[str, str] | None = None) -> Page:
    """Get a page, or send a form; prints what the page says. Raises `HTTPError` unless it is shown."""
    body = None if form is None else urlencode(form).encode()
    with BROWSER.open(PAGE + path, body, timeout=20) as answer:
        page = Page(answer.read().decode())
        sys.stdout.write(
            f"{'GET' if form is None else 'POST'} {path}: {answer.status} {' | '.join(page.told)}\n"
        )
    return page


def act(sale: str, action: str) -> None:
    """Ask for it, and confirm the numbers."""
    path = f"/sales/{sale}/do/{action}"
    done = see(path, see(path).forms[path])
    assert any(f"{sale} is {action}d" in told for told in done.told), done.told


def main(sale: str) -> None:
    login = see("/login").forms["/login"]
    overview = see("/login", login | {"token": os.environ["OPERATOR_TOKEN"]})
    assert overview.told[0] == "Overview", overview.told
    act(sale, "pause")
    act(sale, "resume")


main(sys.argv[1])
