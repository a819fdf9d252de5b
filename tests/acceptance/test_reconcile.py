"""`flashsale reconcile`: what is printed, written and mended, and every way in which it may end."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from flashsale.commands import Cancel, Close, Confirm, Reserve
from flashsale.keys import shard_keys
from tests.acceptance.conftest import SALE, SKU, Shop, assert_one_sentence

ORDER = "0-order-one"
KEYS = shard_keys(SALE, 0)


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """A sale with two orders, one of them paid, applied to its end."""
    shop.open()
    shop.execute(Reserve(ORDER, "ann", SKU), Reserve("0-order-two", "bob", SKU))
    shop.execute(Confirm(ORDER))
    shop.project()
    return shop


def spoil(shop: Shop) -> None:
    """One difference in Redis, one in Postgres."""
    shop.redis.hset(KEYS.buyers, f"ann {SKU}", 3)
    shop.connection.execute("DELETE FROM orders WHERE order_id = %s", [ORDER])


def test_stores_that_agree(sold: Shop) -> None:
    done = sold.finished("reconcile", SALE)
    assert "agree at 1-6" in done.stdout

    (shard,) = sold.finished("reconcile", "--all", "--json").json()["shards"]
    assert (shard["sale"], shard["position"], shard["drift"]) == (SALE, "1-6", [])


def test_what_it_found_last_is_shown(sold: Shop) -> None:
    assert "compared  never" in sold.finished("sale", "show", SALE).stdout
    sold.finished("reconcile", "--all")
    assert "log, Redis and Postgres agree at 1-6" in sold.finished("sale", "show", SALE).stdout

    spoil(sold)
    sold.cli.run("reconcile", SALE)
    compared = sold.finished("sale", "show", SALE, "--json").json()["comparison"]
    assert (compared["differences"], compared["position"], compared["missed"]) == (2, "1-6", None)
    assert "drop: 2 differences between log, Redis and Postgres at 1-6" in sold.finished("top").stderr


def test_what_differs_is_printed_planned_and_mended(sold: Shop) -> None:
    spoil(sold)
    plan = sold.cli.home / "plan.json"
    before = sold.everything()

    done = sold.cli.run("reconcile", SALE, "--plan", str(plan))
    assert done.exit_code == 6
    assert "buyer-limit" in done.stdout
    assert "missing-order" in done.stdout
    assert "buyer-limit: Redis counts a buyer's units otherwise than the log\n" in done.stdout
    assert f"--apply {plan} --yes" in done.stderr
    assert sold.everything() == before
    assert [item["class"] for item in json.loads(plan.read_text())["items"]] == [
        "buyer-limit",
        "missing-order",
    ]

    mended = sold.finished("reconcile", "--apply", str(plan), "--yes", "--json").json()
    assert [item["result"] for item in mended["items"]] == ["mended", "mended"]
    sold.finished("reconcile", SALE)

    before = sold.everything()
    again = sold.finished("reconcile", "--apply", str(plan), "--yes")
    assert again.stdout.count("unchanged") == 2
    assert sold.everything() == before


def test_an_item_that_is_deleted_from_the_plan_is_left_alone(sold: Shop) -> None:
    spoil(sold)
    plan = sold.cli.home / "plan.json"
    sold.cli.run("reconcile", SALE, "--plan", str(plan))
    written = json.loads(plan.read_text())
    del written["items"][0]
    plan.write_text(json.dumps(written))

    sold.finished("reconcile", "--apply", str(plan), "--yes")
    left = sold.cli.run("reconcile", SALE, "--json")
    assert [drift["class"] for drift in left.json()["shards"][0]["drift"]] == ["buyer-limit"]


def test_an_item_that_was_edited_is_refused(sold: Shop) -> None:
    spoil(sold)
    plan = sold.cli.home / "plan.json"
    sold.cli.run("reconcile", SALE, "--plan", str(plan))
    written = json.loads(plan.read_text())
    written["items"] = [written["items"][0] | {"to": "9"}]
    plan.write_text(json.dumps(written))
    before = sold.everything()

    done = sold.cli.run("reconcile", "--apply", str(plan), "--yes")
    assert done.exit_code == 4
    assert "make a new plan" in done.stdout
    assert sold.everything() == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda item: item | {"class": "events"}, "item 1"),
        (lambda item: item | {"sale": "No Sale"}, "item 1, sale"),
        (lambda item: item | {"shard": -1}, "item 1, shard"),
        (lambda item: item | {"extra": 1}, "item 1"),
        (lambda _: {"key": "x"}, "item 1"),
        (lambda _: 7, "item 1"),
    ],
)
def test_a_plan_with_something_else_in_it_is_refused(sold: Shop, change: object, says: str) -> None:
    spoil(sold)
    plan = sold.cli.home / "plan.json"
    sold.cli.run("reconcile", SALE, "--plan", str(plan))
    written = json.loads(plan.read_text())
    written["items"][0] = change(written["items"][0])  # type: ignore[operator]  # a lambda of the list above
    plan.write_text(json.dumps(written))

    assert says in sold.refused(2, "reconcile", "--apply", str(plan), "--yes").stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", "no JSON", '{"flashsale_plan": 2, "items": []}', "\0"])
def test_a_file_that_is_no_plan_is_refused(shop: Shop, text: str) -> None:
    plan = shop.cli.home / "plan.json"
    plan.write_text(text)
    assert "it is no plan" in shop.refused(2, "reconcile", "--apply", str(plan), "--yes").stderr


@pytest.mark.parametrize(
    "args",
    [
        (),
        (SALE, "--all"),
        (SALE, "--apply", "plan.json"),
        ("--apply", "missing.json", "--yes"),
        ("--apply", ".", "--yes"),
        (SALE, "--watch", "1ms"),
        (SALE, "--watch", "often"),
        (SALE, "--watch", "1s", "--plan", "p.json"),
        (SALE, "--timeout", "soon"),
        ("NO SALE",),
    ],
)
def test_what_makes_no_sense_is_refused(shop: Shop, args: tuple[str, ...]) -> None:
    shop.refused(2, "reconcile", *args)


def test_a_plan_is_not_applied_without_yes(shop: Shop) -> None:
    plan = shop.cli.home / "plan.json"
    plan.write_text('{"flashsale_plan": 1, "items": []}')
    assert "add --yes" in shop.refused(2, "reconcile", "--apply", str(plan)).stderr


def test_a_plan_is_never_overwritten(sold: Shop) -> None:
    spoil(sold)
    plan = sold.cli.home / "plan.json"
    plan.write_text("mine")
    assert "there is such a file already" in sold.refused(2, "reconcile", SALE, "--plan", str(plan)).stderr
    assert plan.read_text() == "mine"


def test_without_a_difference_no_plan_is_written(sold: Shop) -> None:
    plan: Path = sold.cli.home / "plan.json"
    assert "no plan was written" in sold.finished("reconcile", SALE, "--plan", str(plan)).stderr
    assert not plan.exists()


def test_a_sale_that_is_not_defined(shop: Shop) -> None:
    shop.refused(3, "reconcile", "nowhere")


def test_a_sale_that_is_not_warm(shop: Shop) -> None:
    shop.define()
    assert "not warm" in shop.finished("reconcile", SALE).stdout


def test_a_sale_that_is_archived(sold: Shop) -> None:
    sold.control(Close())
    for order in sold.connection.execute("SELECT order_id FROM orders WHERE status = 'held'").fetchall():
        sold.execute(Cancel(order[0]))
    sold.project()
    sold.finished("sale", "archive", SALE)

    assert "archived" in sold.finished("reconcile", SALE).stdout


def test_a_state_that_somebody_wrote_hides_no_drift(sold: Shop) -> None:
    sold.redis.hset(KEYS.sale, "state", "archived")
    assert sold.cli.run("reconcile", SALE).exit_code == 6


def test_without_a_projector(shop: Shop) -> None:
    shop.open()
    done = shop.cli.run("reconcile", SALE, "--timeout", "100ms")
    assert done.exit_code == 5
    assert "is a projector running?" in done.stderr


def test_a_log_that_is_lost(sold: Shop) -> None:
    sold.redis.flushdb()
    done = sold.cli.run("reconcile", SALE)
    assert done.exit_code == 7
    assert "Redis lost events" in done.stderr
    assert "Traceback" not in done.stderr
    shard = sold.cli.run("reconcile", SALE, "--json").json()["shards"][0]
    assert [drift["class"] for drift in shard["drift"]] == ["fork"]

    plan = sold.cli.home / "plan.json"
    item = {"sale": SALE, "shard": 0, "class": "buyer-limit", "key": "ann phone", "from": "1", "to": "2"}
    plan.write_text(json.dumps({"flashsale_plan": 1, "items": [item]}))
    assert "flashsale recover" in sold.refused(7, "reconcile", "--apply", str(plan), "--yes").stderr


def test_a_key_of_another_type(sold: Shop) -> None:
    sold.redis.set(KEYS.buyers, "foreign")
    done = sold.cli.run("reconcile", SALE)
    assert done.exit_code == 7
    assert "Traceback" not in done.stderr


def test_servers_that_are_away(cli_without_servers: Shop) -> None:
    done = cli_without_servers.cli.run("reconcile", SALE)
    assert done.exit_code == 5
    assert_one_sentence(done)


@pytest.fixture
def cli_without_servers(shop: Shop) -> Shop:
    """Commands that find no Redis."""
    shop.define()
    shop.cli.env["FLASHSALE_REDIS_URL"] = "redis://127.0.0.1:1/0"
    return shop


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_watches_until_it_is_told_to_stop(sold: Shop, number: signal.Signals, exit_code: int) -> None:
    watch = sold.cli.start("reconcile", "--all", "--watch", "1s", "--log-format", "json")
    watch.wait_for_output("reconciled")
    spoil(sold)
    watch.wait_for_output("drift_found")
    watch.send(number)
    assert watch.wait().exit_code == exit_code
    assert "missing-order" in watch.stderr


def test_it_does_not_wait_for_a_projector_when_it_is_told_to_stop(shop: Shop) -> None:
    shop.open()
    watch = shop.cli.start("reconcile", SALE, "--watch", "1s", "--timeout", "1h", "--log-format", "json")
    watch.wait_for_output("daemon_started")
    assert watch.stop().exit_code == 0


def test_it_watches_on_while_redis_is_away(cli_without_servers: Shop) -> None:
    watch = cli_without_servers.cli.start("reconcile", "--all", "--watch", "1s", "--log-format", "json")
    watch.wait_for_output("daemon_degraded")
    assert watch.stop().exit_code == 0
