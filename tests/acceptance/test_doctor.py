"""`flashsale doctor`: what is wrong with a sale, told with its numbers, and by the exit code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsale.commands import Reserve
from flashsale.keys import shard_keys
from tests.acceptance.conftest import SALE, SKU, Shop

KEYS = shard_keys(SALE, 0)


def sale_checks(shop: Shop) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and for each sale verdict and finding."""
    done = shop.cli.run("doctor", "--json")
    checks = {check["name"]: (check["verdict"], check["found"]) for check in done.json()["checks"]}
    return done.exit_code, {name: found for name, found in checks.items() if name.startswith("sale")}


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """A sale with three orders, all of it in Postgres."""
    shop.define()
    shop.finished("sale", "warm", SALE)
    shop.finished("sale", "open", SALE)
    shop.execute(*(Reserve(f"0-aaaaaaa{n}", "ada", SKU) for n in range(3)))
    shop.project()
    return shop


def test_a_sale_that_is_well(sold: Shop) -> None:
    exit_code, found = sale_checks(sold)

    assert found == {"sales": ("ok", "every log is whole, nothing waits")}
    assert exit_code == 0


def test_a_sale_that_nobody_applies(sold: Shop) -> None:
    sold.execute(Reserve("0-bbbbbbbb", "bob", SKU))

    exit_code, found = sale_checks(sold)

    assert found == {f"sale {SALE}": ("warn", "no projector, 1 event(s) behind")}
    assert exit_code == 0


def flush(shop: Shop) -> None:
    shop.redis.flushdb()


def forge(shop: Shop) -> None:
    shop.redis.execute_command("XADD", KEYS.events, "1-7", "e", "{}")


def halt(shop: Shop) -> None:
    shop.redis.hset(KEYS.sale, "lost", "1-9")


def rewrite(shop: Shop) -> None:
    shop.redis.xtrim(KEYS.events, maxlen=0)
    shop.redis.execute_command("XSETID", KEYS.events, "1-5")
    shop.redis.execute_command("XADD", KEYS.events, "1-6", "e", "{}")


def replace(shop: Shop) -> None:
    shop.redis.set(KEYS.sale, "no hash")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (flush, "FORK: Redis has lost 6 event(s): its log ends at 0-0, Postgres knows of 1-6"),
        (forge, "FORK: the log ends at 1-7, its scripts have counted to 1-6"),
        (halt, "FORK: the log ends at 1-6, and somebody has seen 1-9"),
        (rewrite, "FORK at 1-6: Postgres holds another event there than Redis"),
        (replace, "drop:0's record cannot be read"),
    ],
)
def test_a_sale_whose_log_cannot_be_right(sold: Shop, damage: Callable[[Shop], None], sentence: str) -> None:
    damage(sold)

    exit_code, found = sale_checks(sold)

    assert exit_code == 7
    ((verdict, told),) = found.values()
    assert verdict == "halted"
    assert told.startswith(sentence)
    assert f"see `flashsale recover {SALE}`" in sold.cli.run("doctor").stderr


def test_a_sale_that_was_lost_before_its_first_projection(shop: Shop) -> None:
    shop.define()
    shop.finished("sale", "warm", SALE)
    shop.redis.flushdb()

    exit_code, found = sale_checks(shop)

    assert exit_code == 7
    assert "its log ends at 0-0, Postgres knows of 1-1" in found[f"sale {SALE}"][1]


def test_an_archiving_that_was_interrupted(sold: Shop) -> None:
    sold.connection.execute("UPDATE sales SET archived_at = now()")

    exit_code, found = sale_checks(sold)

    assert exit_code == 7
    assert "Redis still has it" in found[f"sale {SALE}"][1]
    assert f"flashsale sale archive {SALE}" in sold.cli.run("doctor").stderr
