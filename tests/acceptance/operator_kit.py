"""The operator page: the real process on real servers, and people in front of it with browsers of the simplest kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from flashsale.client import Client
from flashsale.commands import Code, Open, SaleRequest
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.events import Event
from flashsale.history import shown
from flashsale.ids import START
from flashsale.operator.people import Person, PersonTokens, Role
from flashsale.projections import catalog, reads
from flashsale.projections.database import Connection, connect
from flashsale.stream import Log, ShardId
from flashsale.warm import warm
from tests.fixtures.processes import Background, Cli
from tests.helpers import wait_until

SECRET = "o" * 40


@dataclass
class Form:
    """A form of a page, as a browser has it before anything is typed."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What a person sees: the text, and what can be sent."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.status, self.url = response.status_code, response.url.path
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._words: list[str] = []
        self._is_open = False
        self.feed(response.text)
        #: its words, with one space between
        self.text = " ".join(" ".join(self._words).split())

    def form(self, action: str) -> Form:
        """The form that leads there."""
        (found,) = (form for form in self.forms if form.action == action)
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("method", "get"), given["action"]))
            self._is_open = True
        elif tag == "input" and self._is_open and given.get("type") != "checkbox":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "a":
            self.links.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False

    def handle_data(self, data: str) -> None:
        self._words.append(data)


class Browser:
    """Somebody's browser, without scripts."""

    def __init__(self, url: str, address: str = "127.0.0.1") -> None:
        transport = httpx.HTTPTransport(local_address=address)
        self.http = httpx.Client(base_url=url, timeout=30, transport=transport)

    def see(self, path: str, **query: str) -> Page:
        # With an empty query httpx takes away the one that the path has.
        return Page(self.http.get(path, params=query or None, follow_redirects=True))

    def send(self, form: Form, **typed: str) -> Page:
        """Send a form with what is typed into it."""
        content = form.fields | typed
        if form.method == "get":
            return self.see(form.action, **content)
        return Page(self.http.post(form.action, data=content, follow_redirects=True))

    def log_in(self, token: str) -> Page:
        return self.send(self.see("/login").form("/login"), token=token)


def token(name: str, role: Role = "operator", *, secret: str = SECRET, lifetime_s: int = 600) -> str:
    return PersonTokens([secret]).issue(Person(role, name), lifetime_s)


@dataclass
class Office:
    """The page, what stands behind it, and who is in front of it."""

    process: Background
    url: str
    client: Client
    log: Log
    connection: Connection
    cli: Cli
    #: an operator and a viewer, logged in
    ada: Browser
    vic: Browser

    #: closed with the page
    strangers: list[Browser] = field(default_factory=list)

    def stranger(self, address: str = "127.0.0.1") -> Browser:
        """Somebody who is not logged in."""
        self.strangers.append(Browser(self.url, address))
        return self.strangers[-1]

    def sale(self, sale: str, *requests: SaleRequest, units: int = 10, limit: int = 0) -> None:
        """A sale of its own for a test: warm, and with what was asked for afterwards."""
        items = (SaleItem(sku="phone", title="Phone", quantity=units, unit_price_minor=79_900, limit=limit),)
        definition = SaleDefinition(
            sale=sale, title=sale.title(), currency="EUR", items=items, hold_ms=600_000
        )
        catalog.define(self.connection, definition)
        assert warm(self.client, self.connection, definition).code is Code.LOADED
        for request in requests:
            self.client.control(sale, request)

    def open_sale(self, sale: str, **more: int) -> None:
        self.sale(sale, Open(at_once=True), **more)

    def events(self, sale: str) -> list[Event]:
        """The whole log, from the stream."""
        shard = ShardId(sale, 0)
        entries = self.log.entries(shard, START)
        return [event for entry in entries if (event := shown(shard, entry, archived=False).event)]

    def project(self) -> None:
        """Let a projector apply everything, and leave."""
        projector = self.cli.start("projector", "run", "--name", "test")
        wait_until(self._is_all_applied, 30, "everything is applied")
        projector.stop()

    def _is_all_applied(self) -> bool:
        rows = reads.checkpoints(self.connection)
        return all(row.checkpoint == (self.log.head(row.shard) or START) for row in rows)

    def live(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ada.http.get("/live").json()
        return found


@contextmanager
def running(
    home: Path, redis_url: str, database_url: str, *options: str, in_roles: bool, network_url: str = ""
) -> Iterator[Office]:
    """A page that listens, and two people who are logged in; with `network_url`, it reaches Redis there."""
    home.mkdir(exist_ok=True)
    keys = home / "keys"
    keys.write_text(SECRET, encoding="utf-8")
    env = {
        "FLASHSALE_REDIS_URL": network_url or redis_url,
        "FLASHSALE_POSTGRES_URL": database_url,
        "FLASHSALE_GATEWAY_KEYS_FILE": str(keys),
    }
    cli = Cli(home, env, in_roles)
    process = cli.start("operator", "run", "--listen", "127.0.0.1:0", *options)
    try:
        process.wait_for_output("operator_serving")
        url = re.search(r"http://[0-9.:]+", process.stderr)
        assert url is not None, process.stderr
        ada, vic = Browser(url[0]), Browser(url[0])
        with (
            ada.http, vic.http, Client(redis_url, by="test") as client, Log(redis_url) as log,
            connect(database_url) as connection,
        ):  # fmt: skip
            assert ada.log_in(token("ada")).status == 200
            assert vic.log_in(token("vic", "viewer")).status == 200
            office = Office(process, url[0], client, log, connection, cli, ada, vic)
            yield office
            for stranger in office.strangers:
                stranger.http.close()
    finally:
        process.clean_up()
