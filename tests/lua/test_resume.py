"""resume: a paused sale sells again, within its window."""

import pytest

from tests.lua.kit import HOUR_MS, Shard


def test_a_resumed_sale_sells_again(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("pause")

    assert shard.run("resume").answers == ["RESUMED 1-5"]
    assert shard.types()[-1] == "sale.resumed"
    assert shard.reserve("0-first").startswith("RESERVED 1-6")


def test_a_resumed_sale_keeps_its_window(shard: Shard) -> None:
    opens_ms = shard.now_ms() + HOUR_MS
    shard.load(("A", 5), opens=opens_ms)
    shard.run("pause")
    shard.run("resume")

    assert shard.reserve("0-first") == f"NOT_OPEN 1-4 {opens_ms}"


@pytest.mark.parametrize(
    ("then", "state"), [((), "warm"), (("open 0",), "open"), (("open 0", "close"), "closed")]
)
def test_only_a_paused_sale_resumes(shard: Shard, then: tuple[str, ...], state: str) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))

    assert shard.run("resume").answer == f"WRONG_STATE {shard.head()} {state}"


def test_a_second_time_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("pause")
    shard.run("resume")

    assert shard.run("resume").answer == "WRONG_STATE 1-5 open"


def test_a_sale_that_its_clock_closed_in_the_pause_does_not_resume(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("pause")
    shard.pass_closing_time()

    assert shard.run("resume").answer == "WRONG_STATE 1-5 closed"
    assert shard.run("reserve", "0-first", "ann", "A", 1).answer == "CLOSED 1-5"


def test_a_sale_that_would_open_by_its_clock_waits_for_it(shard: Shard) -> None:
    shard.load(("A", 5), opens=shard.now_ms() + HOUR_MS)

    assert shard.run("resume").answer == "WRONG_STATE 1-2 scheduled"
    shard.run("pause")
    shard.run("resume")
    assert shard.run("resume").answer == "WRONG_STATE 1-4 scheduled"


def test_a_sale_that_its_clock_opened_is_open(shard: Shard) -> None:
    shard.load(("A", 5), opens=1_000)

    assert shard.run("resume").answer == "WRONG_STATE 1-2 open"
