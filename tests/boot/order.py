"""Orders over HTTP, with the tokens of BUYER_TOKEN and SERVICE_TOKEN.

`order.py hold KEY` places an order; `order.py buy KEY` pays and reads it, too. Exit code 75: nobody answered; ask
again with the same key.
"""

from __future__ import annotations

import json
import os
import sys
from http.client import HTTPException
from threading import Event
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ORDERS = "http://127.0.0.1:8080/v1/sales/drop/orders"
SKU = "phone-15"


def ask(wanted: int, what: str, role: str, url: str, key: str | None = None) -> dict[str, str]:
    """Print the answer, and return it. Raises `OSError` or `HTTPException` without one."""
    headers = {"Authorization": f"Bearer {os.environ[role + '_TOKEN']}"}
    body = None
    if key is not None:
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
        body = json.dumps({"sku": SKU}).encode()
    method = "GET" if what == "read" else "POST"
    try:
        with urlopen(Request(url, body, headers, method=method), timeout=10) as answer:  # noqa: S310 - ours
            status, content, told = answer.status, json.load(answer), answer.headers
    except HTTPError as refusal:
        if refusal.code == 429:  # one buyer buys everything here: come again when the gateway says so
            Event().wait(int(refusal.headers["Retry-After"]))
            return ask(wanted, what, role, url, key)
        if refusal.code == 503:
            raise ConnectionError(refusal) from refusal
        status, content, told = refusal.code, json.load(refusal), refusal.headers
    replayed = " replayed" if told["Idempotency-Replayed"] == "true" else ""
    sys.stdout.write(f"{what}, by a {role.lower()}: {status}{replayed} {json.dumps(content)}\n")
    assert status == wanted, wanted
    return dict(content)


def hold(key: str) -> str:
    placed = ask(201, "place", "BUYER", ORDERS, key)
    return f"{ORDERS}/{placed['order']}"


def buy(key: str) -> None:
    order = hold(key)
    ask(403, "confirm", "BUYER", f"{order}/confirm")
    ask(200, "confirm", "SERVICE", f"{order}/confirm")
    assert ask(200, "read", "BUYER", order)["status"] == "confirmed"


try:
    {"hold": hold, "buy": buy}[sys.argv[1]](sys.argv[2])
except (OSError, HTTPException) as error:
    sys.stdout.write(f"no answer: {error}\n")
    sys.exit(75)
