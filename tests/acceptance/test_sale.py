"""`flashsale sale`: the life of a sale, as an operator types it."""

import time
from pathlib import Path

import pytest

from flashsale.commands import Close, Confirm, Open, Pause, Reconfigure, Reserve
from tests.acceptance.conftest import SALE, SKU, Shop

DEFINITION = """
sale = "drop"
title = "Drop"
currency = "EUR"
hold = "15m"

[[items]]
sku = "phone"
title = "Phone 15"
quantity = 10
unit_price_minor = 79900
limit = 2
"""
DAY_MS = 86_400_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_sale_from_the_example_to_the_close(shop: Shop) -> None:
    (shop.cli.home / "drop.toml").write_text(shop.finished("sale", "example").stdout, encoding="utf-8")

    defined = shop.finished("sale", "define", "drop.toml")
    assert "Defined mega-drop: 1 SKU, 1,000 units." in defined.stderr
    assert "Next: flashsale sale warm mega-drop" in defined.stderr
    assert "Next: flashsale sale open mega-drop" in shop.finished("sale", "warm", "mega-drop").stderr
    assert "mega-drop is open." in shop.finished("sale", "open", "mega-drop").stderr
    assert "Next: flashsale sale resume mega-drop" in shop.finished("sale", "pause", "mega-drop").stderr
    assert "it sells again" in shop.finished("sale", "resume", "mega-drop").stderr
    assert "closed for good" in shop.finished("sale", "close", "mega-drop").stderr
    shown = shop.finished("sale", "show", "mega-drop", "--json").json()
    assert (shown["state"], shown["position"]) == ("closed", "1-6")


def test_what_a_writing_command_did_goes_to_stderr_unless_json_is_asked_for(shop: Shop) -> None:
    shop.define()

    plain = shop.finished("sale", "warm", SALE)
    told = shop.finished("sale", "open", SALE, "--json")

    assert plain.stdout == ""
    assert (
        told.json().items() >= {"sale": SALE, "code": "OPENED", "position": "1-3", "repeated": False}.items()
    )


def test_who_did_it_stands_in_the_log(shop: Shop) -> None:
    shop.define()
    shop.finished("sale", "warm", SALE)

    (first, *_) = shop.finished("events", "export", SALE).json_lines()

    assert first["by"].startswith("cli")


@pytest.mark.parametrize(
    ("opens_in_ms", "closes_in_ms", "sentence"),
    [
        (DAY_MS, 0, "opens by itself at "),
        (0, -1_000, "has passed: nothing will be sold."),
        (0, DAY_MS, "Next: flashsale sale open drop"),
    ],
)
def test_warm_says_what_the_clock_will_do(
    shop: Shop, opens_in_ms: int, closes_in_ms: int, sentence: str
) -> None:
    now = now_ms()
    shop.define(opens_ms=opens_in_ms and now + opens_in_ms, closes_ms=closes_in_ms and now + closes_in_ms)

    assert sentence in shop.finished("sale", "warm", SALE).stderr


def test_open_keeps_an_opening_time_unless_told_not_to(shop: Shop) -> None:
    shop.warm("later", opens_ms=now_ms() + DAY_MS)
    shop.warm("at-once", opens_ms=now_ms() + DAY_MS)

    assert "later opens at " in shop.finished("sale", "open", "later").stderr
    assert "at-once is open." in shop.finished("sale", "open", "at-once", "--now").stderr
    assert shop.finished("sale", "show", "later", "--json").json()["state"] == "scheduled"
    assert shop.finished("sale", "show", "at-once", "--json").json()["state"] == "open"


@pytest.mark.parametrize(
    ("verb", "state", "sentence"),
    [
        ("warm", "warm", "was warmed before; it is warm now"),
        ("warm", "open", "was warmed before; it is open now"),
        ("open", "defined", "is defined but not warm: `flashsale sale warm drop`"),
        ("open", "open", "is open already"),
        ("open", "paused", "is paused; only a warm sale can be opened"),
        ("open", "closed", "is closed; only a warm sale can be opened"),
        ("pause", "defined", "is defined but not warm"),
        ("pause", "warm", "is warm; only an open sale can be paused"),
        ("pause", "paused", "is paused already"),
        ("pause", "closed", "is closed; only an open sale can be paused"),
        ("resume", "warm", "is warm; only a paused sale can be resumed"),
        ("resume", "open", "is open already"),
        ("resume", "closed", "is closed; only a paused sale can be resumed"),
        ("close", "defined", "is defined but not warm"),
        ("close", "closed", "is closed already"),
    ],
)
def test_a_verb_in_the_wrong_state_is_refused_with_the_state(
    shop: Shop, verb: str, state: str, sentence: str
) -> None:
    bring_to(shop, state)

    done = shop.refused(4, "sale", verb, SALE)

    assert sentence in done.stderr


def bring_to(shop: Shop, state: str) -> None:
    if state == "defined":
        shop.define()
        return
    shop.warm()
    if state != "warm":
        shop.control(Open(at_once=True))
    if state in ("paused", "closed"):
        shop.control(Pause() if state == "paused" else Close())


@pytest.mark.parametrize("state", ["warm", "open", "paused"])
def test_a_sale_that_its_clock_closed_is_closed_for_every_verb(shop: Shop, state: str) -> None:
    bring_to(shop, state)
    shop.control(Reconfigure(opens_ms=1_000, closes_ms=2_000))
    remedy = "if its closing time closed it, `flashsale sale reconfigure drop --closes TIME` moves that"

    (listed,) = shop.finished("sale", "list", "--json").json()["sales"]
    assert listed["state"] == "closed"
    for args in (["open"], ["pause"], ["resume"], ["restock", SKU, "+1"], ["restock", SKU, "-1"]):
        done = shop.refused(4, "sale", args[0], SALE, *args[1:])
        assert "sale drop is closed; only a" in done.stderr
        assert remedy in done.stderr
    assert "is closed" in shop.refused(4, "order", "reserve", SALE, SKU, "--buyer", "ada").stderr


def test_a_later_closing_time_lets_a_sale_go_on_and_a_close_ends_it_for_good(shop: Shop) -> None:
    bring_to(shop, "open")
    shop.control(Reconfigure(opens_ms=1_000, closes_ms=2_000))

    shop.finished("sale", "reconfigure", SALE, "--closes", "2190-01-01T00:00:00Z")
    shop.finished("order", "reserve", SALE, SKU, "--buyer", "ada")
    shop.control(Reconfigure(closes_ms=2_000))
    assert "closed for good" in shop.finished("sale", "close", SALE).stderr
    done = shop.refused(4, "sale", "reconfigure", SALE, "--closes", "none")
    assert "is closed; only a sale that is not closed for good can be reconfigured" in done.stderr
    assert "is closed already" in shop.refused(4, "sale", "close", SALE).stderr


def test_a_sale_that_waits_for_its_opening_time_is_not_called_open(shop: Shop) -> None:
    shop.warm(opens_ms=now_ms() + DAY_MS)
    for verb in ("pause", "resume"):
        shop.finished("sale", verb, SALE)

    done = shop.refused(4, "sale", "open", SALE, "--now")

    assert (
        "is scheduled; only a warm sale can be opened; `flashsale sale reconfigure drop --opens"
        in done.stderr
    )
    assert "is scheduled; only a paused" in shop.refused(4, "sale", "resume", SALE).stderr
    assert shop.finished("sale", "show", SALE, "--json").json()["state"] == "scheduled"


@pytest.mark.parametrize("verb", ["warm", "open", "pause", "resume", "close", "show", "watch"])
def test_a_sale_that_is_not_defined_is_not_found(shop: Shop, verb: str) -> None:
    done = shop.refused(3, "sale", verb, "nothing")
    assert "sale nothing is not defined; `flashsale sale list` shows those that are" in done.stderr


def test_define_twice_is_refused(shop: Shop) -> None:
    (shop.cli.home / "drop.toml").write_text(DEFINITION, encoding="utf-8")
    shop.finished("sale", "define", "drop.toml")

    assert "is defined already" in shop.refused(4, "sale", "define", "drop.toml").stderr


def test_a_sale_that_was_lost_before_its_first_projection_is_not_sold_twice(shop: Shop) -> None:
    shop.define()
    shop.finished("sale", "warm", SALE)
    shop.finished("sale", "open", SALE)
    shop.finished("order", "reserve", SALE, SKU, "--buyer", "ada")
    shop.redis.flushdb()

    for args in (
        ("sale", "warm", SALE),
        ("sale", "open", SALE),
        ("order", "reserve", SALE, SKU, "--buyer", "bob"),
    ):
        assert f"flashsale recover {SALE}" in shop.refused(7, *args).stderr
    (listed,) = shop.finished("sale", "list", "--json").json()["sales"]
    assert listed["state"] == "lost"


def test_a_warming_that_did_not_reach_redis_is_done_again(shop: Shop) -> None:
    shop.define()
    good, shop.cli.env["FLASHSALE_REDIS_URL"] = shop.cli.env["FLASHSALE_REDIS_URL"], "unix:///nonexistent"
    shop.refused(5, "sale", "warm", SALE)

    shop.cli.env["FLASHSALE_REDIS_URL"] = good
    shop.finished("sale", "warm", SALE)


def test_warm_refuses_a_sale_whose_history_redis_has_lost(shop: Shop) -> None:
    shop.open()
    shop.execute(Reserve("0-aaaaaaaa", "ada", SKU))
    shop.project()
    shop.redis.flushdb()

    done = shop.refused(7, "sale", "warm", SALE)
    listed = shop.finished("sale", "list", "--json").json()["sales"]

    assert "until somebody decides" in done.stderr
    assert [sale["state"] for sale in listed] == ["lost"]
    assert [(sale["lag_events"], sale["lost_events"]) for sale in listed] == [(None, 4)]
    assert "Postgres has 1-4, 4 events lost" in shop.finished("sale", "show", SALE).stdout
    for args in (["sale", "open", SALE], ["order", "reserve", SALE, SKU, "--buyer", "ada"]):
        assert "has lost the log" in shop.refused(7, *args).stderr
    assert shop.cli.run("projector", "status").exit_code == 7


def test_list_and_show_tell_states_stock_and_orders(shop: Shop) -> None:
    assert "No sale is defined." in shop.finished("sale", "list").stderr
    shop.define("first", title="The [first] one")
    shop.open("second", limit=2)
    shop.execute(Reserve("0-aaaaaaaa", "ada", SKU, 2), Reserve("0-bbbbbbbb", "bob", SKU), sale="second")
    shop.execute(Confirm("0-aaaaaaaa"), sale="second")
    shop.project()

    listed = shop.finished("sale", "list").stdout.splitlines()
    shown = shop.finished("sale", "show", "second")

    assert listed[0].split() == ["sale", "state", "available", "held", "sold", "returned", "title"]
    assert listed[1].split(maxsplit=6) == ["first", "defined", "-", "-", "-", "-", "The [first] one"]
    assert listed[2].split(maxsplit=6) == ["second", "open", "7", "1", "2", "0", "Drop"]
    assert "1 confirmed, 1 held (in Postgres)" in shown.stdout
    assert "799.00 EUR" in shown.stdout
    assert shop.finished("sale", "show", "second", "--json").json()["orders_in_postgres"] == {
        "confirmed": {"orders": 1, "units": 2},
        "held": {"orders": 1, "units": 1},
    }


def test_watch_prints_a_line_or_an_object_for_each_look(shop: Shop) -> None:
    shop.open()
    shop.control(Reconfigure(hold_ms=5_000))

    plain = shop.finished("sale", "watch", SALE, "--count", "2", "--interval", "1ms").stdout.splitlines()
    objects = shop.finished("sale", "watch", SALE, "--count", "2", "--interval", "1ms", "--json").json_lines()

    assert len(plain) == 2
    assert "open  available 10  held 0  sold 0  returned 0  log 1-4 (+0/s)  4 events behind" in plain[0]
    assert [look["available"] for look in objects] == [10, 10]


def test_watch_sees_what_others_do(shop: Shop, tmp_path: Path) -> None:
    shop.open()
    watching = shop.cli.start("sale", "watch", SALE, "--interval", "10ms")
    watching.wait_for_output("available 10")

    shop.execute(Reserve("0-aaaaaaaa", "ada", SKU))

    watching.wait_for_output("available 9  held 1")
