"""What becomes of the events of another branch: carried over, known already, or left out by name and reason."""

from __future__ import annotations

import msgspec
import pytest

from flashsale.events import AnyEvent, ShardState, evolve, fold
from flashsale.events import types as t
from flashsale.ids import Position
from flashsale.recover import LeftOut, Union, carry_over
from tests.unit import history as h

BRANCH = Position(1, 50)


def archived(*events: AnyEvent) -> ShardState:
    """A state of Postgres, in its new epoch."""
    state = fold(h.at(events))
    return evolve(state, Position(2, 1), t.EpochStarted(1, 1_000, "x", *state.position))


def carried(before: list[AnyEvent], *branch: AnyEvent) -> Union:
    """Carry a branch over; whatever comes of it is a log that adds up."""
    union = carry_over(archived(*before), [(BRANCH._replace(seq=50 + i), e) for i, e in enumerate(branch)])
    assert fold(union.log, archived(*before)) == union.state
    return union


def types(union: Union) -> list[str]:
    return [t.type_name(event) for _, event in union.log]


def why(union: Union) -> str:
    """The one reason why something was left out."""
    (left,) = union.left_out
    return left.reason


def bought(order: str, buyer: str = "bob", quantity: int = 2) -> t.OrderReserved:
    """A reservation in the branch; its counters are those of another history."""
    return t.OrderReserved(1, 155, "x", order, buyer, "A", quantity, 0, 9, 0, 0, 215)


def of_third(event: AnyEvent) -> AnyEvent:
    return msgspec.structs.replace(event, order_id="0-third", buyer="bob")


ANY = (0, 0, 0, 0)
PAID, DUE = h.confirmed(ANY), h.refund_due(ANY)
CLOSED_SALE = [*h.OPEN, h.CLOSED]
SCARCE: list[AnyEvent] = [*h.UNLIMITED, h.reserved((1, 4, 0, 0), 4)]


@pytest.mark.parametrize(
    ("before", "event", "reason"),
    [
        (h.HELD, bought(h.FIRST), "its id belongs to another order in Postgres"),
        (h.OPEN, msgspec.structs.replace(bought("0-third"), sku="B"), "the sale has no B"),
        (SCARCE, bought("0-third"), "oversold: 1 of A left"),
        (h.HELD, bought("0-third", "ann"), "its buyer has 2 of A in Postgres, the limit is 3"),
        ([*h.OPEN, h.PAUSED], bought("0-third"), "the sale was paused"),
        (CLOSED_SALE, bought("0-third"), "the sale was closed"),
        (h.OPEN, msgspec.structs.replace(bought("0-third"), at_ms=1), "outside the sale's window"),
        (h.OPEN, h.confirmed(ANY), "its reservation is in neither log"),
        (h.RESTOCKED, h.confirmed(ANY), "the order is refunded in Postgres"),
        (h.PAID, h.cancelled(ANY), "the order is confirmed in Postgres"),
        (h.DUE, h.cancelled(ANY), "the order is refund_due in Postgres"),
        (h.HELD, h.refunded(ANY), "the order is held in Postgres"),
        (h.CANCELLED, h.refunded(ANY), "the order is cancelled in Postgres"),
        (h.OPEN, h.added(ANY, sku="B"), "the sale has no B"),
        (h.OPEN, h.removed(ANY, 6), "only 5 of A are unsold"),
        ([*h.OPEN, h.added((7, 0, 0, 0))], h.added(ANY, 9), "its id belongs to another restock"),
        ([*h.OPEN, h.added((7, 0, 0, 0))], h.removed(ANY), "its id belongs to another restock"),
        (h.OPEN, h.loaded(), "it was warmed a second time"),
        (h.OPEN, h.stocked(), "it was warmed a second time"),
        (CLOSED_SALE, h.PAUSED, "sale.paused while closed"),
        (CLOSED_SALE, h.room_set(), "sale.room_set while closed"),
        (h.OPEN, h.drawn(), "the sale has no waiting room"),
        ([*h.OPEN, h.room_set()], h.drawn(3, "f" * 64), "not the one that was committed to"),
        (
            h.OPEN,
            t.SaleReconfigured(1, 1, "x", 7, 8, 9, (("A", 1), ("B", 1))),
            "it limits what the sale does not have",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_left_out_with_the_reason(
    before: list[AnyEvent], event: AnyEvent, reason: str
) -> None:
    union = carried(before, event)

    assert reason in why(union)
    assert union.log == []
    assert union.state == archived(*before), "a refusal leaves no trace"
    assert union.left_out[0].position == BRANCH


@pytest.mark.parametrize(
    ("before", "event"),
    [
        (h.HELD, h.reserved(ANY)),
        (h.PAID, h.reserved(ANY)),
        (h.PAID, h.confirmed(ANY)),
        (h.DUE, h.confirmed(ANY)),
        (h.DUE, h.refund_due(ANY)),
        (h.PAID, h.expired(ANY)),
        (h.CANCELLED, h.expired(ANY)),
        (h.EXPIRED, h.cancelled(ANY)),
        (h.CANCELLED, h.cancelled(ANY)),
        (h.KEPT, h.refunded(ANY)),
        ([*h.OPEN, h.added((7, 0, 0, 0))], h.added(ANY)),
        (h.OPEN, t.EpochStarted(1, 1, "x", 1, 9)),
        (h.OPEN, h.OPENED),
        ([*h.OPEN, h.PAUSED], h.PAUSED),
        ([*h.OPEN, h.room_set(), h.drawn(7)], h.drawn(9)),
        (CLOSED_SALE, h.CLOSED),
    ],
)  # fmt: skip
def test_what_both_have_is_not_written_again(before: list[AnyEvent], event: AnyEvent) -> None:
    union = carried(before, event)

    assert (union.log, union.left_out) == ([], [])


@pytest.mark.parametrize(
    ("before", "event", "made"),
    [
        (h.OPEN, bought("0-third"), "order.reserved"),
        (h.HELD, PAID, "order.confirmed"),
        (h.HELD, DUE, "order.confirmed"),
        (h.EXPIRED, PAID, "order.confirmed"),
        (h.EXPIRED, DUE, "order.refund_due"),
        (h.CANCELLED, DUE, "order.refund_due"),
        (h.HELD, h.cancelled(ANY), "order.cancelled"),
        (h.HELD, h.expired(ANY), "order.expired"),
        (h.PAID, h.refunded(ANY), "order.refunded"),
        (h.PAID, h.refunded(ANY, "keep"), "order.refunded"),
        (h.PAID, h.refunded(ANY, "none"), "order.refunded"),
        (h.DUE, h.refunded(ANY), "order.refunded"),
        (h.OPEN, h.added(ANY), "stock.added"),
        (h.OPEN, h.removed(ANY), "stock.removed"),
        (h.OPEN, h.PAUSED, "sale.paused"),
        (h.OPEN, h.CLOSED, "sale.closed"),
        ([*h.OPEN, h.PAUSED], h.RESUMED, "sale.resumed"),
        (h.WARM, h.OPENED, "sale.opened"),
        (h.OPEN, h.reconfigured(50, 900), "sale.reconfigured"),
        (h.OPEN, h.room_set(), "sale.room_set"),
        ([*h.OPEN, h.room_set(), h.drawn()], h.room_set(9, "f" * 64), "sale.room_set"),
        ([*h.OPEN, h.room_set()], h.drawn(), "sale.line_drawn"),
    ],
)
def test_what_fits_is_written_behind_all_others(before: list[AnyEvent], event: AnyEvent, made: str) -> None:
    union = carried(before, event)

    assert types(union) == [made]
    assert union.left_out == []
    assert union.log[0][0] == Position(2, 2)


def test_a_due_refund_stays_one_although_units_are_left() -> None:
    union = carried(h.CANCELLED, h.reserved(ANY), h.cancelled(ANY), DUE)

    assert union.state.orders[h.FIRST].status == "refund_due"


@pytest.mark.parametrize(
    ("before", "status"),
    [
        (h.CANCELLED, "cancelled"),
        ([*h.EXPIRED, h.removed((0, 0, 0, 0), 5)], "expired"),
    ],
)
def test_a_payment_that_was_accepted_and_becomes_a_refund_is_recorded_and_named(
    before: list[AnyEvent], status: str
) -> None:
    union = carried(before, PAID)

    assert types(union) == ["order.refund_due"]
    assert why(union) == f"the order is {status} in Postgres: a refund is due"
    assert union.left_out[0].paid


def test_what_follows_a_reservation_that_is_left_out_goes_with_it() -> None:
    third = bought("0-third")
    union = carried(SCARCE, third, of_third(PAID))

    assert union.log == []
    assert union.left_out == [
        LeftOut(BRANCH, "order.reserved", "oversold: 1 of A left", "0-third", "bob", "A", 2, paid=True)
    ]


def test_money_that_went_back_is_not_owed_any_more() -> None:
    union = carried(SCARCE, bought("0-third"), of_third(PAID), of_third(h.refunded(ANY)))

    assert [left.paid for left in union.left_out] == [False]


def test_newest_first() -> None:
    union = carried(SCARCE, bought("0-third"), bought("0-fourth", quantity=1), bought("0-fifth"))

    assert [left.order_id for left in union.left_out] == ["0-fifth", "0-third"]
    assert union.state.orders["0-fourth"].status == "held"
