"""The fold that goes on where a log contradicts itself."""

from __future__ import annotations

import pytest

from flashsale.events import Audit, InvariantBroken
from flashsale.events.types import (
    AnyEvent,
    OrderCancelled,
    OrderReserved,
    SaleLoaded,
    SaleOpened,
    StockLoaded,
)
from flashsale.ids import Position

BEGINNING: tuple[AnyEvent, ...] = (
    SaleLoaded(1, 0, "t", 0, 0, 60_000),
    StockLoaded(1, 0, "t", "A", 2, 1, 2, 0, 0, 0),
    SaleOpened(1, 0, "t", 0),
)


def reserved(
    order: str, counters: tuple[int, int, int, int], buyer: str = "ann", at_ms: int = 5
) -> OrderReserved:
    return OrderReserved(1, at_ms, "t", order, buyer, "A", 1, *counters, 99)


def audit(*events: AnyEvent) -> Audit:
    made = Audit()
    for seq, event in enumerate((*BEGINNING, *events), 1):
        made.add(Position(1, seq), event)
    return made


def test_a_log_that_adds_up_has_nothing_to_note() -> None:
    found = audit(reserved("1", (1, 1, 0, 0)), OrderCancelled(1, 6, "t", "1", "ann", "A", 1, 2, 0, 0, 0))

    assert (found.noted, found.astray) == ([], {})
    assert found.told["A"].counters == (2, 0, 0, 0)
    assert found.told["A"].position == found.state.position == Position(1, 5)


def test_wrong_counters_are_remembered_from_their_first_event_until_they_are_right() -> None:
    wrong = (reserved("1", (5, 1, 0, 0)), reserved("2", (4, 2, 0, 0), buyer="bob"))
    found = audit(*wrong)
    assert (found.astray["A"].since, found.astray["A"].by) == (Position(1, 4), (4, 0, 0, 0))
    assert [broken.rule for broken in found.noted] == ["I1", "I1"]
    assert found.told["A"].counters == (0, 2, 0, 0), "what was done"

    right = OrderCancelled(1, 6, "t", "2", "bob", "A", 1, 1, 1, 0, 0)
    assert audit(*wrong, right).astray == {}


def test_another_difference_is_another_stretch() -> None:
    found = audit(reserved("1", (5, 1, 0, 0)), reserved("2", (1, 2, 0, 0), buyer="bob"))

    assert (found.astray["A"].since, found.astray["A"].by) == (Position(1, 5), (1, 0, 0, 0))


@pytest.mark.parametrize(
    ("events", "rules"),
    [
        ([reserved("1", (1, 1, 0, 0)), reserved("2", (0, 2, 0, 0))], ["P1"]),
        ([reserved(n, (2 - int(n), int(n), 0, 0), buyer=n) for n in "123"], ["I2"]),
        ([reserved("1", (1, 1, 0, 0), at_ms=-1)], ["W1"]),
        ([SaleOpened(1, 5, "t", 0)], ["S1"]),
    ],
)
def test_what_was_done_against_the_rules_is_noted_and_added_up(
    events: list[AnyEvent], rules: list[str]
) -> None:
    found = audit(*events)

    assert [broken.rule for broken in found.noted] == rules
    assert found.state.position == Position(1, 3 + len(events))


@pytest.mark.parametrize(
    ("events", "rule"),
    [
        ([reserved("1", (1, 1, 0, 0)), reserved("1", (0, 2, 0, 0))], "U1"),
        ([OrderCancelled(1, 6, "t", "1", "ann", "A", 1, 2, 0, 0, 0)], "U2"),
        ([StockLoaded(1, 0, "t", "A", 2, 1, 2, 0, 0, 0)], "U1"),
    ],
)
def test_what_cannot_be_added_up_is_refused(events: list[AnyEvent], rule: str) -> None:
    with pytest.raises(InvariantBroken) as caught:
        audit(*events)
    assert caught.value.rule == rule


def test_a_gap_is_refused() -> None:
    with pytest.raises(InvariantBroken, match="1-7"):
        audit().add(Position(1, 7), SaleOpened(1, 5, "t", 0))


def test_what_is_withheld_is_done_and_not_told() -> None:
    made = audit()
    made.add(Position(1, 4), reserved("1", (1, 1, 0, 0)), withheld=True)

    assert made.state.stock["A"].available == 1
    assert made.told["A"].position == Position(1, 2)


def test_an_entry_that_is_no_event_is_passed() -> None:
    made = audit()
    made.skip(Position(1, 4))
    made.add(Position(1, 5), reserved("1", (1, 1, 0, 0)))

    assert made.state.position == Position(1, 5)
