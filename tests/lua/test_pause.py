"""pause: no new reservations, while what was begun can be ended."""

from typing import Any

import pytest

from flashsale.events import decode, why_of
from flashsale.events.types import SalePaused
from tests.lua.kit import HOUR_MS, SHORT_HOLD_MS, Shard


def test_a_paused_sale_takes_no_reservation(shard: Shard) -> None:
    shard.sell(("A", 5))

    assert shard.run("pause").answers == ["PAUSED 1-4"]
    assert shard.types()[-1] == "sale.paused"
    assert (
        shard.run("reserve", "0-first", "ann", "A", 1, "0-other", "bob", "X", 9).answers == ["PAUSED 1-4"] * 2
    )


@pytest.mark.parametrize(
    "why", ["the price is wrong", 'a "quote" and a \\', "Preis für 1 € ist falsch 🙈", "x" * 200]
)
def test_the_log_says_why(shard: Shard, why: str) -> None:
    shard.sell(("A", 5))

    assert shard.run("pause", f"why:{why}").answers == ["PAUSED 1-4"]

    newest: Any = shard.redis.xrevrange(shard.keys.events, count=1)
    ((_, fields),) = newest
    body = fields[b"e"]
    assert why_of(body) == why
    assert type(decode(body)) is SalePaused


@pytest.mark.parametrize(
    "why",
    [
        "",
        "x" * 201,
        "a\nb",
        "a\x7f",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xe1\xc3\xa8\xa8\xa8",
        b"\xf5\x80\x80\x80",
    ],
)
def test_a_why_that_nobody_could_read_is_refused(shard: Shard, why: str | bytes) -> None:
    shard.sell(("A", 5))

    text = why if isinstance(why, bytes) else why.encode()
    assert shard.error("pause", b"why:" + text).startswith("INVALID_ARGUMENT why")


def test_only_a_pause_says_why(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("pause")

    assert shard.error("resume", "why:it is mended").startswith("INVALID_ARGUMENT ARGV: 3 values")
    assert shard.error("close", "why:it is over").startswith("INVALID_ARGUMENT ARGV: 3 values")


def test_a_repeat_still_gets_its_answer(shard: Shard) -> None:
    shard.sell(("A", 5))
    answer = shard.reserve("0-first")
    shard.run("pause")

    assert shard.reserve("0-first") == f"{answer} held"


def test_what_was_begun_can_be_ended(shard: Shard) -> None:
    shard.sell(("A", 5), hold=SHORT_HOLD_MS)
    for order in ("0-paid", "0-back", "0-gone"):
        shard.reserve(order)
    shard.run("pause")
    shard.wait_until_overdue()

    assert shard.resolve("confirm", "0-paid") == ["CONFIRMED 1-8 0"]
    assert shard.refund("0-paid") == "REFUNDED 1-9 restock"
    assert shard.resolve("cancel", "0-back") == ["CANCELLED 1-10 0"]
    assert shard.run("expire", 10).answers == ["EXPIRED 1-11 1 0", "0-gone"]
    assert shard.counters() == (5, 0, 0, 0)


def test_a_warm_sale_that_would_open_by_its_clock_can_be_paused(shard: Shard) -> None:
    shard.load(("A", 5), opens=shard.now_ms() + HOUR_MS)

    assert shard.run("pause").answer == "PAUSED 1-3"


def test_a_warm_sale_that_a_person_opens_cannot_be_paused(shard: Shard) -> None:
    """To resume it would open it by the back door."""
    shard.load(("A", 5))

    assert shard.run("pause").answer == "WRONG_STATE 1-2 warm"


@pytest.mark.parametrize(("command", "state"), [("pause", "paused"), ("close", "closed")])
def test_a_sale_that_does_not_sell_cannot_be_paused(shard: Shard, command: str, state: str) -> None:
    shard.sell(("A", 5))
    shard.run(command)

    assert shard.run("pause").answer == f"WRONG_STATE 1-4 {state}"


def test_a_state_that_nobody_knows_is_not_paused(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.damage("HSET", shard.keys.sale, "state", "ajar")

    assert shard.run("pause").answer == "WRONG_STATE 1-3 ajar"


@pytest.mark.parametrize("then", [(), ("open 0",)])
def test_a_sale_that_its_clock_closed_cannot_be_paused(shard: Shard, then: tuple[str, ...]) -> None:
    shard.load(("A", 5), opens=1_000)
    for command in then:
        shard.run(*command.split(" "))
    shard.pass_closing_time()

    assert shard.run("pause").answer == f"WRONG_STATE {shard.head()} closed"
