"""`flashsale order`: one order, as a buyer's support desk types it."""

from __future__ import annotations

from typing import Any

import pytest

from flashsale import ids
from flashsale.commands import (
    Cancel,
    Close,
    Confirm,
    Expire,
    Open,
    OrderRequest,
    Pause,
    Refund,
    Reserve,
)
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.helpers import wait_until

ORDER = "0-aaaaaaaa"


def expire(shop: Shop) -> None:
    """Let the hold of a sale with hold_ms=1000 end."""
    wait_until(lambda: shop.client.expire(SALE, Expire()).order_ids, 10, "the hold ends")


def bring_to(shop: Shop, status: str) -> None:
    """One order of this status in an open sale with one unit."""
    shop.open(quantity=1, hold_ms=1_000)
    if status == "unknown":
        return
    shop.execute(Reserve(ORDER, "ada", SKU))
    if status in ("expired", "refund_due"):
        expire(shop)
    if status == "refund_due":
        shop.execute(Reserve("0-bbbbbbbb", "bob", SKU), Confirm("0-bbbbbbbb"))
    steps: dict[str, list[OrderRequest]] = {
        "confirmed": [Confirm(ORDER)],
        "cancelled": [Cancel(ORDER)],
        "refund_due": [Confirm(ORDER)],
        "refunded": [Confirm(ORDER), Refund(ORDER)],
    }
    for step in steps.get(status, []):
        shop.execute(step)


def test_reserve_prints_the_order_id_and_until_when(shop: Shop) -> None:
    shop.open(hold_ms=600_000)

    done = shop.finished("order", "reserve", SALE, SKU, "--buyer", "ada", "--quantity", "2")
    order_id = done.stdout.strip()

    assert ids.order_id(order_id) == order_id
    assert "Held for ada until " in done.stderr
    assert "2 units of phone, 1,598.00 EUR." in done.stderr
    assert f"Next: flashsale order confirm {SALE} {order_id}" in done.stderr
    shop.finished("order", "confirm", SALE, order_id)


@pytest.mark.parametrize("identity", [("--order", ORDER), ("--idempotency-key", "cart 17 of ada")])
def test_reserve_again_with_the_same_identity_is_one_order(shop: Shop, identity: tuple[str, str]) -> None:
    shop.open()
    args = ("order", "reserve", SALE, SKU, "--buyer", "ada", *identity, "--json")

    first = shop.finished(*args).json()
    before = shop.everything()
    second = shop.finished(*args)

    assert shop.everything() == before
    assert "the same answer again" in second.stderr
    assert second.json() == first | {"repeated": True, "status": "held"}
    assert first.items() >= {"sale": SALE, "sku": SKU, "code": "RESERVED", "position": "1-4"}.items()


def test_another_order_under_the_same_id_is_a_conflict(shop: Shop) -> None:
    shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU))

    for change in (["--buyer", "bob"], ["--buyer", "ada", "--quantity", "2"]):
        done = shop.refused(4, "order", "reserve", SALE, SKU, "--order", ORDER, *change)
        assert f"order {ORDER} exists, with another buyer, SKU or quantity" in done.stderr


@pytest.mark.parametrize(
    ("exit_code", "state", "change", "sentence"),
    [
        (4, "defined", {}, "is defined but not warm: `flashsale sale warm drop`"),
        (4, "warm", {}, "is warm, but not open yet: `flashsale sale open drop`"),
        (4, "warm", {"opens_ms": 6_000_000_000_000}, "opens at 2160-"),
        (4, "paused", {}, "is paused: `flashsale sale resume drop`"),
        (4, "closed", {}, "sale drop is closed"),
        (4, "open", {"quantity": 2}, "only 2 units of phone left"),
        (4, "open", {"quantity": 3, "limit": 2}, "that is more of phone than one buyer may have"),
    ],
)
def test_a_reservation_that_cannot_be_is_refused_with_the_reason(
    shop: Shop, exit_code: int, state: str, change: dict[str, Any], sentence: str
) -> None:
    if state == "defined":
        shop.define(**change)
    else:
        shop.warm(**change)
    if state in ("open", "paused", "closed"):
        shop.control(Open())
    if state in ("paused", "closed"):
        shop.control(Pause() if state == "paused" else Close())

    done = shop.refused(exit_code, "order", "reserve", SALE, SKU, "--buyer", "ada", "--quantity", "3")

    assert sentence in done.stderr


def test_sold_out_unknown_sku_and_unknown_sale(shop: Shop) -> None:
    shop.open(quantity=1)
    shop.execute(Reserve(ORDER, "ada", SKU))

    assert "phone is sold out" in shop.refused(4, "order", "reserve", SALE, SKU, "--buyer", "bob").stderr
    done = shop.refused(3, "order", "reserve", SALE, "tablet", "--buyer", "bob")
    assert "does not sell tablet; `flashsale sale show drop` lists what it sells" in done.stderr
    done = shop.refused(3, "order", "reserve", "nothing", SKU, "--buyer", "bob")
    assert "sale nothing is not defined" in done.stderr
    done = shop.refused(3, "order", "reserve", SALE, SKU, "--buyer", "bob", "--order", "7-aaaaaaaa")
    assert "has no shard 7" in done.stderr


def test_the_limit_counts_what_a_buyer_has_already(shop: Shop) -> None:
    shop.open(limit=2)
    shop.execute(Reserve(ORDER, "ada", SKU))

    done = shop.refused(4, "order", "reserve", SALE, SKU, "--buyer", "ada", "--quantity", "2")

    assert "this buyer has 1 unit of phone already; with these it would be more" in done.stderr
    shop.finished("order", "reserve", SALE, SKU, "--buyer", "ada")


def test_a_refusal_is_told_to_programs_as_well(shop: Shop) -> None:
    shop.open(quantity=1)

    done = shop.cli.run("order", "reserve", SALE, SKU, "--buyer", "ada", "--quantity", "2", "--json")

    assert done.exit_code == 4
    assert done.json().items() >= {"code": "SOLD_OUT", "available": 1, "position": "1-3"}.items()


#: status → verb → what comes of it: an exit code, and what is said
OUTCOMES = {
    "unknown": {
        "confirm": (3, "has no order"),
        "cancel": (3, "has no order"),
        "refund": (3, "has no order"),
        "show": (3, "has no order"),
    },
    "held": {
        "refund": (4, "is held and cannot be refunded; it is not paid yet"),
        "cancel": (0, "is cancelled, its units are on sale again"),
    },
    "confirmed": {
        "confirm": (0, "The same answer again: order 0-aaaaaaaa is paid"),
        "cancel": (4, "is confirmed and cannot be cancelled; it is paid: `order refund`"),
        "refund": (0, "is refunded, its units are on sale again"),
    },
    "cancelled": {
        "cancel": (0, "The same answer again"),
        "refund": (4, "cannot be refunded; it was not paid; if it is now, `order confirm` records that"),
    },
    "expired": {
        "cancel": (4, "is expired and cannot be cancelled; it was not paid in time"),
        "refund": (4, "is expired and cannot be refunded"),
        "confirm": (0, "its hold had expired, but its units were still there"),
    },
    "refund_due": {
        "confirm": (4, "was paid after it was cancelled, or after its hold expired and nothing was left"),
        "cancel": (4, "is refund_due and cannot be cancelled; it was paid too late: `order refund`"),
        "refund": (0, "is refunded, it held no units any more"),
    },
    "refunded": {
        "confirm": (
            4,
            "is refunded and cannot be confirmed; if this is another payment than the one that went",
        ),
        "cancel": (4, "is refunded and cannot be cancelled; that is final"),
        "refund": (0, "The same answer again"),
        "refund --keep": (4, "was refunded before, and its units went back on sale"),
    },
}


@pytest.mark.parametrize("status", OUTCOMES)
def test_every_verb_in_every_state_of_an_order(shop: Shop, status: str) -> None:
    bring_to(shop, status)
    for verb, (exit_code, sentence) in OUTCOMES[status].items():
        name, *options = verb.split()
        args = ("order", name, SALE, ORDER, *options)
        done = shop.refused(exit_code, *args) if exit_code else shop.finished(*args)
        assert sentence in done.stderr, f"{verb} of an order that is {status}"


def test_a_payment_that_comes_too_late_is_recorded_and_told(shop: Shop) -> None:
    bring_to(shop, "expired")
    shop.execute(Reserve("0-bbbbbbbb", "bob", SKU))

    done = shop.cli.run("order", "confirm", SALE, ORDER, "--json")

    assert done.exit_code == 4
    assert done.json()["code"] == "REFUND_DUE"
    assert f"`flashsale order refund {SALE} {ORDER}`" in done.stderr


def test_a_payment_of_an_order_that_was_cancelled_is_recorded_told_and_settled(shop: Shop) -> None:
    bring_to(shop, "cancelled")

    done = shop.cli.run("order", "confirm", SALE, ORDER, "--json")

    assert done.exit_code == 4
    assert done.json().items() >= {"code": "REFUND_DUE", "position": "1-6", "repeated": False}.items()
    assert f"the money must go back; `flashsale order refund {SALE} {ORDER}`" in done.stderr
    again = shop.cli.run("order", "confirm", SALE, ORDER, "--json")
    assert (again.exit_code, again.json()["position"], again.json()["repeated"]) == (4, "1-6", True)
    assert "it held no units any more" in shop.finished("order", "refund", SALE, ORDER).stderr
    shop.project()
    shown = shop.finished("order", "show", SALE, ORDER, "--json").json()
    assert (shown["status"], shown["postgres"]["status"]) == ("refunded", "refunded")
    (item,) = shop.finished("sale", "show", SALE, "--json").json()["items"]
    assert (item["available"], item["returned"]) == (1, 0)


def test_refund_may_keep_the_units_out_of_the_sale(shop: Shop) -> None:
    bring_to(shop, "confirmed")

    assert "its units stay out of the sale" in shop.finished("order", "refund", SALE, ORDER, "--keep").stderr
    (item,) = shop.finished("sale", "show", SALE, "--json").json()["items"]
    assert (item["available"], item["returned"]) == (0, 1)
