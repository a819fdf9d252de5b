"""What the operator page shows."""

from __future__ import annotations

import re

import pytest

from flashsale.commands import Cancel, Confirm, Pause, Refund, Reserve
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.ids import START
from flashsale.keys import shard_keys
from flashsale.operator.events import EVENTS_PER_PAGE, SEARCHED_MAX
from flashsale.operator.orders import SALES_SEARCHED_MAX
from flashsale.projections import catalog
from flashsale.stream import ShardId
from tests.acceptance.operator_kit import Office, Page
from tests.fixtures.redis_client import redis_client
from tests.helpers import wait_until


def order(number: int) -> str:
    return f"0-{number:08}"


def sell(office: Office, sale: str) -> None:
    """Ten units: one sold, one held, one returned, one cancelled."""
    office.open_sale(sale)
    requests = [Reserve(order(n), f"buyer-{n}", "phone") for n in range(4)]
    office.client.execute(sale, requests)
    office.client.execute(sale, [Confirm(order(0)), Confirm(order(2)), Cancel(order(3))])
    office.client.execute(sale, [Refund(order(2), units="keep")])


def overview_shows(office: Office, sale: str, *texts: str) -> Page:
    """The overview, once it has looked at this sale, and shows this of it."""

    def shows() -> bool:
        page = office.ada.see("/")
        return sale in page.text and all(text in page.text for text in texts)

    wait_until(shows, 20, f"the overview shows {texts} of {sale}")
    return office.ada.see("/")


def test_the_books_come_first(office: Office) -> None:
    sell(office, "books")
    # Left, held, sold, returned, capacity: the order that was cancelled gave its unit back.
    overview_shows(office, "books", "books open 7 1 1 1 10", "Every unit is accounted for")
    assert "7 left + 1 held + 1 sold + 1 returned = 10 capacity" in office.ada.see("/sales/books").text


def test_counters_that_do_not_add_up_are_red(office: Office, redis_url: str) -> None:
    sell(office, "broken")
    key = shard_keys("broken", 0).stock
    with redis_client(redis_url) as raw:
        kept = raw.hget(key, "phone")
        assert kept is not None
        available, rest = kept.split(" ", 1)
        raw.hset(key, "phone", f"{int(available) + 1} {rest}")
        try:
            page = overview_shows(office, "broken", "Something is wrong")
            assert "phone: 8 left + 1 held + 1 sold + 1 returned is not the capacity, 10" in page.text
            assert (
                "8 left + 1 held + 1 sold + 1 returned ≠ 10 capacity" in office.ada.see("/sales/broken").text
            )
        finally:
            raw.hset(key, "phone", kept)


def test_a_pause_is_seen_with_who_when_and_why(office: Office) -> None:
    office.open_sale("halt")
    office.client.control("halt", Pause("the price is <wrong>"))
    page = overview_shows(office, "halt", "paused by test at 20", ": the price is <wrong>")
    assert "No projector is connected." in page.text

    office.project()
    office.cli.ok("trim", "halt", "--keep", "0")  # from now on only the archive knows
    overview_shows(office, "halt", "halt paused paused by test at 20", ": the price is <wrong>")


def test_lag_pending_and_projectors_are_seen_live(office: Office) -> None:
    sell(office, "behind")
    log = ShardId("behind", 0)
    events = len(office.log.entries(log, START))
    overview_shows(office, "behind", f"{events} event(s) behind")

    projector = office.cli.start("projector", "run", "--name", "p-live")
    try:
        page = overview_shows(office, "behind", "p-live", "s ago")
        wait_until(lambda: "event(s) behind" not in office.ada.see("/").text, 20, "it has caught up")
        # How many sales it leads, and how far the one that is furthest behind is.
        wait_until(
            lambda: re.search(r"p-live \d+ 0 0\.0 \d", office.ada.see("/").text), 20, "so says its lag"
        )
    finally:
        projector.stop()
    assert "No projector is connected." not in page.text


def test_the_live_part_is_what_the_page_shows_and_the_chart_has_its_points(office: Office) -> None:
    sell(office, "fresh")
    overview_shows(office, "fresh")
    wait_until(lambda: len(office.live()["points"]["at_s"]) >= 2, 20, "two looks are in the chart")

    news = office.live()

    assert 0 <= news["age_s"] < 10
    assert news["away"] == ""
    assert "fresh" in news["html"]
    assert "<html" not in news["html"]
    points = news["points"]
    assert len(points["at_s"]) == len(points["decided"]) == len(points["applied"])
    assert points["at_s"] == sorted(points["at_s"])


def test_an_order_is_found_by_its_id_and_by_its_buyer_and_tells_its_story(office: Office) -> None:
    sell(office, "found")
    before = office.ada.see("/orders", q=order(2), sale="found")
    office.project()
    after = office.ada.see("/orders", q=order(2), sale="found")
    of_buyer = office.ada.see("/orders", q="buyer-2")

    assert before.url == after.url == f"/sales/found/orders/{order(2)}"
    for page, where in ((before, "the log only"), (after, "Postgres")):
        told = page.text.partition("Its events")[2]
        steps = [told.index(step) for step in ("reserved", "confirmed", "refunded")]
        assert steps == sorted(steps)
        assert where in page.text
    assert "in Postgres not there" in before.text
    assert "in Postgres refunded" in after.text
    assert "1 unit of phone, 799.00 EUR" in after.text
    assert f"/sales/found/orders/{order(2)}" in of_buyer.links
    assert office.ada.see("/orders", q="0-nobodyhasit").status == 404
    assert "No orders." in office.ada.see("/orders", q="nobody").text


@pytest.fixture(scope="module")
def long(office: Office) -> int:
    """A sale with several pages of events, a part of them in the archive alone; returns how many."""
    office.open_sale("long", units=1_000)
    wanted = 2 * EVENTS_PER_PAGE + 50
    requests = [Reserve(order(n), "b", "phone") for n in range(wanted)]
    for start in range(0, wanted, 100):
        office.client.execute("long", requests[start : start + 100])
    office.project()
    office.cli.ok("trim", "long", "--keep", "70")
    office.client.execute("long", [Confirm(order(0))])
    return wanted + 4


def positions(page: Page) -> list[int]:
    """The sequence numbers of a page of the log, which it links as `details`."""
    words = page.text.partition(" detail in ")[2].split()
    return [int(word.removeprefix("1-")) for word in words if word.startswith("1-") and word[2:].isdigit()]


@pytest.mark.parametrize(("start", "turn"), [({}, "before"), ({"at": "1"}, "after")])
def test_turning_pages_shows_every_event_once_wherever_it_is(
    office: Office, long: int, start: dict[str, str], turn: str
) -> None:
    page = office.ada.see("/sales/long/events", **start)
    seen = positions(page)
    while links := [link for link in page.links if f"{turn}=" in link]:
        page = office.ada.see("/sales/long/events", **dict([links[0].partition("?")[2].split("=")]))
        shown = positions(page)
        assert 1 <= len(shown) <= EVENTS_PER_PAGE
        seen = shown + seen if turn == "before" else seen + shown
    assert seen == list(range(1, long + 1))


def test_the_log_says_where_each_event_is(office: Office, long: int) -> None:
    newest = office.ada.see("/sales/long/events")
    assert "the log only" in newest.text
    assert f"it ends at 1-{long}" in newest.text
    first = office.ada.see("/sales/long/events", at="1-1")
    assert "sale.loaded" in first.text
    assert "the log only" not in first.text
    assert office.ada.see("/sales/long/events", at="nonsense").status == 400
    assert "No events here." in office.ada.see("/sales/long/events", after="1-999999").text


def test_the_log_is_filtered_by_type_and_turned_within_it(office: Office, long: int) -> None:
    rare = office.ada.see("/sales/long/events", type="order.confirmed")
    assert positions(rare) == [long]
    assert f"1 of the {long} events from 1-1 to 1-{long} is order.confirmed ." in rare.text

    seen = positions(page := office.ada.see("/sales/long/events", type="order.reserved", at="1"))
    while links := [link for link in page.links if "after=" in link]:
        page = office.ada.see(links[0])
        seen += positions(page)
    assert seen == list(range(4, long))
    assert office.ada.see("/sales/long/events", type="order.lost").status == 400


def test_a_search_in_the_log_ends_at_its_bound_says_so_and_goes_on(office: Office) -> None:
    office.open_sale("huge", units=SEARCHED_MAX)
    for start in range(0, SEARCHED_MAX, 500):
        orders = [Reserve(order(n), "b", "phone") for n in range(start, start + 500)]
        office.client.execute("huge", orders)

    page = office.ada.see("/sales/huge/events", type="sale.opened")
    assert positions(page) == []
    assert f"0 of the 10,000 events from 1-4 to 1-{SEARCHED_MAX + 3} are sale.opened ." in page.text
    assert "No more were read for one page: search on" in page.text
    (on,) = {link for link in page.links if "before=1-4" in link}
    further = office.ada.see(on)
    assert positions(further) == [3]
    assert "search on" not in further.text


def test_a_comparison_says_whether_log_redis_and_postgres_agree(office: Office) -> None:
    sell(office, "compared")
    office.project()
    before = office.ada.see("/sales/compared")
    assert "last compared never" in before.text

    agreed = office.ada.send(before.form("/sales/compared/compare"))
    office.connection.execute(
        "UPDATE orders SET buyer = 'mallory' WHERE sale_id = 'compared' AND buyer = 'buyer-1'"
    )
    differs = office.ada.send(before.form("/sales/compared/compare"))

    assert "log, Redis and Postgres agree at 1-" in agreed.text
    assert "by operator:ada: log, Redis and Postgres agree" in agreed.text
    assert "1 difference(s)" in differs.text
    assert order(1) in differs.text
    assert "7 left + 1 held + 1 sold + 1 returned = 10 capacity" in differs.text, "Redis counts well"
    overview_shows(office, "compared", "Something is wrong", "1 difference between log, Redis and Postgres")


def test_what_the_timer_found_is_shown_too(office: Office) -> None:
    sell(office, "timed")
    office.project()
    office.cli.ok("reconcile", "timed")
    overview_shows(office, "timed", "agrees, 20")
    assert ": log, Redis and Postgres agree at 1-" in office.ada.see("/sales/timed").text

    office.client.execute("timed", [Reserve(order(5), "buyer-5", "phone")])
    assert office.cli.run("reconcile", "timed", "--timeout", "10ms").exit_code == 5
    overview_shows(office, "timed", "; not possible, 20")
    told = office.ada.see("/sales/timed").text
    assert told.index("agree at 1-") < told.index("not possible: timed:0: Postgres stands at")


def test_a_search_by_buyer_reads_so_many_sales_says_which_and_goes_on(office: Office) -> None:
    office.open_sale("older")
    office.client.execute("older", [Reserve(order(1), "zoe", "phone")])
    office.project()
    item = SaleItem(sku="phone", title="Phone", quantity=1, unit_price_minor=1, limit=0)
    for number in range(SALES_SEARCHED_MAX):
        definition = SaleDefinition(
            sale=f"later-{number}", title="Later", currency="EUR", items=(item,), hold_ms=1_000
        )
        catalog.define(office.connection, definition)

    first = office.ada.see("/orders", q="zoe")
    (on,) = (link for link in first.links if "from=" in link)
    further = office.ada.see(on)

    assert "0 orders in 20 sales: later-19, later-18," in first.text
    assert "search on , from older." in first.text
    assert f"/sales/older/orders/{order(1)}" in further.links
    assert "1 order in 1 sale: older." in office.ada.see("/orders", q="zoe", sale="older").text
    assert office.ada.see("/orders", q="zoe", **{"from": "nowhere"}).status == 400
