"""`flashsale recover`: what an operator sees and types after Redis lost a sale's log; killed at each of its steps."""

from __future__ import annotations

import pytest

from flashsale.client import Client
from flashsale.commands import Close, Code, Confirm, Open
from flashsale.projections import catalog
from tests.acceptance.conftest import SALE, SKU, Shop, assert_one_sentence
from tests.acceptance.recover_kit import UNITS, sell_out, selling

__all__ = ["selling"]


def test_what_an_operator_sees_and_types(selling: Shop) -> None:
    selling.redis.flushall()

    told = selling.cli.run("recover", SALE)

    assert told.exit_code == 7
    assert "Postgres  has applied 1-7" in told.stdout
    assert "FORK of drop:0: Redis has lost 7 events behind 0-0" in told.stdout
    assert "0-order-0-aaaa         buyer-0" in told.stdout
    assert told.stderr.splitlines() == ["Nothing was changed.", "Next: flashsale recover drop --yes"]
    assert not selling.redis.keys("*"), "only said"

    done = selling.finished("recover", SALE, "--yes")

    assert "log           was founded anew, up to 2-1" in done.stdout
    assert "drop goes on at 2-1, in epoch 2." in done.stderr
    assert "Next: flashsale reconcile drop" in done.stderr
    again = selling.finished("recover", SALE, "--yes")
    assert "Nothing of drop is lost: there is nothing to recover." in again.stderr
    sell_out(selling)


def test_json_says_all_of_it(selling: Shop) -> None:
    whole = selling.finished("recover", SALE, "--json").json()
    selling.redis.flushall()
    lost = selling.cli.run("recover", SALE, "--json")
    done = selling.finished("recover", SALE, "--yes", "--json").json()

    assert (whole["whole"], whole["done"], whole["position"]) == (True, False, "1-7")
    assert lost.exit_code == 7
    assert (lost.json()["done"], lost.json()["events_lost_in_redis"]) == (False, 7)
    assert lost.json()["orders_lost_in_redis"] == [f"0-order-{n}-aaaa" for n in (0, 1, 2)]
    assert (done["done"], done["position"], done["left_out"]) == (True, "2-1", [])


def oversold(shop: Shop) -> list[str]:
    """Redis is warmed again by who knows nothing, and sells all units once more."""
    shop.redis.flushall()
    with Client(shop.cli.env["FLASHSALE_REDIS_URL"]) as ignorant:
        definition = catalog.get(shop.connection, SALE)
        ignorant.control(SALE, definition.load())
        ignorant.control(SALE, Open(at_once=True))
        orders = [f"0-there-{n:02d}-aaaa" for n in range(UNITS)]
        for order in orders:
            assert ignorant.reserve(SALE, order, "zoe", SKU).code is Code.RESERVED
        assert ignorant.confirm(SALE, orders[-1]).code is Code.CONFIRMED
    return orders


def test_orders_that_cannot_be_kept_are_named_and_left_to_the_operator(selling: Shop) -> None:
    theirs = oversold(selling)
    told = selling.cli.run("recover", SALE)
    before = selling.everything()
    refused = selling.cli.run("recover", SALE, "--yes")

    assert (told.exit_code, refused.exit_code) == (7, 4)
    assert "Next: flashsale recover drop --yes --leave-out" in told.stderr
    assert "5 acknowledged request(s) of the other log cannot be kept" in refused.stderr
    assert_one_sentence(refused)
    assert selling.everything() == before

    done = selling.finished("recover", SALE, "--yes", "--leave-out", "--json").json()

    orders = [left for left in done["left_out"] if left["order"]]
    assert [left["order"] for left in orders] == theirs[:-4:-1]
    assert [left["paid"] for left in orders] == [True, False, False]
    sell_out(selling)


def test_a_sale_that_nothing_is_lost_of(shop: Shop) -> None:
    shop.define()
    unwarmed = shop.finished("recover", SALE)
    shop.finished("sale", "warm", SALE)
    warm = shop.finished("recover", SALE, "--yes")

    for done in (unwarmed, warm):
        assert "there is nothing to recover" in done.stderr


@pytest.mark.parametrize(
    ("args", "exit_code", "sentence"),
    [
        (("nothing",), 3, "sale nothing is not defined"),
        (("NOTHING",), 2, "NOTHING"),
        (("",), 2, "sale"),
        (("drop", "--yes", "--no"), 2, "--no"),
        ((), 2, "SALE"),
    ],
)
@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_bad_input(
    shop: Shop, args: tuple[str, ...], exit_code: int, sentence: str, yes: tuple[str, ...]
) -> None:
    shop.define()
    assert sentence in shop.refused(exit_code, "recover", *args, *yes).stderr


def test_an_archived_sale_is_over(selling: Shop) -> None:
    selling.execute(*(Confirm(f"0-order-{n}-aaaa") for n in (1, 2)))
    selling.control(Close())
    selling.project()
    selling.finished("sale", "archive", SALE)

    assert "is archived: it is over" in selling.refused(4, "recover", SALE, "--yes").stderr
    selling.redis.flushall()
    assert "is archived: it is over" in selling.refused(4, "recover", SALE).stderr


@pytest.mark.parametrize("server", ["REDIS", "POSTGRES"])
def test_a_server_that_is_away(selling: Shop, server: str) -> None:
    there = dict(selling.cli.env)
    away = "unix:///nonexistent" if server == "REDIS" else "postgresql:///x?host=/nonexistent"
    selling.redis.flushall()
    for args in (("recover", SALE), ("recover", SALE, "--yes")):
        selling.cli.env[f"FLASHSALE_{server}_URL"] = away
        before = selling.everything()
        done = selling.cli.run(*args)
        assert done.exit_code == 5
        assert_one_sentence(done)
        assert selling.everything() == before
    selling.cli.env = there
    selling.finished("recover", SALE, "--yes")
    sell_out(selling)
