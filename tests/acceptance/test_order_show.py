"""`flashsale order show`: the story of one order, from every place that knows of it."""

from __future__ import annotations

from flashsale.commands import Confirm, Reserve
from tests.acceptance.conftest import SALE, SKU, Shop

ORDER = "0-aaaaaaaa"


def test_show_tells_the_whole_timeline_projected_or_not(shop: Shop) -> None:
    shop.open(unit_price_minor=500, currency="JPY")
    shop.execute(Reserve(ORDER, "ada", SKU, 2), Reserve("0-aaaaaaaab", "bob", SKU))
    shop.project()
    shop.execute(Confirm(ORDER))

    told = shop.finished("order", "show", SALE, ORDER).stdout
    record = shop.finished("order", "show", SALE, ORDER, "--json").json()

    assert "2 units of phone, 1,000 JPY" in told
    assert [line.split()[2] for line in told.splitlines()[7:]] == ["reserved", "confirmed"]
    assert (record["status"], record["amount_minor"], record["currency"]) == ("confirmed", 1000, "JPY")
    assert record["redis"] == {"status": "confirmed", "position": "1-6"}
    assert record["postgres"] == {"status": "held", "position": "1-4"}
    assert [(event["type"], event["archived"]) for event in record["events"]] == [
        ("order.reserved", True),
        ("order.confirmed", False),
    ]


def test_show_knows_an_order_that_only_postgres_has(shop: Shop) -> None:
    shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU))
    shop.project()
    shop.redis.flushdb()

    record = shop.finished("order", "show", SALE, ORDER, "--json").json()

    assert (record["redis"], record["status"], len(record["events"])) == (None, "held", 1)
