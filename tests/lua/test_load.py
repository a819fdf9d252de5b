"""load: a defined sale is warmed once."""

import pytest

from flashsale.ids import CAPACITY_MAX
from tests.lua import malformed
from tests.lua.kit import HOUR_MS, Shard

#: window and hold of a sale that a person opens
TIMES = (0, 0, HOUR_MS)


def test_it_begins_the_log_and_puts_the_stock_on_the_shelf(shard: Shard) -> None:
    result = shard.run("load", 1_000, 2_000, 3_000, "A", 5, 2, "B", 7, 0)

    assert result.answers == ["LOADED 1-3"]
    assert result.position == "1-3"
    assert shard.types() == ["sale.loaded", "stock.loaded", "stock.loaded"]
    state = shard.check()
    assert (state.status, state.opens_ms, state.closes_ms, state.hold_ms) == ("warm", 1_000, 2_000, 3_000)
    assert (state.stock["A"].available, state.stock["A"].limit) == (5, 2)
    assert (state.stock["B"].available, state.stock["B"].limit) == (7, 0)


@pytest.mark.parametrize(
    ("then", "state"),
    [((), "warm"), (("open 0",), "open"), (("open 0", "pause"), "paused"), (("close",), "closed")],
)
def test_a_second_time_changes_nothing(shard: Shard, then: tuple[str, ...], state: str) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))

    assert shard.load(("A", 99)).answer == f"ALREADY_LOADED {shard.head()} {state}"
    assert shard.counters() == (5, 0, 0, 0)


@pytest.mark.parametrize(
    ("window", "state"),
    [((1_000, 2_000), "closed"), ((1_000, 0), "open"), ((9_000_000_000_000, 0), "scheduled")],
)
def test_a_second_time_says_what_the_clock_made_of_it(
    shard: Shard, window: tuple[int, int], state: str
) -> None:
    opens, closes = window
    shard.load(("A", 5), opens=opens, closes=closes)

    assert shard.load(("A", 99)).answer == f"ALREADY_LOADED 1-2 {state}"


def test_it_keeps_when_the_sale_was_defined(shard: Shard) -> None:
    origin = "2026-11-26T07:00:00.123456Z"
    for other in ("origin:", "origin:today", origin, f"origin:{origin}0"):
        assert shard.error("load", *TIMES, "A", 5, 2, other).startswith("INVALID_ARGUMENT origin")

    assert shard.run("load", *TIMES, "A", 5, 2, f"origin:{origin}").answer == "LOADED 1-2"

    assert shard.redis.hget(shard.keys.sale, "origin") == origin.encode()
    assert shard.check().stock["A"].available == 5


@pytest.mark.parametrize("fence", ["1-1", "0-1", "7-0"])
def test_a_sale_that_somebody_has_seen_events_of_is_not_begun_again(shard: Shard, fence: str) -> None:
    assert shard.run("load", *TIMES, "A", 5, 0, fence=fence).answer == "LOG_REGRESSED 0-0"
    assert shard.dump() == {}


def test_a_sale_behind_its_fence_says_so(shard: Shard) -> None:
    shard.load(("A", 5))

    assert shard.run("load", *TIMES, "A", 5, 0, fence="1-3").answer == "LOG_REGRESSED 1-2"


@pytest.mark.parametrize("lost", ["sale"])
@pytest.mark.parametrize("left", ["stock", "orders", "buyers", "holds", "events"])
def test_a_sale_of_which_any_key_is_left_is_not_begun_again(shard: Shard, lost: str, left: str) -> None:
    shard.sell(("A", 5))
    shard.reserve("0-first")
    for key in shard.keys._fields:
        if key != left:
            shard.damage("DEL", getattr(shard.keys, key))

    assert shard.error("load", *TIMES, "A", 5, 0).startswith("KEY_CORRUPT sale: missing")


def test_a_sale_key_with_foreign_fields_is_not_loaded_over(shard: Shard) -> None:
    shard.damage("HSET", shard.keys.sale, "owner", "somebody")

    assert shard.error("load", *TIMES, "A", 5, 0).startswith("KEY_CORRUPT sale: missing")


@pytest.mark.parametrize("place", [0, 1, 2], ids=["opens_ms", "closes_ms", "hold_ms"])
def test_a_malformed_time_is_refused(shard: Shard, place: int) -> None:
    for what, value in malformed.COUNTS.items():
        times: list[str | int] = [0, 0, HOUR_MS]
        times[place] = value
        assert shard.error("load", *times, "A", 5, 0).startswith("INVALID_ARGUMENT"), what


def test_a_sale_without_a_hold_is_refused(shard: Shard) -> None:
    assert shard.error("load", 0, 0, 0, "A", 5, 0).startswith("INVALID_ARGUMENT hold_ms")


@pytest.mark.parametrize(("opens", "closes"), [(5, 5), (6, 5), (2_000_000_000_000, 1)])
def test_a_sale_that_closes_before_it_opens_is_refused(shard: Shard, opens: int, closes: int) -> None:
    assert shard.error("load", opens, closes, HOUR_MS, "A", 5, 0).startswith("INVALID_ARGUMENT closes_ms")


def test_a_malformed_amount_of_stock_is_refused(shard: Shard) -> None:
    for what, value in (malformed.COUNTS | {"zero": "0", "too much": str(CAPACITY_MAX + 1)}).items():
        assert shard.error("load", *TIMES, "A", value, 0).startswith("INVALID_ARGUMENT quantity"), what


def test_a_malformed_limit_is_refused(shard: Shard) -> None:
    for what, value in malformed.COUNTS.items():
        assert shard.error("load", *TIMES, "A", 5, value).startswith("INVALID_ARGUMENT limit"), what


def test_a_malformed_sku_is_refused_and_the_good_ones_with_it(shard: Shard) -> None:
    for what, value in (malformed.IDS | {"65 characters": "a" * 65}).items():
        assert shard.error("load", *TIMES, "A", 5, 0, value, 5, 0).startswith("INVALID_ARGUMENT sku"), what
    assert shard.dump() == {}


def test_a_sku_that_comes_twice_is_refused(shard: Shard) -> None:
    assert shard.error("load", *TIMES, "A", 5, 0, "B", 5, 0, "A", 5, 0).startswith("INVALID_ARGUMENT sku")


def test_a_thousand_skus_fit_and_one_more_does_not(shard: Shard) -> None:
    items = [value for i in range(1001) for value in (f"sku-{i}", i + 1, 0)]
    assert shard.error("load", *TIMES, *items).startswith("INVALID_ARGUMENT ARGV")

    assert shard.run("load", *TIMES, *items[:-3]).answer == "LOADED 1-1001"
    assert shard.counters("sku-999") == (1000, 0, 0, 0)


def test_the_largest_numbers_are_kept_exactly(shard: Shard) -> None:
    """Lua prints integers of 1e14 and more as 1e+14."""
    shard.run(
        "load", 9_999_999_999_998, 9_999_999_999_999, 9_999_999_999_999, "A", CAPACITY_MAX, 9_999_999_999_999
    )

    state = shard.check()
    assert (state.opens_ms, state.closes_ms, state.hold_ms) == (9_999_999_999_998, *[9_999_999_999_999] * 2)
    assert (state.stock["A"].capacity, state.stock["A"].limit) == (CAPACITY_MAX, 9_999_999_999_999)


def test_two_shards_of_a_sale_do_not_know_each_other(shard: Shard, redis_url: str) -> None:
    shard.sell(("A", 1))
    with Shard(redis_url, shard=1) as other:
        other.run("load", *TIMES, "A", 9, 0)

        assert (shard.counters(), other.counters()) == ((1, 0, 0, 0), (9, 0, 0, 0))
        assert (shard.head(), other.head()) == ("1-3", "1-2")
        shard.redis.delete(*other.keys)
