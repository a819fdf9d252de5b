"""`flashsale sweeper run`: unpaid holds end by themselves."""

from __future__ import annotations

import signal

import pytest

from flashsale.commands import Confirm, Reserve
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.helpers import wait_until


def available(shop: Shop) -> int:
    return shop.client.snapshot(SALE).state.stock[SKU].available


def test_holds_end_in_time_and_their_units_are_sold_again(shop: Shop) -> None:
    shop.open(hold_ms=1_000)
    shop.execute(Reserve("0-aaaaaaaa", "ada", SKU, 3), Reserve("0-bbbbbbbb", "bob", SKU, 2))
    shop.execute(Confirm("0-bbbbbbbb"))

    shop.cli.start("sweeper", "run", "--name", "broom")
    wait_until(lambda: available(shop) == 8, 15, "the unpaid hold ends")

    ended = shop.finished("events", "tail", SALE, "-n", "1", "--json").json()
    assert (ended["type"], ended["order_id"], ended["by"]) == ("order.expired", "0-aaaaaaaa", "broom")
    assert ended["at_ms"] - shop.client.snapshot(SALE).state.opens_ms < 10_000


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_leaves_when_asked(shop: Shop, number: signal.Signals, exit_code: int) -> None:
    shop.open()
    sweeper = shop.cli.start("sweeper", "run")
    sweeper.wait_for_output("daemon_started")

    sweeper.send(number)
    done = sweeper.wait()

    assert done.exit_code == exit_code
    assert "Traceback" not in done.stderr
