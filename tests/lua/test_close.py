"""close: a sale ends for good, while what was begun can be ended."""

import pytest

from tests.lua.kit import HOUR_MS, SHORT_HOLD_MS, Shard


@pytest.mark.parametrize("then", [(), ("open 0",), ("open 0", "pause")])
def test_a_sale_closes_from_every_state(shard: Shard, then: tuple[str, ...]) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))

    result = shard.run("close")

    assert result.answers == [f"CLOSED {shard.head()}"]
    assert shard.types()[-1] == "sale.closed"
    assert shard.reserve("0-first") == f"CLOSED {shard.head()}"


@pytest.mark.parametrize("then", [(), ("open 0",), ("open 0", "pause")])
def test_a_sale_that_its_clock_closed_is_closed_for_good(shard: Shard, then: tuple[str, ...]) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))
    shard.pass_closing_time()

    assert shard.run("close").answers == [f"CLOSED {shard.head()}"]
    assert shard.types()[-1] == "sale.closed"
    assert shard.run("reconfigure", "-", 0, "-").answer == f"WRONG_STATE {shard.head()} closed"


def test_a_second_time_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("close")

    assert shard.run("close").answer == "WRONG_STATE 1-4 closed"


def test_a_closed_sale_cannot_be_changed(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("close")

    for command in ("open 1", "pause", "resume", "reconfigure - - 5000", "restock r-1 add A 1"):
        assert shard.run(*command.split(" ")).answers == ["WRONG_STATE 1-4 closed"]


def test_a_repeat_still_gets_its_answer(shard: Shard) -> None:
    shard.sell(("A", 5))
    answer = shard.reserve("0-first")
    shard.run("close")

    assert shard.reserve("0-first") == f"{answer} held"


def test_what_was_begun_can_be_ended(shard: Shard) -> None:
    shard.sell(("A", 5), hold=SHORT_HOLD_MS)
    for order in ("0-paid", "0-back", "0-gone"):
        shard.reserve(order)
    shard.run("close")
    shard.wait_until_overdue()

    assert shard.resolve("confirm", "0-paid") == ["CONFIRMED 1-8 0"]
    assert shard.refund("0-paid") == "REFUNDED 1-9 restock"
    assert shard.resolve("cancel", "0-back") == ["CANCELLED 1-10 0"]
    assert shard.run("expire", 10).answers == ["EXPIRED 1-11 1 0", "0-gone"]
    assert shard.resolve("confirm", "0-gone") == ["CONFIRMED 1-12 1"]


def test_a_state_that_nobody_knows_is_not_closed(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.damage("HSET", shard.keys.sale, "state", "ajar")

    assert shard.run("close").answer == "WRONG_STATE 1-3 ajar"


def test_a_closed_sale_does_not_open_by_its_clock(shard: Shard) -> None:
    shard.load(("A", 5), opens=shard.now_ms() - HOUR_MS)
    shard.run("close")

    assert shard.reserve("0-first") == "CLOSED 1-3"
