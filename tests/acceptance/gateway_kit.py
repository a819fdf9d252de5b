"""A gateway: the real process, on real servers, spoken to over a socket. One for all tests of a module."""

from __future__ import annotations

import json
import re
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from flashsale.client import Client
from flashsale.commands import Close, Code, Open, Pause
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.gateway.operations import OPERATIONS, Operation
from flashsale.gateway.tokens import Caller, Tokens
from flashsale.projections import catalog
from flashsale.projections.database import connect
from tests.fixtures.processes import Background, Cli
from tests.helpers import wait_until

ANY_PORT = "127.0.0.1:0"
#: The secret that signs, and the one before it.
NEW_SECRET, OLD_SECRET = "n" * 40, "o" * 40
UNITS = 1_000
#: Redis's clock reaches it when these tests are forgotten.
FAR_MS = 4_000_000_000_000

#: sale → its SKUs with their units and limits. Sales are shared by the tests of a module: each has its own buyers.
SALES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "drop": {"phone": (UNITS, 0), "last": (1, 0), "few": (10, 0), "one-each": (UNITS, 1)},
    "later": {"phone": (1, 0)},
    "paused": {"phone": (1, 0)},
    "closed": {"phone": (1, 0)},
    "cold": {"phone": (1, 0)},
    "past": {"phone": (1, 0)},
}


@dataclass
class Front:
    """A gateway, and what stands behind it."""

    process: Background
    url: str
    http: httpx.Client
    #: past the gateway, on the same Redis
    client: Client

    def order(
        self, sku: str = "phone", *, buyer: str | None = None, key: str | None = None, sale: str = "drop",
        quantity: int = 1,
    ) -> httpx.Response:  # fmt: skip
        """Place an order; by another buyer each time, and with another key."""
        headers = as_buyer(buyer or a_buyer()) | {"Idempotency-Key": key or secrets.token_hex(8)}
        content = {"sku": sku, "quantity": quantity}
        return self.http.post(f"/v1/sales/{sale}/orders", json=content, headers=headers)

    def ask(self, order: str, verb: str, headers: dict[str, str], content: Any = None) -> httpx.Response:
        return self.http.post(f"/v1/sales/drop/orders/{order}/{verb}", json=content, headers=headers)

    def available(self, sku: str = "phone") -> int:
        """Units on sale, as Redis has them."""
        return self.client.snapshot("drop").state.stock[sku].available


def a_buyer() -> str:
    return f"buyer-{secrets.token_hex(6)}"


def signed(caller: Caller) -> dict[str, str]:
    return {"Authorization": f"Bearer {Tokens([NEW_SECRET]).issue(caller, 600)}"}


def as_buyer(name: str) -> dict[str, str]:
    return signed(Caller("buyer", name))


def as_service() -> dict[str, str]:
    return signed(Caller("service", "till"))


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem that a response is, which must be of this kind and complete."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    content: dict[str, Any] = response.json()
    assert content["type"].rpartition("#")[2] == slug, content
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    if wait_ms := content.get("retry_after_ms"):
        assert int(response.headers["retry-after"]) * 1000 >= wait_ms
    if slug != "not-found" and (operation := operation_of(response.request)):
        assert content["type"] in {kind.type for kind in operation.refusals}, "the document tells of it"
    return content


def operation_of(request: httpx.Request) -> Operation | None:
    """The operation that a request asks for; None when there is no such."""
    return next(
        (
            operation
            for operation in OPERATIONS
            if operation.method == request.method
            and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", operation.path), request.url.path)
        ),
        None,
    )


def prepare(redis_url: str, database_url: str) -> None:
    """Every sale of `SALES`, as its name says."""
    with connect(database_url) as connection, Client(redis_url, by="test") as client:
        for sale, skus in SALES.items():
            items = tuple(
                SaleItem(sku=sku, title=sku.title(), quantity=units, unit_price_minor=79_900, limit=limit)
                for sku, (units, limit) in skus.items()
            )
            definition = SaleDefinition(
                sale=sale, title="Drop", currency="EUR", items=items, hold_ms=600_000,
                opens_ms=FAR_MS if sale == "later" else 0,
            )  # fmt: skip
            catalog.define(connection, definition)
            if sale == "past":
                catalog.mark_archived(connection, sale, archived=True)
                continue
            if sale != "cold":
                assert client.control(sale, definition.load()).code is Code.LOADED
            if sale not in ("cold", "later"):
                client.control(sale, Open(at_once=True))
        client.control("paused", Pause())
        client.control("closed", Close())


@contextmanager
def running(
    home: Path, redis_url: str, database_url: str, *options: str, in_roles: bool, **more: str
) -> Iterator[Front]:
    """A gateway that is ready, on sales that are prepared."""
    with started(home, redis_url, database_url, *options, in_roles=in_roles, **more) as front:
        wait_until(lambda: front.http.get("/readyz").status_code == 200, 20, "the gateway is ready")
        yield front


@contextmanager
def started(
    home: Path, redis_url: str, database_url: str, *options: str, in_roles: bool, **more: str
) -> Iterator[Front]:
    """A gateway that listens, whether its servers are there or not. `more`: variables of its environment."""
    home.mkdir(exist_ok=True)
    keys = home / "keys"
    keys.write_text(f"{NEW_SECRET}\n{OLD_SECRET}\n", encoding="utf-8")
    env = {
        "FLASHSALE_REDIS_URL": redis_url,
        "FLASHSALE_POSTGRES_URL": database_url,
        "FLASHSALE_GATEWAY_KEYS_FILE": str(keys),
        **more,
    }
    cli = Cli(home, env, in_roles)
    process = cli.start("gateway", "run", "--listen", ANY_PORT, *options)
    try:
        process.wait_for_output("gateway_serving")
        url = next(str(line["url"]) for line in logged(process) if line["action"] == "gateway_serving")
        with (
            httpx.Client(base_url=url, timeout=20) as http,
            Client(redis_url, by="test") as client,
        ):
            yield Front(process, url, http, client)
    finally:
        process.clean_up()


class Crowd:
    """So many connections, open all at once, and used at the same moment."""

    def __init__(self, url: str, size: int) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._sockets = [socket.create_connection((host, int(port)), timeout=20) for _ in range(size)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for connection in self._sockets:
            connection.close()

    def ask(self, requests: Iterable[bytes]) -> list[int]:
        """Send one request on each connection; returns the statuses of the answers."""
        for connection, request in zip(self._sockets, list(requests), strict=True):
            connection.sendall(request)
        return [int(connection.recv(65_536).split(b" ", 2)[1]) for connection in self._sockets]


def http_request(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """As it stands on the wire."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [f"{method} {path} HTTP/1.1", "Host: test", "Content-Type: application/json", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def logged(process: Background) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.stderr.splitlines()]
