"""open: a warm sale sells, at once or from its opening time on."""

import pytest

from tests.lua.kit import HOUR_MS, Shard


def test_a_sale_without_an_opening_time_opens_now(shard: Shard) -> None:
    shard.load(("A", 5))

    result = shard.run("open", 0)

    assert result.answers == [f"OPENED 1-3 {result.now_ms}"]
    assert shard.types()[-1] == "sale.opened"
    assert shard.check().opens_ms == result.now_ms
    assert shard.reserve("0-first").startswith("RESERVED")


def test_an_opening_time_to_come_is_kept(shard: Shard) -> None:
    opens_ms = shard.now_ms() + HOUR_MS
    shard.load(("A", 5), opens=opens_ms)

    assert shard.run("open", 0).answer == f"OPENED 1-3 {opens_ms}"
    assert shard.reserve("0-first") == f"NOT_OPEN 1-3 {opens_ms}"


def test_an_opening_time_to_come_is_ignored_when_told_so(shard: Shard) -> None:
    shard.load(("A", 5), opens=shard.now_ms() + HOUR_MS)

    result = shard.run("open", 1)

    assert result.answer == f"OPENED 1-3 {result.now_ms}"
    assert shard.reserve("0-first").startswith("RESERVED")


@pytest.mark.parametrize("at_once", [0, 1])
def test_an_opening_time_that_has_passed_is_kept(shard: Shard, at_once: int) -> None:
    shard.load(("A", 5), opens=1_000)

    assert shard.run("open", at_once).answer == "OPENED 1-3 1000"


@pytest.mark.parametrize(
    ("then", "state"), [(("open 0",), "open"), (("open 0", "pause"), "paused"), (("close",), "closed")]
)
def test_only_a_warm_sale_opens(shard: Shard, then: tuple[str, ...], state: str) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))

    assert shard.run("open", 1).answer == f"WRONG_STATE {shard.head()} {state}"


def test_a_sale_whose_closing_time_has_passed_does_not_open(shard: Shard) -> None:
    shard.load(("A", 5), closes=1_000)

    assert shard.run("open", 1).answer == "WRONG_STATE 1-2 closed"


def test_a_paused_sale_that_its_clock_closed_is_closed(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("pause")
    shard.pass_closing_time()

    assert shard.run("open", 1).answer == "WRONG_STATE 1-5 closed"


def test_a_sale_that_was_opened_and_waits_for_its_time_is_not_called_open(shard: Shard) -> None:
    shard.load(("A", 5), opens=shard.now_ms() + HOUR_MS)
    shard.run("open", 0)

    assert shard.run("open", 1).answer == "WRONG_STATE 1-3 scheduled"


@pytest.mark.parametrize("at_once", ["", "2", "-1", "01", "true", "1 ", "1\n", "nan"])
def test_a_malformed_flag_is_refused(shard: Shard, at_once: str) -> None:
    shard.load(("A", 5))

    assert shard.error("open", at_once).startswith("INVALID_ARGUMENT now")
