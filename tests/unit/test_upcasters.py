"""Events of older versions are lifted step by step, on read."""

import pytest

from flashsale.events import EVENT_TYPES, UndecodableEvent, decode, upcasters
from flashsale.events.types import OrderRefunded
from flashsale.events.upcasters import UPCASTERS, Raw, refunded_v1_to_v2, upcast

REFUNDED_V1: Raw = ["order.refunded", 1, 5, "desk", "0-abcdefgh", "ann", "A", 2, 5, 0, 0, 0]


def test_every_old_version_has_a_way_up() -> None:
    assert sorted(UPCASTERS) == sorted(
        (name, version) for name, cls in EVENT_TYPES.items() for version in range(1, cls.VERSION)
    )


def test_a_refund_of_version_1_put_its_units_back_on_sale() -> None:
    assert refunded_v1_to_v2(REFUNDED_V1) == ["order.refunded", 2, *REFUNDED_V1[2:], "restock"]


def test_what_is_stored_is_not_rewritten() -> None:
    before = list(REFUNDED_V1)
    upcast(REFUNDED_V1)

    assert before == REFUNDED_V1


def test_an_old_event_is_read_as_a_present_one() -> None:
    body = b'["order.refunded",1,5,"desk","0-abcdefgh","ann","A",2,5,0,0,0]'

    assert decode(body) == OrderRefunded(
        2, 5, "desk", "0-abcdefgh", "ann", "A", 2, 5, 0, 0, 0, units="restock"
    )


@pytest.mark.parametrize(
    "body",
    [
        b'["order.refunded"]',
        b'["order.refunded",1]',
        b'["order.refunded",1,5,"desk","0-abcdefgh","ann","A",2,5,0,0]',
        b'["order.refunded",1,5,"desk","0-abcdefgh","ann","A","2",5,0,0,0]',
        b'["order.refunded",1.0,5,"desk","0-abcdefgh","ann","A",2,5,0,0,0]',
        b'["order.refunded",true,5,"desk","0-abcdefgh","ann","A",2,5,0,0,0]',
        b'["order.refunded","1",5,"desk","0-abcdefgh","ann","A",2,5,0,0,0]',
        b'["order.refunded",0,5,"desk","0-abcdefgh","ann","A",2,5,0,0,0]',
        b'["order.refunded",3,5,"desk","0-abcdefgh","ann","A",2,5,0,0,0]',
        b'["order.refunded",2,5,"desk","0-abcdefgh","ann","A",2,5,0,0,0]',
        b'["order.refunded",2,5,"desk","0-abcdefgh","ann","A",2,5,0,0,0,"lost"]',
        b'["order.cancelled",0,5,"desk","0-abcdefgh","ann","A",2,5,0,0,0]',
    ],
)
def test_an_event_that_cannot_be_lifted_is_refused(body: bytes) -> None:
    with pytest.raises(UndecodableEvent):
        decode(body)


@pytest.mark.parametrize("raw", [["sale.paused", 1, 5, "x"], ["order.refunded", 2, 5], ["unheard.of", 1]])
def test_what_has_no_upcaster_stays(raw: Raw) -> None:
    assert upcast(raw) is raw


def test_upcasters_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {("x", version): lambda raw: [raw[0], raw[1] + 1, *raw[2:], raw[1]] for version in (1, 2, 3)}
    monkeypatch.setattr(upcasters, "UPCASTERS", steps)

    assert upcast(["x", 1]) == ["x", 4, 1, 2, 3]
    assert upcast(["x", 3]) == ["x", 4, 3]


@pytest.mark.parametrize("returned", [1, 0, 3])
def test_an_upcaster_that_does_not_climb_by_one_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, returned: int
) -> None:
    """It would never end, or skip a step."""
    monkeypatch.setattr(upcasters, "UPCASTERS", {("x", 1): lambda raw: [raw[0], returned]})

    with pytest.raises(ValueError, match="the upcaster of x version 1 returned version"):
        upcast(["x", 1])
