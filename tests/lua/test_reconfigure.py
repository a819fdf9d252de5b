"""reconfigure: window, hold and limits of a sale that is not closed."""

import pytest

from flashsale.events.types import SaleReconfigured
from tests.lua import malformed
from tests.lua.kit import HOUR_MS, Shard

LATE_MS = 9_000_000_000_000


def test_it_changes_what_it_is_given_and_says_what_holds_now(shard: Shard) -> None:
    shard.load(("A", 5, 1), ("B", 5, 2))

    result = shard.run("reconfigure", 1_000, LATE_MS, 5_000, "A", 3, "B", 0, by="desk")

    assert result.answers == ["RECONFIGURED 1-4"]
    assert shard.newest() == SaleReconfigured(
        1, result.now_ms, "desk", 1_000, LATE_MS, 5_000, (("A", 3), ("B", 0))
    )
    state = shard.check()
    assert (state.opens_ms, state.closes_ms, state.hold_ms) == (1_000, LATE_MS, 5_000)
    assert (state.stock["A"].limit, state.stock["B"].limit) == (3, 0)


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (("-", "-", "-"), (1_000, 2_000, 3_000)),
        ((1_500, "-", "-"), (1_500, 2_000, 3_000)),
        ((0, "-", "-"), (0, 2_000, 3_000)),
        (("-", 1_001, "-"), (1_000, 1_001, 3_000)),
        (("-", 0, "-"), (1_000, 0, 3_000)),
        (("-", "-", 1), (1_000, 2_000, 1)),
    ],
)
def test_a_dash_leaves_a_value_as_it_is(
    shard: Shard, change: tuple[int | str, ...], after: tuple[int, int, int]
) -> None:
    shard.load(("A", 5), opens=1_000, closes=2_000, hold=3_000)

    assert shard.run("reconfigure", *change).answer == "RECONFIGURED 1-3"
    state = shard.check()
    assert (state.opens_ms, state.closes_ms, state.hold_ms) == after


@pytest.mark.parametrize("then", [(), ("open 0",), ("open 0", "pause")])
def test_the_state_stays(shard: Shard, then: tuple[str, ...]) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))
    status = shard.snapshot().state.status

    assert shard.run("reconfigure", "-", LATE_MS, "-").words == ["RECONFIGURED"]
    assert shard.snapshot().state.status == status


@pytest.mark.parametrize("closes", [0, LATE_MS])
def test_a_later_closing_time_opens_a_sale_that_its_clock_closed(shard: Shard, closes: int) -> None:
    shard.sell(("A", 5))
    shard.pass_closing_time()
    assert shard.reserve("0-first") == "CLOSED 1-4"

    assert shard.run("reconfigure", "-", closes, "-").answer == "RECONFIGURED 1-5"
    assert shard.reserve("0-first").startswith("RESERVED")


def test_a_later_closing_time_does_not_end_a_pause(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("pause")
    shard.pass_closing_time()
    shard.run("reconfigure", "-", LATE_MS, "-")

    assert shard.reserve("0-first") == "PAUSED 1-6"
    assert shard.run("resume").words == ["RESUMED"]


def test_a_new_hold_is_for_new_orders(shard: Shard) -> None:
    shard.sell(("A", 5), hold=HOUR_MS)
    old = shard.reserve("0-old")
    shard.run("reconfigure", "-", "-", 1_000)

    new = shard.run("reserve", "0-new", "ann", "A", 1)

    assert new.answer == f"RESERVED 1-6 {new.now_ms + 1_000}"
    assert shard.reserve("0-old") == f"{old} held"


def test_a_lower_limit_takes_nothing_away(shard: Shard) -> None:
    shard.sell(("A", 9, 5))
    shard.reserve("0-first", "ann", "A", 4)
    shard.run("reconfigure", "-", "-", "-", "A", 2)

    assert shard.reserve("0-second") == "LIMIT 1-5 4"
    assert shard.resolve("confirm", "0-first") == ["CONFIRMED 1-6 0"]
    assert shard.reserve("0-third", "bob", "A", 3) == "LIMIT 1-6 0"
    assert shard.reserve("0-fourth", "bob", "A", 2).startswith("RESERVED")


def test_no_limit_any_more_lets_a_buyer_go_on(shard: Shard) -> None:
    shard.sell(("A", 9, 1))
    shard.reserve("0-first")
    shard.run("reconfigure", "-", "-", "-", "A", 0)

    assert shard.reserve("0-second", "ann", "A", 8).startswith("RESERVED")


def test_a_sku_that_is_not_on_sale_changes_nothing(shard: Shard) -> None:
    shard.sell(("A", 5, 1))
    for what, sku in (malformed.IDS | {"unknown": "B"}).items():
        assert shard.run("reconfigure", 1, 2, 3, "A", 9, sku, 9).answer == "UNKNOWN_SKU 1-3", what


def test_a_sku_that_comes_twice_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))

    assert shard.error("reconfigure", "-", "-", "-", "A", 1, "A", 2).startswith("INVALID_ARGUMENT sku")


@pytest.mark.parametrize("place", [0, 1, 2], ids=["opens_ms", "closes_ms", "hold_ms"])
def test_a_malformed_time_is_refused(shard: Shard, place: int) -> None:
    shard.sell(("A", 5))
    for what, value in malformed.COUNTS.items():
        times = ["-", "-", "-"]
        times[place] = value
        assert shard.error("reconfigure", *times).startswith("INVALID_ARGUMENT"), what


def test_a_malformed_limit_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    for what, value in malformed.COUNTS.items():
        assert shard.error("reconfigure", "-", "-", "-", "A", value).startswith("INVALID_ARGUMENT limit"), (
            what
        )


@pytest.mark.parametrize("change", [(2_000, "-"), (2_001, "-"), ("-", 1_000), ("-", 999), (5, 5), (6, 5)])
def test_a_sale_that_would_close_before_it_opens_is_refused(
    shard: Shard, change: tuple[int | str, int | str]
) -> None:
    shard.load(("A", 5), opens=1_000, closes=2_000)

    assert shard.error("reconfigure", *change, "-").startswith("INVALID_ARGUMENT closes_ms")


def test_a_sale_without_a_hold_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))

    assert shard.error("reconfigure", "-", "-", 0).startswith("INVALID_ARGUMENT hold_ms")


def test_a_thousand_limits_change_at_once(shard: Shard) -> None:
    shard.sell(*((f"sku-{i}", 5, 0) for i in range(1000)))
    limits = [value for i in range(1000) for value in (f"sku-{i}", i + 1)]

    assert shard.run("reconfigure", "-", "-", "-", *limits).words == ["RECONFIGURED"]
    assert shard.check().stock["sku-999"].limit == 1000
