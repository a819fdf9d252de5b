"""`flashsale gateway run`: orders over HTTP."""

from __future__ import annotations

import gzip

import httpx
import pytest

from flashsale.ids import derived_order_id
from tests.acceptance.gateway_kit import (
    FAR_MS,
    Front,
    a_buyer,
    as_buyer,
    as_service,
    problem,
)
from tests.helpers import wait_until

RUSH = {"Idempotency-Key": "rush"}


# ------------------------------------------------------------------------------------------------- an order's life


def test_an_order_is_held_where_the_engine_keeps_it(front: Front) -> None:
    buyer = a_buyer()
    left = front.available()

    done = front.order(buyer=buyer, key="cart-1", quantity=2)

    assert done.status_code == 201
    placed = done.json()
    order_id = derived_order_id("drop", buyer, "cart-1")
    assert placed["order"] == order_id
    assert (placed["sale"], placed["sku"], placed["quantity"]) == ("drop", "phone", 2)
    assert placed["status"] == "held"
    assert done.headers["location"] == f"/v1/sales/drop/orders/{order_id}"
    held = front.client.order("drop", order_id)
    assert held is not None
    assert (held.buyer, held.quantity, held.hold_until_ms) == (buyer, 2, placed["hold_until_ms"])
    assert front.available() == left - 2
    assert front.http.get(done.headers["location"], headers=as_buyer(buyer)).json() == {
        **placed,
        "buyer": buyer,
    }


def test_the_same_key_is_the_same_order_quoted_or_not(front: Front) -> None:
    buyer = a_buyer()
    first = front.order(buyer=buyer, key="cart-1")
    left = front.available()

    again, quoted = front.order(buyer=buyer, key="cart-1"), front.order(buyer=buyer, key='"cart-1"')

    assert again.status_code == quoted.status_code == first.status_code == 201
    assert again.json() == quoted.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert front.available() == left


def test_the_same_key_for_something_else_is_refused(front: Front) -> None:
    buyer = a_buyer()
    front.order(buyer=buyer, key="cart-1")

    problem(front.order(buyer=buyer, key="cart-1", quantity=2), 422, "idempotency-key-reused")
    problem(front.order("one-each", buyer=buyer, key="cart-1"), 422, "idempotency-key-reused")
    assert front.order(buyer=a_buyer(), key="cart-1", quantity=2).status_code == 201, "a key is its buyer's"


def test_confirmed_cancelled_refunded_and_each_once(front: Front) -> None:
    buyer = a_buyer()
    paid = front.order(buyer=buyer).json()["order"]
    dropped = front.order(buyer=buyer).json()["order"]

    confirmed = front.ask(paid, "confirm", as_service())
    cancelled = front.ask(dropped, "cancel", as_buyer(buyer))

    assert confirmed.json() == {"sale": "drop", "order": paid, "status": "confirmed", "repeated": False}
    assert cancelled.json() == {"sale": "drop", "order": dropped, "status": "cancelled", "repeated": False}
    assert front.ask(paid, "confirm", as_service()).json()["repeated"] is True
    assert problem(front.ask(paid, "cancel", as_buyer(buyer)), 409, "wrong-state")["state"] == "confirmed"
    left = front.available()
    refunded = front.ask(paid, "refund", as_service(), {"units": "keep"})
    assert refunded.json()["status"] == "refunded"
    assert front.available() == left
    assert front.ask(paid, "refund", as_service(), {"units": "keep"}).json()["repeated"] is True
    other = front.ask(paid, "refund", as_service(), {"units": "restock"})
    assert problem(other, 409, "wrong-state")["state"] == "refunded"
    assert front.order(buyer=buyer, key="other").status_code == 201


def test_a_payment_after_the_cancellation_must_go_back(front: Front) -> None:
    buyer = a_buyer()
    order = front.order(buyer=buyer).json()["order"]
    front.ask(order, "cancel", as_buyer(buyer))

    told = [problem(front.ask(order, "confirm", as_service()), 409, "refund-due") for _ in range(2)]
    assert [one["repeated"] for one in told] == [False, True]
    assert front.ask(order, "refund", as_service()).json()["status"] == "refunded"


# -------------------------------------------------------------------------------------------------- who may do what


def test_orders_of_others_are_not_found(front: Front) -> None:
    order = front.order().json()["order"]
    path = f"/v1/sales/drop/orders/{order}"
    stranger = as_buyer(a_buyer())
    unknown = front.http.get(path[:-1] + "_", headers=stranger)

    told = problem(front.http.get(path, headers=stranger), 404, "unknown-order")

    assert told == unknown.json() | {"detail": told["detail"]}, "as if there were none"
    problem(front.ask(order, "cancel", stranger), 404, "unknown-order")
    assert front.http.get(path, headers=as_service()).json()["status"] == "held"
    assert front.ask(order, "cancel", as_service()).json()["status"] == "cancelled"


def test_only_a_service_confirms_and_refunds_and_only_a_buyer_buys(front: Front) -> None:
    buyer = a_buyer()
    order = front.order(buyer=buyer).json()["order"]

    problem(front.ask(order, "confirm", as_buyer(buyer)), 403, "forbidden")
    problem(front.ask(order, "refund", as_buyer(buyer)), 403, "forbidden")
    headers = as_service() | {"Idempotency-Key": "k"}
    bought = front.http.post("/v1/sales/drop/orders", json={"sku": "phone"}, headers=headers)
    problem(bought, 403, "forbidden")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Bearer a.b", "Basic YTpi", "Demo buyer:ada", "Bearer " + "x" * 600],
)
def test_who_cannot_be_believed_gets_nothing(front: Front, authorization: str) -> None:
    headers = {"Authorization": authorization, "Idempotency-Key": "k"}
    done = front.http.post("/v1/sales/drop/orders", json={"sku": "phone"}, headers=headers)

    problem(done, 401, "unauthenticated")
    assert done.headers["www-authenticate"].startswith("Bearer")


# ---------------------------------------------------------------------------------------------------- repeat clicks


def test_who_clicks_and_clicks_is_asked_to_wait_and_nobody_else_is(front: Front) -> None:
    buyer = a_buyer()
    clicks = (front.order(buyer=buyer, key=f"click-{n}") for n in range(60))

    refused = next(click for click in clicks if click.status_code != 201)

    told = problem(refused, 429, "too-many-requests")
    assert 0 < told["retry_after_ms"] <= 2_000
    # From the same address; and what has been ordered is told, the oldest order, too.
    assert front.order().status_code == 201
    for _ in range(20):
        again = front.order(buyer=buyer, key="click-0")
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    path = again.headers["location"]
    assert front.http.get(path, headers=as_buyer(buyer)).status_code == 200
    assert front.http.post(path + "/cancel", headers=as_buyer(buyer)).status_code == 200
    wait_until(lambda: front.order(buyer=buyer, key="later").status_code == 201, 10, "they have waited")


def test_a_refused_click_again_with_its_key_is_answered_not_throttled(front: Front) -> None:
    """Of a refusal nothing is kept in Redis."""
    buyer = a_buyer()
    for _ in range(40):
        problem(front.order("few", buyer=buyer, key="hope", quantity=11), 409, "sold-out")


# ------------------------------------------------------------------------------------------------------- refusals


def test_the_last_unit_is_sold_once_and_comes_back(front: Front) -> None:
    first = a_buyer()
    order = front.order("last", buyer=first).json()["order"]

    assert problem(front.order("last"), 409, "sold-out")["available"] == 0
    front.ask(order, "cancel", as_buyer(first))
    assert front.order("last").status_code == 201


def test_a_buyer_gets_no_more_than_the_limit(front: Front) -> None:
    buyer = a_buyer()
    assert front.order("one-each", buyer=buyer).status_code == 201

    assert problem(front.order("one-each", buyer=buyer), 409, "limit-reached")["units"] == 1


def test_what_is_not_sold_here_or_now(front: Front) -> None:
    problem(front.order("car"), 404, "unknown-sku")
    problem(front.order(sale="nothing"), 404, "unknown-sale")
    problem(front.order(sale="No%20Sale"), 404, "unknown-sale")
    assert problem(front.order(sale="later"), 409, "not-open")["opens_ms"] == FAR_MS
    assert problem(front.order(sale="paused"), 409, "paused")["retry_after_ms"]
    assert "retry_after_ms" not in problem(front.order(sale="closed"), 409, "closed")
    problem(front.order(sale="cold"), 409, "not-open")
    problem(front.order(sale="past"), 409, "closed")
    problem(front.http.get("/v1/sales/past/orders/0-AAAAAAAA", headers=as_service()), 404, "unknown-order")
    done = front.http.post("/v1/sales/past/orders/0-AAAAAAAA/confirm", headers=as_service())
    problem(done, 409, "closed")


def test_waiting_times_are_spread(front: Front) -> None:
    assert len({front.order(sale="paused").json()["retry_after_ms"] for _ in range(8)}) > 1


# ------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("body", "content_type", "status", "slug"),
    [
        (b"", "application/json", 400, "bad-request"),
        (b"{", "application/json", 400, "bad-request"),
        (b"[]", "application/json", 400, "bad-request"),
        (b"\xff\xfe", "application/json", 400, "bad-request"),
        (b"{}", "application/json", 400, "bad-request"),
        (b'{"sku":"phone","quantity":0}', "application/json", 400, "bad-request"),
        (b'{"sku":"phone","quantity":1.0}', "application/json", 400, "bad-request"),
        (b'{"sku":"phone","quantity":1e400}', "application/json", 400, "bad-request"),
        (b'{"sku":"phone","quantity":"1"}', "application/json", 400, "bad-request"),
        (b'{"sku":"phone","quantity":true}', "application/json", 400, "bad-request"),
        (b'{"sku":"phone","quantity":1000000}', "application/json", 400, "bad-request"),
        (b'{"sku":"phone","price":1}', "application/json", 400, "bad-request"),
        (b'{"sku":"phone","buyer":"somebody-else"}', "application/json", 400, "bad-request"),
        (gzip.compress(b'{"sku":"phone"}', mtime=0), "application/json", 400, "bad-request"),
        (b'{"sku":"phone\\n"}', "application/json", 400, "bad-request"),
        (b'{"sku":"\\ud800"}', "application/json", 400, "bad-request"),
        (b'{"sku":"ph one"}', "application/json", 400, "bad-request"),
        (b"[" * 4_000, "application/json", 400, "bad-request"),
        (b'{"sku":"phone"}', "text/plain", 415, "no-json"),
        (b'{"sku":"phone"}' + b" " * 4_096, "application/json", 413, "too-large"),
    ],
)
def test_bodies_that_are_refused(
    front: Front, body: bytes, content_type: str, status: int, slug: str
) -> None:
    headers = as_buyer(a_buyer()) | {"Idempotency-Key": "k", "Content-Type": content_type}
    left = front.available()

    problem(front.http.post("/v1/sales/drop/orders", content=body, headers=headers), status, slug)

    assert front.available() == left


def test_the_key_is_wanted_once_and_readable(front: Front) -> None:
    buyer = as_buyer(a_buyer())

    def place(*keys: str) -> httpx.Response:
        headers = [*buyer.items(), *(("Idempotency-Key", key) for key in keys)]
        return front.http.post("/v1/sales/drop/orders", json={"sku": "phone"}, headers=headers)

    problem(place(), 400, "idempotency-key-missing")
    for keys in (("",), ('""',), ("a", "a"), ("k" * 201,), ("a\tb",)):
        assert problem(place(*keys), 400, "bad-request")["field"] == "Idempotency-Key"
    assert place("k" * 200).status_code == 201


@pytest.mark.parametrize(
    "order", ["x", "0-short", "1-AAAAAAAAAAAA", "999-AAAAAAAAAAAA", "0-" + "A" * 60, "0-%7B%7D"]
)
def test_ids_that_no_order_has(front: Front, order: str) -> None:
    problem(front.http.get(f"/v1/sales/drop/orders/{order}", headers=as_service()), 404, "unknown-order")
    problem(front.ask(order, "cancel", as_service()), 404, "unknown-order")


def test_paths_and_methods_that_do_not_exist(front: Front) -> None:
    for path in ("/", "/v2/sales", "/v1/sales/drop/", "//v1/sales/drop"):
        problem(front.http.get(path), 404, "not-found")
    refused = front.http.delete("/v1/sales/drop/orders")
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "POST"
