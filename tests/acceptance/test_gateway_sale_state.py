"""`flashsale gateway run`: the page that everybody polls, the document, health."""

from __future__ import annotations

import pytest

from flashsale.commands import Restock
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.gateway.operations import OPERATIONS
from flashsale.gateway.problems import KINDS
from flashsale.projections import catalog
from flashsale.projections.database import connect
from tests.acceptance.gateway_kit import FAR_MS, SALES, Front, problem
from tests.helpers import wait_until

PAGE = "/v1/sales/drop"


def shown(front: Front, sku: str) -> int:
    items = front.http.get(PAGE).json()["items"]
    return int(next(item["available"] for item in items if item["sku"] == sku))


def test_the_page_says_what_is_sold_and_what_is_left(front: Front) -> None:
    done = front.http.get(PAGE)

    page = done.json()
    assert done.headers["cache-control"].startswith("public, max-age=1")
    assert {name: page[name] for name in ("sale", "title", "currency", "state", "closes_ms", "hold_ms")} == {
        "sale": "drop", "title": "Drop", "currency": "EUR", "state": "open", "closes_ms": 0, "hold_ms": 600_000,
    }  # fmt: skip
    assert {item["sku"]: (item["available"], item["limit"]) for item in page["items"]} == SALES["drop"]
    assert page["items"][0]["unit_price_minor"] == 79_900
    assert 3_000 <= page["poll_after_ms"] <= 16_000
    assert abs(page["server_time_ms"] - front.client.now_ms()) < 5_000


def test_what_has_not_changed_is_not_sent_again(front: Front) -> None:
    def unchanged() -> bool:
        etag = front.http.get(PAGE).headers["etag"]
        again = front.http.get(PAGE, headers={"If-None-Match": f'"other", {etag}'})
        assert again.status_code in (200, 304)
        if again.status_code == 304:
            assert (again.content, again.headers["etag"]) == (b"", etag)
            assert again.headers["cache-control"].startswith("public")
        return again.status_code == 304

    # The pace that the page tells may change between the two, when this machine is busy.
    wait_until(unchanged, 20, "twice the same page")
    assert front.http.get(PAGE, headers={"If-None-Match": '"x"'}).status_code == 200
    assert front.http.get(PAGE, headers={"If-None-Match": "*"}).status_code == 304


def test_a_cache_that_makes_the_etag_strong_is_understood(front: Front) -> None:
    past = "/v1/sales/past"
    etag = front.http.get(past).headers["etag"].removeprefix("W/")
    assert front.http.get(past, headers={"If-None-Match": etag}).status_code == 304
    headers = [("If-None-Match", '"x"'), ("If-None-Match", etag)]
    assert front.http.get(past, headers=headers).status_code == 304


def test_the_page_follows_the_stock(front: Front) -> None:
    etag = front.http.get(PAGE).headers["etag"]
    front.order("last")
    wait_until(lambda: shown(front, "last") == 0, 10, "it is seen to be gone")
    assert front.http.get(PAGE, headers={"If-None-Match": etag}).status_code == 200

    front.client.control("drop", Restock("more-1", "add", "last", 3))

    wait_until(lambda: shown(front, "last") == 3, 10, "it is seen to be back")


@pytest.mark.parametrize(
    ("sale", "state", "opens_ms"),
    [
        ("later", "scheduled", FAR_MS),
        ("paused", "paused", None),
        ("closed", "closed", None),
        ("cold", "defined", 0),
        ("past", "archived", 0),
    ],
)
def test_each_state(front: Front, sale: str, state: str, opens_ms: int | None) -> None:
    page = front.http.get(f"/v1/sales/{sale}").json()

    assert page["state"] == state
    assert opens_ms in (None, page["opens_ms"])


def test_a_sale_that_is_defined_later_is_found(front: Front, module_database_url: str) -> None:
    problem(front.http.get("/v1/sales/late"), 404, "unknown-sale")
    item = SaleItem(sku="phone", title="Phone", quantity=1, unit_price_minor=1)
    definition = SaleDefinition(sale="late", title="Late", currency="EUR", items=(item,), hold_ms=60_000)
    with connect(module_database_url) as connection:
        catalog.define(connection, definition)

    wait_until(lambda: front.http.get("/v1/sales/late").status_code == 200, 20, "it is found")


def test_health(front: Front) -> None:
    for path in ("/healthz", "/readyz"):
        done = front.http.get(path)
        assert (done.status_code, done.json()) == (200, {"status": "ok"})
        assert done.headers["cache-control"] == "no-store"


def test_the_document_tells_of_every_operation_and_every_kind_of_problem(front: Front) -> None:
    done = front.http.get("/v1/openapi.json")

    document = done.json()
    assert document["openapi"] == "3.1.0"
    told = {method["operationId"] for path in document["paths"].values() for method in path.values()}
    assert told == {operation.name for operation in OPERATIONS}
    placed = document["paths"]["/v1/sales/{sale}/orders"]["post"]["responses"]["201"]
    assert set(placed["links"]) == {name for name in told if name.endswith("_order")} - {"place_order"}
    # What no path or method fits belongs to no operation.
    unrouted = {"not-found", "method-not-allowed"}
    assert {kind.slug for kind in KINDS} - unrouted == {
        kind.slug for operation in OPERATIONS for kind in operation.refusals
    }
    schemas = set(document["components"]["schemas"])
    references = {part.partition('"')[0] for part in done.text.split("#/components/schemas/")[1:]}
    assert references == schemas
