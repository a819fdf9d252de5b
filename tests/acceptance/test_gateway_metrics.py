"""`flashsale gateway run --metrics-listen`: what Prometheus is told; and what the log says of traces."""

from __future__ import annotations

import urllib.request

import pytest

from flashsale.metrics.names import GATEWAY
from tests.acceptance.feed_kit import following
from tests.acceptance.gateway_kit import (
    ANY_PORT,
    Front,
    a_buyer,
    as_buyer,
    as_service,
    logged,
)
from tests.acceptance.metrics_kit import Exporter, Scrape
from tests.acceptance.queue_kit import Person, prepare_rooms
from tests.fixtures.redis_client import redis_client
from tests.helpers import wait_until

#: A gateway that is looked at, and tells all.
GATEWAY_OPTIONS = ("--metrics-listen", ANY_PORT, "--log-level", "debug")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


@pytest.fixture
def exporter(front: Front) -> Exporter:
    url = next(str(line["url"]) for line in logged(front.process) if line["action"] == "metrics_served")
    return Exporter(front.process, url)


def told(seen: Scrape, metric: str, **labels: str) -> float:
    return seen.get(f"gateway_{metric}", **labels) or 0


def test_requests_and_orders_are_counted_by_what_became_of_them(front: Front, exporter: Exporter) -> None:
    before = exporter.scrape()
    buyer = a_buyer()
    order = front.order(buyer=buyer, key="cart-1").json()["order"]
    front.order(buyer=buyer, key="cart-1")
    front.order("few", quantity=11)
    front.order("car")
    front.order(sale="paused")
    front.ask(order, "confirm", as_service())
    front.http.get("/v1/sales/drop")
    front.http.get("/nothing")
    front.http.delete("/v1/sales/drop/orders")

    after = exporter.scrape()

    def more(metric: str, **labels: str) -> float:
        return told(after, metric, **labels) - told(before, metric, **labels)

    assert more("requests_total", operation="place_order", status="201") == 2
    assert more("requests_total", operation="place_order", status="409") == 2
    assert more("requests_total", operation="place_order", status="404") == 1
    assert more("requests_total", operation="get_sale", status="200") == 1
    assert more("requests_total", operation="none", status="404") == 1
    assert more("requests_total", operation="none", status="405") == 1
    for command, answer in (
        ("reserve", "reserved"),
        ("reserve", "repeated"),
        ("reserve", "sold_out"),
        ("reserve", "unknown_sku"),
        ("confirm", "confirmed"),
    ):
        assert more("orders_total", sale="drop", command=command, answer=answer) == 1, (command, answer)
    assert more("orders_total", sale="paused", command="reserve", answer="paused") == 1
    assert more("request_duration_seconds_count", operation="place_order") == 5
    assert more("request_duration_seconds_bucket", operation="place_order", le="+Inf") == 5
    assert 0 < more("request_duration_seconds_sum", operation="place_order") < 60
    assert more("batch_requests_sum") == 6, "every request that reached a script"
    assert 1 <= more("batch_requests_count") <= 6


def test_what_is_there_now(front: Front, exporter: Exporter) -> None:
    assert told(exporter.scrape(), "feed_clients") == 0
    with following(front) as events:
        next(events)
        seen = exporter.scrape()
        assert told(seen, "feed_clients") == 1
        assert told(seen, "connections") >= 1
        assert seen.get("gateway_waiting_requests") == 0
        assert 0 <= told(seen, "page_age_seconds") < 5
    wait_until(lambda: told(exporter.scrape(), "feed_clients") == 0, 10, "it is seen to be gone")


def test_who_was_called_from_a_waiting_room_is_counted(
    front: Front, exporter: Exporter, redis_url: str, module_database_url: str
) -> None:
    assert exporter.scrape().get("gateway_called_people_total") == 0
    prepare_rooms(redis_url, module_database_url)
    wait_until(lambda: front.http.get("/v1/sales/fast").status_code == 200, 10, "the gateway knows the sale")
    Person(front, "fast").let_in()
    wait_until(lambda: told(exporter.scrape(), "called_people_total") == 1, 10, "it is counted")


def test_everything_is_told_and_nothing_of_whom(front: Front, exporter: Exporter) -> None:
    buyer = a_buyer()
    order = front.order(buyer=buyer).json()["order"]
    with urllib.request.urlopen(exporter.url, timeout=10) as reply:  # noqa: S310 - http, on loopback
        text = reply.read().decode()
    assert [name for name in GATEWAY if f"# TYPE {name.removesuffix('_total')}" not in text] == []
    assert buyer not in text
    assert order not in text


def test_a_trace_goes_from_the_header_to_the_log(front: Front, redis_url: str) -> None:
    buyer = a_buyer()
    headers = as_buyer(buyer) | PARENT | {"Idempotency-Key": "cart-1"}
    placed = front.http.post("/v1/sales/drop/orders", json={"sku": "phone"}, headers=headers).json()
    path = f"/v1/sales/drop/orders/{placed['order']}"
    for verb in ("confirm", "refund"):
        assert front.http.post(f"{path}/{verb}", headers=as_service() | PARENT).status_code == 200
    given_up = front.order(buyer=buyer).json()["order"]
    front.http.post(f"/v1/sales/drop/orders/{given_up}/cancel", headers=as_buyer(buyer) | PARENT)

    with redis_client(redis_url) as redis:
        bodies = [str(fields) for _, fields in redis.xrevrange("fs:{drop:0}:events", count=5)]
    assert [TRACE in body for body in reversed(bodies)] == [True, True, True, False, True]
    lines = [line for line in logged(front.process) if line["action"] == "order_decided"]
    assert [(line["command"], line["answer"], line["trace_id"]) for line in lines] == [
        ("reserve", "reserved", TRACE),
        ("confirm", "confirmed", TRACE),
        ("refund", "refunded", TRACE),
        ("cancel", "cancelled", TRACE),
    ]
    assert {line["order_id"] for line in lines} == {placed["order"], given_up}


def test_a_trace_that_cannot_be_read_spoils_nothing(front: Front) -> None:
    for parent in ("", "x", PARENT["traceparent"][:-1], "00-" + "0" * 32 + "-00f067aa0ba902b7-01"):
        headers = as_buyer(a_buyer()) | {"Idempotency-Key": "k", "traceparent": parent}
        done = front.http.post("/v1/sales/drop/orders", json={"sku": "phone"}, headers=headers)
        assert done.status_code == 201
