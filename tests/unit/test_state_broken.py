"""The fold of a log: what does not follow from what came before stops it."""

import pytest

from flashsale.errors import Halted
from flashsale.events import AnyEvent, InvariantBroken, ShardState, evolve, fold
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
    OPEN,
    OPENED,
    OPENS,
    PAID,
    PAUSED,
    RESTOCKED,
    RESUMED,
    SECOND,
    UNLIMITED,
    WARM,
    added,
    at,
    cancelled,
    confirmed,
    expired,
    loaded,
    reconfigured,
    refund_due,
    refunded,
    removed,
    reserved,
    stocked,
)

GONE: list[tuple[list[AnyEvent], AnyEvent, str]] = [
    # the life of a sale
    (WARM, loaded(), "sale.loaded while warm"),
    ([], OPENED, "sale.opened while empty"),
    (OPEN, OPENED, "sale.opened while open"),
    ([*OPEN, CLOSED], OPENED, "sale.opened while closed"),
    ([*OPEN, CLOSED], PAUSED, "sale.paused while closed"),
    ([*OPEN, PAUSED], PAUSED, "sale.paused while paused"),
    (OPEN, RESUMED, "sale.resumed while open"),
    ([], CLOSED, "sale.closed while empty"),
    ([*OPEN, CLOSED], CLOSED, "sale.closed while closed"),
    ([*OPEN, CLOSED], t.SaleReconfigured(1, 1, "x", 1, 2, 3), "sale.reconfigured while closed"),
    (OPEN, t.SaleReconfigured(1, 1, "x", 1, 2, 3, (("B", 1),)), "SKU B was never loaded"),
    # its closing time has passed
    ([loaded(OPENS, CLOSES), stocked()], t.SaleOpened(1, CLOSES, "x", OPENS), "sale.opened at 200, after"),
    ([loaded(OPENS, CLOSES), stocked()], t.SalePaused(1, CLOSES, "x"), "sale.paused at 200, after"),
    ([loaded(OPENS, CLOSES), stocked(), PAUSED], t.SaleResumed(1, CLOSES, "x"), "sale.resumed at 200, after"),
    (
        [*WARM, reconfigured(OPENS, 150)],
        added((7, 0, 0, 0)),
        "stock.added at 150, after its closing time 150",
    ),
    ([*OPEN, reconfigured(OPENS, 140)], removed((3, 0, 0, 0)), "stock.removed at 150, after"),
    # stock
    (WARM, stocked(), "A was loaded before"),
    (WARM, added((2, 0, 0, 0), sku="B"), "SKU B was never loaded"),
    ([*OPEN, added((7, 0, 0, 0))], added((9, 0, 0, 0)), "restock r-1 was done before"),
    ([*OPEN, added((7, 0, 0, 0))], removed((5, 0, 0, 0)), "restock r-1 was done before"),
    (OPEN, removed((-1, 0, 0, 0), 6), "A went below zero"),
    (OPEN, added((8, 0, 0, 0)), r"A says \(8, 0, 0, 0\), the log adds up to \(7, 0, 0, 0\)"),
    # the window
    (WARM, reserved((3, 2, 0, 0)), "a reservation while warm"),
    ([*OPEN, PAUSED], reserved((3, 2, 0, 0)), "a reservation while paused"),
    ([*OPEN, CLOSED], reserved((3, 2, 0, 0)), "a reservation while closed"),
    (OPEN, reserved((3, 2, 0, 0), at_ms=OPENS - 1), "a reservation at 99, outside"),
    (
        [loaded(OPENS, CLOSES), stocked()],
        reserved((3, 2, 0, 0), at_ms=OPENS - 1),
        "a reservation at 99, outside",
    ),
    (
        [loaded(OPENS, CLOSES), stocked()],
        reserved((3, 2, 0, 0), at_ms=CLOSES),
        "a reservation at 200, outside",
    ),
    # reservations
    (OPEN, reserved((3, 2, 0, 0), sku="B"), "SKU B was never loaded"),
    (HELD, reserved((1, 4, 0, 0)), "order 0-first was reserved before"),
    (CANCELLED, reserved((3, 2, 0, 0)), "order 0-first was reserved before"),
    (OPEN, reserved((1, 4, 0, 0), 4), "ann has 4 units of A, limit 3"),
    (HELD, reserved((1, 4, 0, 0), 2, SECOND), "ann has 4 units of A, limit 3"),
    (UNLIMITED, reserved((-1, 6, 0, 0), 6), "A went below zero"),
    (OPEN, reserved((5, -0, 0, 0)), "A says"),
    # what follows a reservation
    (OPEN, cancelled((5, 0, 0, 0)), "order 0-first was never reserved"),
    (HELD, cancelled((4, 1, 0, 0), 1), "order 0-first has another content"),
    (HELD, cancelled((5, 0, 0, 0), buyer="bob"), "order 0-first has another content"),
    (HELD, cancelled((3, 2, 0, 0)), "A says"),
    (PAID, confirmed((3, -2, 4, 0)), "order.confirmed of order 0-first, which is confirmed"),
    (HELD, confirmed((1, 2, 2, 0), late=True), "ann has 4 units of A, limit 3"),
    ([*UNLIMITED, reserved((3, 2, 0, 0))], confirmed((1, 2, 2, 0), late=True), "which is held"),
    (EXPIRED, confirmed((5, -2, 2, 0)), "which is expired"),
    (CANCELLED, cancelled((7, -2, 0, 0)), "gives back more of A than they have"),
    (PAID, cancelled((5, -2, 2, 0)), "which is confirmed"),
    (PAID, expired((5, -2, 2, 0)), "which is confirmed"),
    (HELD, refund_due((3, 2, 0, 0)), "which is held"),
    (PAID, refund_due((3, 0, 2, 0)), "which is confirmed"),
    (DUE_AFTER_CANCEL, refund_due((5, 0, 0, 0)), "which is refund_due"),
    (RESTOCKED, refund_due((5, 0, 0, 0)), "which is refunded"),
    (CANCELLED, confirmed((3, 0, 2, 0), late=True), "which is cancelled"),
    (CANCELLED, refunded((5, 0, 0, 0), "none"), "which is cancelled"),
    (HELD, refunded((5, 2, -2, 0)), "which is held"),
    (RESTOCKED, refunded((7, 0, -2, 0)), "gives back more of A than they have"),
    (PAID, refunded((3, 0, 2, 0), "none"), "which is confirmed"),
    (DUE, refunded((7, 0, -2, 0)), "gives back more of A than they have"),
    (
        [*EXPIRED, reserved((3, 2, 0, 0), 2, SECOND)],
        confirmed((1, 2, 2, 0), late=True),
        "ann has 4 units of A",
    ),
    (OPEN, t.OrderEvent(1, 1, "x", FIRST, "ann", "A", 1, 5, 0, 0, 0), "0-first was never reserved"),  # type: ignore[list-item]  # the class that has no type of its own
]


@pytest.mark.parametrize(("before", "event", "reason"), GONE, ids=range(len(GONE)))
def test_an_event_that_does_not_follow_stops_the_fold(
    before: list[AnyEvent], event: AnyEvent, reason: str
) -> None:
    state = fold(at(before))
    place = Position(1, len(before) + 1)

    with pytest.raises(InvariantBroken, match=f"^{place}: .*{reason}") as caught:
        evolve(state, place, event)
    assert isinstance(caught.value, Halted)
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    "place", [Position(1, 3), Position(1, 5), Position(2, 4), Position(2, 1), Position(0, 4), START]
)
def test_a_gap_a_repeat_or_another_epoch_stops_the_fold(place: Position) -> None:
    with pytest.raises(InvariantBroken, match="does not follow 1-3"):
        evolve(fold(at(OPEN)), place, reserved((3, 2, 0, 0)))


@pytest.mark.parametrize(
    ("place", "event"),
    [(Position(1, 2), loaded()), (Position(2, 2), loaded()), (START, loaded()), (Position(2, 1), stocked())],
)
def test_a_log_begins_at_the_beginning(place: Position, event: AnyEvent) -> None:
    with pytest.raises(InvariantBroken, match="does not follow 0-0"):
        evolve(ShardState(), place, event)


@pytest.mark.parametrize(
    ("place", "past"),
    [(Position(2, 2), (1, 3)), (Position(3, 1), (1, 2)), (Position(1, 4), (1, 3)), (Position(2, 1), (1, 2))],
)
def test_an_epoch_that_does_not_follow_stops_the_fold(place: Position, past: tuple[int, int]) -> None:
    with pytest.raises(InvariantBroken, match="does not follow 1-3"):
        evolve(fold(at(OPEN)), place, t.EpochStarted(1, 1, "x", *past))
