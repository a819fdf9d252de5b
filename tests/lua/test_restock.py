"""restock: units of a SKU come on sale, or unsold ones leave it."""

import pytest

from flashsale.events.types import StockAdded, StockRemoved
from flashsale.ids import CAPACITY_MAX
from tests.lua import malformed
from tests.lua.kit import Shard


def test_units_come_on_sale(shard: Shard) -> None:
    shard.sell(("A", 1))
    shard.reserve("0-first")

    result = shard.run("restock", "r-1", "add", "A", 3, by="desk")

    assert result.answers == ["RESTOCKED 1-5 3"]
    assert shard.newest() == StockAdded(1, result.now_ms, "desk", "r-1", "A", 3, 3, 1, 0, 0)
    assert shard.reserve("0-second", "bob", "A", 3).startswith("RESERVED")


def test_unsold_units_leave_it(shard: Shard) -> None:
    shard.sell(("A", 5))

    result = shard.run("restock", "r-1", "remove", "A", 3, by="desk")

    assert result.answers == ["RESTOCKED 1-4 2"]
    assert shard.newest() == StockRemoved(1, result.now_ms, "desk", "r-1", "A", 3, 2, 0, 0, 0)
    assert shard.check().stock["A"].capacity == 2


def test_what_is_held_sold_or_kept_cannot_leave(shard: Shard) -> None:
    shard.sell(("A", 6))
    shard.reserve("0-held", "ann", "A", 1)
    shard.pay("0-paid", "ann", "A", 2)
    shard.pay("0-kept", "ann", "A", 1)
    shard.refund("0-kept", "keep")
    head = shard.head()

    assert shard.run("restock", "r-1", "remove", "A", 3).answer == f"NOT_ENOUGH {head} 2"
    assert shard.run("restock", "r-2", "remove", "A", 2).words == ["RESTOCKED"]
    assert shard.run("restock", "r-3", "remove", "A", 1).words == ["NOT_ENOUGH"]
    assert shard.counters() == (0, 1, 2, 1)


def test_a_repeat_does_nothing_and_gets_the_same_answer(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("restock", "r-1", "add", "A", 3)
    shard.run("restock", "r-2", "add", "A", 1)
    shard.run("close")

    assert shard.run("restock", "r-1", "add", "A", 3).answer == "RESTOCKED 1-4 8 repeated"
    assert shard.counters() == (9, 0, 0, 0)


@pytest.mark.parametrize("other", [("remove", "A", 3), ("add", "B", 3), ("add", "A", 2), ("add", "X", 3)])
def test_the_same_id_with_another_content_is_a_conflict(shard: Shard, other: tuple[str, str, int]) -> None:
    shard.sell(("A", 5), ("B", 5))
    shard.run("restock", "r-1", "add", "A", 3)

    assert shard.run("restock", "r-1", *other).answer == "CONFLICT 1-5"


def test_a_refused_request_may_come_again_and_be_carried_out(shard: Shard) -> None:
    shard.sell(("A", 1))
    assert shard.run("restock", "r-1", "remove", "A", 2).words == ["NOT_ENOUGH"]
    shard.run("restock", "r-2", "add", "A", 1)

    assert shard.run("restock", "r-1", "remove", "A", 2).answer == "RESTOCKED 1-5 0"


@pytest.mark.parametrize("then", [(), ("open 0",), ("open 0", "pause")])
def test_every_sale_that_is_not_closed_takes_it(shard: Shard, then: tuple[str, ...]) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))

    assert shard.run("restock", "r-1", "add", "A", 1).answer == f"RESTOCKED {shard.head()} 6"


@pytest.mark.parametrize("direction", ["add", "remove"])
@pytest.mark.parametrize("then", [(), ("open 0",), ("open 0", "pause")])
def test_a_sale_that_its_clock_closed_takes_none(shard: Shard, then: tuple[str, ...], direction: str) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))
    shard.run("restock", "r-1", "add", "A", 1)
    before = shard.head()
    shard.pass_closing_time()

    assert shard.run("restock", "r-2", direction, "A", 1).answer == f"WRONG_STATE {shard.head()} closed"
    assert shard.run("restock", "r-1", "add", "A", 1).answer == f"RESTOCKED {before} 6 repeated"


def test_a_sku_has_at_most_its_capacity(shard: Shard) -> None:
    shard.sell(("A", CAPACITY_MAX - 5))
    shard.pay("0-paid", "ann", "A", 2)
    shard.reserve("0-held", "ann", "A", 2)

    assert shard.run("restock", "r-1", "add", "A", 6).answer == f"OVER_CAPACITY 1-6 {CAPACITY_MAX - 9}"
    assert shard.run("restock", "r-1", "add", "A", 5).answer == f"RESTOCKED 1-7 {CAPACITY_MAX - 4}"
    assert shard.check().stock["A"].capacity == CAPACITY_MAX


def test_a_malformed_quantity_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    for direction in ("add", "remove"):
        for what, value in malformed.QUANTITIES.items():
            error = shard.error("restock", "r-1", direction, "A", value)
            assert error.startswith("INVALID_ARGUMENT quantity"), what


def test_a_malformed_request_id_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    for what, value in (malformed.IDS | {"65 characters": "a" * 65}).items():
        assert shard.error("restock", value, "add", "A", 1).startswith("INVALID_ARGUMENT request"), what


def test_another_direction_than_add_and_remove_is_refused(shard: Shard) -> None:
    shard.sell(("A", 5))
    for direction in ("", "ADD", "add ", "remove\n", "-", "set"):
        assert shard.error("restock", "r-1", direction, "A", 1).startswith("INVALID_ARGUMENT direction")


def test_a_sku_that_is_not_on_sale_is_unknown(shard: Shard) -> None:
    shard.sell(("A", 5))
    for what, sku in (malformed.IDS | {"unknown": "B"}).items():
        assert shard.run("restock", "r-1", "add", sku, 1).answer == "UNKNOWN_SKU 1-3", what


@pytest.mark.parametrize("record", ["", "add A 3", "add A 3 1-4", "add A 3 14 8", "add A x 1-4 8"])
def test_a_damaged_memory_of_it_stops_the_repeat(shard: Shard, record: str) -> None:
    shard.sell(("A", 5))
    shard.damage("HSET", shard.keys.sale, "request:r-1", record)

    assert shard.error("restock", "r-1", "add", "A", 3).startswith("KEY_CORRUPT sale request:r-1")
