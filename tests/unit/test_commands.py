"""Requests, sans IO: what each checks, and what it sends."""

from collections.abc import Callable
from functools import partial

import pytest

from flashsale.commands import (
    ANY_BUYER,
    Cancel,
    Close,
    Confirm,
    Expire,
    Item,
    Load,
    Open,
    OrderRequest,
    Pause,
    Reconfigure,
    Refund,
    Reserve,
    Restock,
    Resume,
    SaleRequest,
)
from flashsale.errors import BadInput
from flashsale.scripts import script

ORDER, OTHER = "0-abcdefgh", "0-ijklmnop"
NOT_A_NUMBER = [True, 1.0, "1", None, float("nan")]


@pytest.mark.parametrize(
    ("request_", "name", "arguments"),
    [
        (Reserve(ORDER, "ann", "A"), "reserve", (ORDER, "ann", "A", 1)),
        (Reserve(ORDER, "ann", "A", 999_999), "reserve", (ORDER, "ann", "A", 999_999)),
        (Confirm(ORDER), "confirm", (ORDER, "-")),
        (Confirm(ORDER, "ann"), "confirm", (ORDER, "ann")),
        (Cancel(ORDER), "cancel", (ORDER, "-")),
        (Cancel(ORDER, ANY_BUYER), "cancel", (ORDER, "-")),
        (Refund(ORDER), "refund", (ORDER, "-", "restock")),
        (Refund(ORDER, "ann", "keep"), "refund", (ORDER, "ann", "keep")),
    ],
)
def test_what_a_buyer_asks_for_is_sent(
    request_: OrderRequest, name: str, arguments: tuple[object, ...]
) -> None:
    assert (request_.SCRIPT, request_.arguments()) == (name, arguments)


@pytest.mark.parametrize(
    ("request_", "name", "arguments"),
    [
        (Load((Item("A", 5), Item("B", 7, 2)), 60_000), "load", (0, 0, 60_000, "A", 5, 0, "B", 7, 2)),
        (Load((Item("A", 5),), 60_000, 5, 6), "load", (5, 6, 60_000, "A", 5, 0)),
        (Open(), "open", (0,)),
        (Open(at_once=True), "open", (1,)),
        (Pause(), "pause", ()),
        (Pause("the price is wrong"), "pause", ("why:the price is wrong",)),
        (Resume(), "resume", ()),
        (Close(), "close", ()),
        (Reconfigure(), "reconfigure", ("-", "-", "-")),
        (Reconfigure(0, 6, 1_000, (("A", 0), ("B", 3))), "reconfigure", (0, 6, 1_000, "A", 0, "B", 3)),
        (Restock("r-1", "remove", "A", 3), "restock", ("r-1", "remove", "A", 3)),
        (Expire(), "expire", (1000,)),
        (Expire(5), "expire", (5,)),
    ],
)
def test_what_an_operator_asks_for_is_sent(
    request_: SaleRequest, name: str, arguments: tuple[object, ...]
) -> None:
    assert (request_.SCRIPT, request_.arguments()) == (name, arguments)


@pytest.mark.parametrize("name", ["reserve", "confirm", "cancel", "refund"])
def test_every_request_has_a_script(name: str) -> None:
    requests: list[type[OrderRequest]] = [Reserve, Confirm, Cancel, Refund]

    assert [script(request.SCRIPT).name for request in requests].count(name) == 1


# ---------------------------------------------------------------------------------------------------------- bad input


def refused(make: object, *arguments: object, **named: object) -> BadInput:
    """How a request with these fields is refused."""
    assert callable(make)
    with pytest.raises(BadInput) as caught:
        make(*arguments, **named)
    error = caught.value
    assert str(error).startswith(f"{error.field}: ")
    assert str(error).endswith(error.remedy)
    return error


@pytest.mark.parametrize("make", [Confirm, Cancel, Refund])
def test_a_bad_order_id_is_refused(make: type[OrderRequest]) -> None:
    for value in ("", "abcdefgh", "0-short", "0-abc defgh", 5, None):
        error = refused(make, value)
        assert (error.field, error.value) == ("order", value)


@pytest.mark.parametrize("make", [Confirm, Cancel, Refund])
def test_a_bad_buyer_is_refused(make: type[OrderRequest]) -> None:
    for value in ("", "--", "a b", 5, None):
        error = refused(make, ORDER, value)
        assert (error.field, error.value) == ("buyer", value)


@pytest.mark.parametrize("make", [Confirm, Cancel, Refund, partial(Reserve, buyer="ann", sku="A")])
def test_a_bad_trace_id_is_refused(make: Callable[..., OrderRequest]) -> None:
    good = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert make(ORDER, trace_id=good).trace_id == good
    for value in ("0" * 32, good.upper(), good[1:], good + "0", f"00-{good}-00f067aa0ba902b7-01", " ", 5):
        error = refused(make, ORDER, trace_id=value)
        assert (error.field, error.value) == ("trace id", value)


@pytest.mark.parametrize(
    ("place", "field", "values"),
    [
        (0, "order", ["", "abcdefgh", None]),
        (1, "buyer", ["", "-", "a b", "a{b}", None]),
        (2, "sku", ["", "a b", "a:b", None]),
        (3, "quantity", [0, -1, 1_000_000, *NOT_A_NUMBER]),
    ],
)
def test_a_bad_reservation_is_refused(place: int, field: str, values: list[object]) -> None:
    for value in values:
        fields: list[object] = [ORDER, "ann", "A", 1]
        fields[place] = value
        error = refused(Reserve, *fields)
        assert (error.field, error.value) == (field, value)


@pytest.mark.parametrize("units", ["", "none", "RESTOCK", None])
def test_units_of_a_refund_go_one_way_or_the_other(units: object) -> None:
    assert refused(Refund, ORDER, "ann", units).field == "units"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        *((("a b", 5), "sku"), (("", 5), "sku"), (("A", 0), "quantity"), (("A", 1_000_000_001), "quantity")),
        *(
            (("A", "5"), "quantity"),
            (("A", 5, -1), "limit"),
            (("A", 5, 1_000_000), "limit"),
            (("A", 5, True), "limit"),
        ),
    ],
)
def test_a_bad_item_is_refused(fields: tuple[object, ...], field: str) -> None:
    assert refused(Item, *fields).field == field


@pytest.mark.parametrize("make", [lambda **times: Load((Item("A", 5),), 60_000, **times), Reconfigure])
@pytest.mark.parametrize(
    ("times", "field"),
    [
        *(({"opens_ms": value}, "opens") for value in (-1, 7_258_118_400_001, 1.5, "5", True)),
        *(({"closes_ms": value}, "closes") for value in (-1, 7_258_118_400_001, 1.5, "5", True)),
        *(
            ({"opens_ms": opens, "closes_ms": closes}, "closes")
            for opens, closes in ((5, 5), (6, 5), (2**42, 1))
        ),
    ],
)
def test_a_bad_window_is_refused(make: object, times: dict[str, object], field: str) -> None:
    assert refused(make, **times).field == field


@pytest.mark.parametrize("why", ["a\nb", "\x00", "x" * 201, "ü" * 101, "\ud800", 5, None])
def test_a_bad_why_is_refused(why: object) -> None:
    assert refused(Pause, why).field == "why"


@pytest.mark.parametrize("hold_ms", [0, 999, -1, 30 * 24 * 3600 * 1000 + 1, 1e4, "60000", True])
def test_a_bad_hold_is_refused(hold_ms: object) -> None:
    assert refused(Load, (Item("A", 5),), hold_ms).field == "hold_ms"
    assert refused(Reconfigure, hold_ms=hold_ms).field == "hold_ms"


@pytest.mark.parametrize("count", [0, 1001])
def test_a_sale_has_one_to_a_thousand_skus(count: int) -> None:
    error = refused(Load, tuple(Item(f"sku-{i}", 1) for i in range(count)), 60_000)

    assert str(error) == f"items: '{count} items' is not accepted; a sale has 1 to 1000 SKUs"


@pytest.mark.parametrize(
    ("limit", "field"), [(("a b", 1), "sku"), (("A", -1), "limit"), (("A", 1.0), "limit")]
)
def test_a_bad_change_of_a_limit_is_refused(limit: tuple[object, object], field: str) -> None:
    assert refused(Reconfigure, limits=(limit,)).field == field


@pytest.mark.parametrize(
    ("place", "field", "values"),
    [
        (0, "request id", ["", "a b", "a:b", None]),
        (1, "direction", ["", "ADD", "set", None]),
        (2, "sku", ["", "a b", None]),
        (3, "quantity", [0, -1, 1_000_000, *NOT_A_NUMBER]),
    ],
)
def test_a_bad_restock_is_refused(place: int, field: str, values: list[object]) -> None:
    for value in values:
        fields: list[object] = ["r-1", "add", "A", 1]
        fields[place] = value
        error = refused(Restock, *fields)
        assert (error.field, error.value) == (field, value)


@pytest.mark.parametrize("limit", [0, -1, 1001, *NOT_A_NUMBER])
def test_a_bad_limit_of_a_sweep_is_refused(limit: object) -> None:
    assert refused(Expire, limit).field == "limit"
