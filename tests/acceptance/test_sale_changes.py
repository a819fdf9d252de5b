"""`flashsale sale restock` and `reconfigure`: a running sale is changed."""

import re

from flashsale.commands import Close, Reconfigure, Reserve
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.helpers import wait_until


def test_restock_adds_takes_off_and_knows_a_repeat(shop: Shop) -> None:
    shop.open()
    shop.execute(Reserve("0-aaaaaaaa", "ada", SKU, 4))

    added = shop.finished("sale", "restock", SALE, SKU, "+5", "--request-id", "r1")
    again = shop.finished("sale", "restock", SALE, SKU, "+5", "--request-id", "r1", "--json")
    taken = shop.finished("sale", "restock", SALE, SKU, "-11")

    assert "5 units of phone put on sale: 11 available. (Request r1)" in added.stderr
    assert again.json().items() >= {"code": "RESTOCKED", "available": 11, "repeated": True}.items()
    assert "Nothing was changed" in again.stderr
    assert "11 units of phone taken off: 0 available." in taken.stderr
    assert "only 0 units" in shop.refused(4, "sale", "restock", SALE, SKU, "-1").stderr
    assert "used before" in shop.refused(4, "sale", "restock", SALE, SKU, "+6", "--request-id", "r1").stderr
    assert "does not sell tablet" in shop.refused(3, "sale", "restock", SALE, "tablet", "+1").stderr


def test_restock_of_a_closed_sale_is_refused(shop: Shop) -> None:
    shop.open()
    shop.control(Close())
    assert "is closed; only a sale" in shop.refused(4, "sale", "restock", SALE, SKU, "+1").stderr


def test_reconfigure_changes_the_running_sale_and_its_definition(shop: Shop) -> None:
    shop.open()

    shop.finished(
        *(
            "sale",
            "reconfigure",
            SALE,
            "--closes",
            "2190-01-01T00:00:00Z",
            "--hold",
            "90s",
            "--limit",
            f"{SKU}=3",
        )
    )

    shown = shop.finished("sale", "show", SALE, "--json").json()
    assert (shown["closes_at"], shown["hold_ms"]) == ("2190-01-01T00:00:00.000Z", 90_000)
    assert shown["items"][0]["limit"] == 3
    ((stored,),) = shop.connection.execute("SELECT hold_ms FROM sales").fetchall()
    assert stored == 90_000
    shop.finished("sale", "reconfigure", SALE, "--closes", "none")
    assert shop.finished("sale", "show", SALE, "--json").json()["closes_at"] is None


def test_of_two_changes_at_once_the_definition_keeps_the_newer(shop: Shop) -> None:
    shop.open()
    with shop.connection.transaction():
        shop.connection.execute("UPDATE sales SET hold_ms = 60000")
        command = shop.cli.start("sale", "reconfigure", SALE, "--hold", "90s")
        wait_until(lambda: shop.client.snapshot(SALE).state.hold_ms == 90_000, 20, "Redis has its change")
        shop.control(Reconfigure(hold_ms=60_000))

    assert command.wait().exit_code == 0
    assert shop.connection.execute("SELECT hold_ms FROM sales").fetchall() == [(60_000,)]


def test_a_change_that_never_came_to_the_definition_comes_with_the_next(shop: Shop) -> None:
    shop.open()
    shop.control(Reconfigure(hold_ms=90_000, limits=((SKU, 3),)))  # by a command that was killed after it

    shop.finished("sale", "reconfigure", SALE, "--closes", "2190-01-01T00:00:00Z")

    assert shop.connection.execute("SELECT hold_ms FROM sales").fetchall() == [(90_000,)]
    assert shop.connection.execute("SELECT buyer_limit FROM sale_items").fetchall() == [(3,)]


def test_reconfigure_is_refused_whole(shop: Shop) -> None:
    shop.open()
    for args, exit_code, sentence in (
        ([], 2, "say what to change"),
        (["--closes", "2001-01-01T00:00:00Z"], 2, "it must come after the opening time"),
        (["--hold", "90s", "--limit", "tablet=1"], 3, "does not sell one of these SKUs"),
        (["--limit", f"{SKU}=1", "--limit", f"{SKU}=2"], 2, "name each SKU once"),
    ):
        assert sentence in shop.refused(exit_code, "sale", "reconfigure", SALE, *args).stderr
    shop.control(Close())
    assert "is closed; only" in shop.refused(4, "sale", "reconfigure", SALE, "--hold", "90s").stderr


def test_who_paused_it_and_why_is_shown_while_it_lasts(shop: Shop) -> None:
    shop.open()
    shop.finished("sale", "pause", SALE, "--reason", "a wrong price")

    shown = shop.finished("sale", "show", SALE)
    told = shop.finished("sale", "show", SALE, "--json").json()["paused"]
    shop.finished("sale", "resume", SALE)

    assert re.search(r"^state +paused by cli\S* at \d{4}-.+: a wrong price$", shown.stdout, re.MULTILINE)
    assert (told["by"][:3], told["why"]) == ("cli", "a wrong price")
    assert shop.finished("sale", "show", SALE, "--json").json()["paused"] is None
