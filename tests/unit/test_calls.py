"""Calls, sans IO: which requests travel together, and as which command."""

import pytest

from flashsale.commands import (
    BATCH_MAX,
    Cancel,
    Confirm,
    Open,
    Refund,
    Reserve,
    order_call,
    plan,
    sale_call,
    snapshot_call,
)
from flashsale.ids import Position
from flashsale.keys import shard_keys
from flashsale.scripts import script

ORDER, OTHER = "0-abcdefgh", "0-ijklmnop"


def test_a_batch_is_one_call() -> None:
    call = order_call("sale", 3, Position(1, 9), "gateway", [Confirm(ORDER), Confirm(OTHER, "ann")])

    assert call.script is script("confirm")
    assert call.arguments == ("1-9", "gateway", ORDER, "-", OTHER, "ann")
    assert call.command() == ("EVALSHA", script("confirm").sha, 6, *shard_keys("sale", 3), *call.arguments)


def test_trace_ids_follow_all_requests_in_one_argument() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    traced = [Confirm(ORDER), Confirm(OTHER, "ann", trace_id=trace)]
    call = order_call("sale", 3, Position(1, 9), "gateway", traced)

    assert call.arguments == ("1-9", "gateway", ORDER, "-", OTHER, "ann", "0" * 32 + trace)


def test_an_operator_s_request_is_one_call() -> None:
    call = sale_call("sale", 0, Position(0, 0), "desk", Open(at_once=True))

    assert call.command() == ("EVALSHA", script("open").sha, 6, *shard_keys("sale", 0), "0-0", "desk", 1)


@pytest.mark.parametrize(("everything", "part"), [(True, "all"), (False, "counters")])
def test_a_snapshot_is_one_call(everything: bool, part: str) -> None:  # noqa: FBT001 - the parameter of the call
    call = snapshot_call("sale", 0, everything=everything)

    assert (call.script.name, call.arguments) == ("snapshot", (part,))


# --------------------------------------------------------------------------------------------------------------- plan


def test_payments_go_first_then_what_frees_units_then_new_reservations() -> None:
    requests = [
        Reserve(ORDER, "ann", "A"),
        Refund(ORDER),
        Cancel(ORDER),
        Confirm(ORDER),
        Reserve(OTHER, "bob", "A"),
        Confirm(OTHER),
    ]

    assert plan(requests) == [[3, 5], [2], [1], [0, 4]]


def test_a_large_kind_is_split_and_keeps_its_order() -> None:
    requests = [Reserve(ORDER, "ann", "A")] * (2 * BATCH_MAX + 1)

    assert plan(requests) == [list(range(BATCH_MAX)), list(range(BATCH_MAX, 2 * BATCH_MAX)), [2 * BATCH_MAX]]
    assert plan(requests[:5], batch_max=2) == [[0, 1], [2, 3], [4]]


def test_nothing_to_ask_is_no_batch() -> None:
    assert plan([]) == []
