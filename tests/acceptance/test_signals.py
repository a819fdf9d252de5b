"""Ctrl-C, wherever it comes: exit code 130, no traceback, and the truth about what may have been done."""

from __future__ import annotations

import signal

import pytest

from flashsale.commands import Reserve
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.fixtures.processes import Background, Finished
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until

ORDER = "0-aaaaaaaa"
NEW = "0-bbbbbbbb"


def interrupted(running: Background) -> Finished:
    running.send(signal.SIGINT)
    done = running.wait()
    assert done.exit_code == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("args", "sign_of_life"),
    [
        (("sale", "watch", SALE, "--interval", "10s"), "available 9"),
        (("sale", "watch", SALE, "--json"), '"available":9'),
        (("events", "tail", SALE, "--follow"), "order.reserved"),
        (("events", "tail", SALE, "--follow", "--json"), "order.reserved"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_that_runs_until_ctrl_c(shop: Shop, args: tuple[str, ...], sign_of_life: str) -> None:
    shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU))
    running = shop.cli.start(*args)
    running.wait_for_output(sign_of_life)

    assert interrupted(running).stderr == ""


@pytest.mark.parametrize(
    "args",
    [
        ("sale", "list"),
        ("sale", "show", SALE),
        ("order", "show", SALE, ORDER),
        ("events", "export", SALE),
        ("events", "show", SALE, "1"),
        ("projector", "status"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_ctrl_c_while_a_reading_command_waits_for_redis(
    shop: Shop, redis_proxy: Proxy, args: tuple[str, ...]
) -> None:
    shop.open()
    running = start_and_stall(shop, redis_proxy, b"", args)

    assert interrupted(running).stdout == ""


@pytest.mark.parametrize(
    ("args", "advice"),
    [
        (("sale", "open", SALE), "`flashsale sale show drop`"),
        (("sale", "restock", SALE, SKU, "+1", "--request-id", "r1"), "--request-id r1"),
        (("order", "reserve", SALE, SKU, "--buyer", "ada", "--order", NEW), f"--order {NEW}"),
        (("order", "confirm", SALE, ORDER), "ask again"),
        (("order", "cancel", SALE, ORDER), "ask again"),
        (("order", "refund", SALE, ORDER), "ask again"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_ctrl_c_while_a_writing_command_waits_for_its_answer(
    shop: Shop, redis_proxy: Proxy, args: tuple[str, ...], advice: str
) -> None:
    shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU))
    running = start_and_stall(shop, redis_proxy, b"EVALSHA", args)

    done = interrupted(running)

    assert done.stdout == ""
    assert "Interrupted: this may or may not have been done" in done.stderr
    assert advice in done.stderr


def start_and_stall(shop: Shop, proxy: Proxy, when: bytes, args: tuple[str, ...]) -> Background:
    """Start a command and let it wait for a reply of Redis that does not come."""
    proxy.behave(Mode.BLACK_HOLE, when=when)
    shop.cli.env["FLASHSALE_REDIS_URL"] = proxy.url
    shop.cli.env["FLASHSALE_REPLY_TIMEOUT_MS"] = "60000"
    running = shop.cli.start(*args)
    wait_until(lambda: proxy.counts.swallowed, 20, f"{running} waits for Redis")
    return running


def test_ctrl_c_while_a_definition_waits_for_a_lock(shop: Shop) -> None:
    (shop.cli.home / "drop.toml").write_text(shop.finished("sale", "example").stdout, encoding="utf-8")
    before = shop.everything()
    with shop.connection.transaction():
        shop.connection.execute(b"LOCK TABLE sale_items")
        running = shop.cli.start("sale", "define", "drop.toml")
        wait_until(lambda: waiting(shop), 20, "it waits for the lock")
        interrupted(running)

    assert shop.everything() == before


def waiting(shop: Shop) -> int:
    ((count,),) = shop.connection.execute(
        b"SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
        b" WHERE NOT granted AND datname = current_database()"
    ).fetchall()
    return int(count)
