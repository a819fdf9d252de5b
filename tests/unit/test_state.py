"""The fold of a log: what each event changes."""

import pytest

from flashsale.events import AnyEvent, Order, Restocked, ShardState, Stock, fold
from flashsale.events import types as t
from flashsale.ids import START, Position
from tests.unit.history import (
    CANCELLED,
    CLOSED,
    CLOSES,
    DUE,
    DUE_AFTER_CANCEL,
    EXPIRED,
    FIRST,
    HELD,
    KEPT,
    LATE,
    OPEN,
    OPENS,
    PAID,
    PAUSED,
    RESTOCKED,
    RESUMED,
    SECOND,
    SETTLED,
    SETTLED_AFTER_CANCEL,
    WARM,
    Counters,
    added,
    at,
    cancelled,
    confirmed,
    loaded,
    reconfigured,
    removed,
    reserved,
    stocked,
)


def test_no_event_is_no_sale() -> None:
    assert fold([]) == ShardState()
    assert fold([]).position == START


def test_a_sale_is_warmed() -> None:
    state = fold(at([loaded(OPENS, CLOSES), stocked("A", 5, 3), stocked("B", 7, 0)]))

    assert state == ShardState(
        Position(1, 3),
        "warm",
        OPENS,
        CLOSES,
        60,
        {"A": Stock(5, 0, 0, 0, 3, 5), "B": Stock(7, 0, 0, 0, 0, 7)},
    )


@pytest.mark.parametrize(
    ("events", "status"),
    [
        (WARM, "warm"),
        (OPEN, "open"),
        ([*OPEN, PAUSED], "paused"),
        ([*WARM, PAUSED], "paused"),
        ([*OPEN, PAUSED, RESUMED], "open"),
        ([*OPEN, CLOSED], "closed"),
        ([*OPEN, PAUSED, CLOSED], "closed"),
        ([*WARM, CLOSED], "closed"),
    ],
)
def test_the_life_of_a_sale(events: list[AnyEvent], status: str) -> None:
    assert fold(at(events)).status == status


def test_after_its_closing_time_a_sale_may_be_reconfigured_or_closed() -> None:
    over: list[AnyEvent] = [*OPEN, reconfigured(OPENS, 150)]

    assert fold(at([*over, t.SaleClosed(1, 150, "x")])).status == "closed"
    later = t.SaleReconfigured(1, 150, "x", OPENS, 151, 60)
    assert fold(at([*over, later, added((7, 0, 0, 0))])).stock["A"].available == 7


def test_a_sale_may_be_warmed_after_its_closing_time() -> None:
    over: list[AnyEvent] = [
        t.SaleLoaded(1, CLOSES, "x", OPENS, CLOSES, 60),
        t.StockLoaded(1, CLOSES, "x", "A", 5, 0, 5, 0, 0, 0),
    ]

    assert fold(at(over)).status == "warm"


def test_opening_says_from_when_on() -> None:
    assert fold(at(OPEN)).opens_ms == OPENS


@pytest.mark.parametrize("events", [WARM, OPEN, [*OPEN, PAUSED]])
def test_reconfiguring_changes_window_hold_and_limits_only(events: list[AnyEvent]) -> None:
    before = fold(at(events))

    state = fold(at([*events, t.SaleReconfigured(1, 1, "x", 1, 2, 3, (("A", 9),))]))

    assert (state.opens_ms, state.closes_ms, state.hold_ms, state.status) == (1, 2, 3, before.status)
    assert state.stock["A"] == Stock(5, 0, 0, 0, 9, 5)


@pytest.mark.parametrize(
    ("event", "stock"),
    [(added((7, 0, 0, 0)), Stock(7, 0, 0, 0, 3, 7)), (removed((3, 0, 0, 0)), Stock(3, 0, 0, 0, 3, 3))],
)
def test_restocking_changes_available_and_capacity(event: AnyEvent, stock: Stock) -> None:
    state = fold(at([*OPEN, event]))

    assert state.stock["A"] == stock
    direction = "add" if isinstance(event, t.StockAdded) else "remove"
    assert state.requests == {"r-1": Restocked(direction, "A", 2, state.position, stock.available)}


@pytest.mark.parametrize(
    ("events", "status", "counters", "units", "how"),
    [
        (HELD, "held", (3, 2, 0, 0), 2, ""),
        (PAID, "confirmed", (3, 0, 2, 0), 2, ""),
        (CANCELLED, "cancelled", (5, 0, 0, 0), 0, ""),
        (EXPIRED, "expired", (5, 0, 0, 0), 0, ""),
        (LATE, "confirmed", (3, 0, 2, 0), 2, "late"),
        (DUE, "refund_due", (5, 0, 0, 0), 0, ""),
        (DUE_AFTER_CANCEL, "refund_due", (5, 0, 0, 0), 0, ""),
        (RESTOCKED, "refunded", (5, 0, 0, 0), 0, "restock"),
        (KEPT, "refunded", (3, 0, 0, 2), 0, "keep"),
        (SETTLED, "refunded", (5, 0, 0, 0), 0, "none"),
        (SETTLED_AFTER_CANCEL, "refunded", (5, 0, 0, 0), 0, "none"),
    ],
)
def test_the_life_of_an_order(
    events: list[AnyEvent], status: str, counters: Counters, units: int, how: str
) -> None:
    state = fold(at(events))

    head = Position(1, len(events))
    assert state.orders == {FIRST: Order(status, "A", 2, "ann", 210, Position(1, 4), head, how)}
    assert state.stock["A"] == Stock(*counters, 3, 5)
    assert state.units == ({("ann", "A"): units} if units else {})


def test_units_of_several_orders_add_up_and_go_back_one_by_one() -> None:
    second = reserved((2, 3, 0, 0), 1, SECOND)

    assert fold(at([*HELD, second])).units == {("ann", "A"): 3}
    assert fold(at([*HELD, second, cancelled((4, 1, 0, 0))])).units == {("ann", "A"): 1}


def test_what_was_begun_can_be_ended_after_the_sale() -> None:
    assert fold(at([*HELD, CLOSED, confirmed((3, 0, 2, 0))])).stock["A"].sold == 2
    assert fold(at([*HELD, PAUSED, cancelled((5, 0, 0, 0))])).stock["A"].held == 0


def test_a_lower_limit_does_not_undo_what_was_sold() -> None:
    lower = t.SaleReconfigured(1, 1, "x", OPENS, 0, 60, (("A", 1),))

    assert fold(at([*HELD, lower, confirmed((3, 0, 2, 0))])).units == {("ann", "A"): 2}


@pytest.mark.parametrize("epoch", [2, 3])
def test_a_new_epoch_goes_on_from_where_the_old_one_ended(epoch: int) -> None:
    begun = (Position(epoch, 1), t.EpochStarted(1, 1, "x", 1, len(HELD)))
    paid = (Position(epoch, 2), confirmed((3, 0, 2, 0)))

    state = fold([*at(HELD), begun, paid])

    assert (state.position, state.orders[FIRST].status) == (Position(epoch, 2), "confirmed")


def test_a_log_that_was_lost_before_anybody_stored_it_begins_in_a_later_epoch() -> None:
    state = fold((Position(3, place.seq), event) for place, event in at(HELD))

    assert (state.position, state.stock["A"].held) == (Position(3, len(HELD)), 2)


def test_a_fold_goes_on_from_a_state() -> None:
    assert fold(at(PAID)[4:], fold(at(PAID)[:4])) == fold(at(PAID))
