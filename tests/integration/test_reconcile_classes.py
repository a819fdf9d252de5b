"""Each class of drift, made by hand: named with its place, planned, mended, gone; a second apply does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flashsale.commands import Confirm
from flashsale.reconcile import Finding, Item, Outcome, apply_plan, read_plan, write_plan
from flashsale.reconcile.finding import CLASSES
from tests.integration.damages import (
    DAMAGES,
    Damage,
    Expected,
    counter_moved,
    event_gone,
    hold_gone,
    limit_changed,
    order_gone,
    row_gone,
    sell_and_apply,
    stock_gone,
    units_changed,
)
from tests.integration.reconcile_kit import SKU, Books, examine, servers


def found_in(books: Books) -> list[Finding]:
    return examine(books).findings


def items_of(books: Books) -> list[Item]:
    return [Item.of(books.shard, finding) for finding in found_in(books)]


def apply(books: Books, items: list[Item]) -> list[Outcome]:
    return apply_plan(servers(books), items, timeout_s=5)


def everything(books: Books) -> Iterator[object]:
    """All that is stored but the number of mends."""
    for key in sorted(books.keys):
        yield {field: v for field, v in books.dump(key).items() if field != "mended"}
    for table in ("orders", "stock", "event_log"):
        yield sorted(map(repr, books.side.rows(f"TABLE {table}")))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_drift_is_named_planned_mended_and_gone(books: Books, tmp_path: Path, damage: Damage) -> None:
    before = list(everything(books))
    expected = damage(books)

    (finding,) = found_in(books)
    assert Expected(finding.kind, finding.key, finding.first_seq) == expected

    write_plan(tmp_path / "plan.json", items_of(books))
    items = read_plan(tmp_path / "plan.json").items
    assert [outcome.result for outcome in apply(books, items)] == ["mended"]
    assert found_in(books) == []
    assert list(everything(books)) == before, "byte for byte as it was, the log above all"

    assert [outcome.result for outcome in apply(books, items)] == ["unchanged"]
    assert list(everything(books)) == before
    sell_and_apply(books)
    assert found_in(books) == [], "and the sale goes on from there"


def test_every_class_that_can_be_mended_is_made_here(books: Books) -> None:
    kinds = set()
    for damage in DAMAGES:
        kinds.add(damage(books).kind)
    assert kinds == CLASSES.keys() - {"fork", "oversold"}


def test_several_are_mended_at_once(books: Books) -> None:
    before = list(everything(books))
    hot = (counter_moved, order_gone, hold_gone, units_changed, limit_changed)
    for damage in (*hot, row_gone, stock_gone, event_gone):
        damage(books)

    items = items_of(books)
    assert len(items) == 8
    assert {outcome.result for outcome in apply(books, items)} == {"mended"}
    assert found_in(books) == []
    assert list(everything(books)) == before


def test_a_counter_that_was_moved_is_known_by_the_first_event_that_tells_it(books: Books) -> None:
    """Moved between two buckets, so that Postgres takes it over: it checks their sum."""
    stock = books.state.stock[SKU]
    text = f"{stock.available - 1} {stock.held} {stock.sold + 1} {stock.returned} {stock.limit}"
    books.side.redis.hset(books.keys.stock, SKU, text)
    first = sell_and_apply(books)
    sell_and_apply(books)

    found = found_in(books)
    assert [(f.kind, f.first_seq) for f in found] == [("hot-counter", first), ("stock-row", first)]
    assert {outcome.result for outcome in apply(books, items_of(books))} == {"mended"}
    assert found_in(books) == [], "what the log tells for ever is no drift of today"
    sell_and_apply(books)
    assert found_in(books) == []


def test_a_hold_is_not_put_back_for_an_order_that_was_paid_meanwhile(books: Books) -> None:
    hold_gone(books)
    items = items_of(books)
    books.side.run(books.shard, [Confirm(books.held)])
    books.side.drain(*books.side.projectors)

    assert [outcome.result for outcome in apply(books, items)] == ["unchanged"]
    assert found_in(books) == []
