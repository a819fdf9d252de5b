"""What looks like an event of a later release is told apart from damage."""

import pytest

from flashsale.events import NewerEvent, UndecodableEvent, decode


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'["order.reserved",2,5,"x","0-a","ann"]', "order.reserved: version 2 is unknown"),
        (b'["order.refunded",3,5,"desk"]', "order.refunded: version 3 is unknown"),
        (b'["order.moved",1,5,"x",{"to":[1,2]}]', "order.moved: the type is unknown"),
        (b'["cart.checked_out",12,5,"x"]', "cart.checked_out: the type is unknown"),
    ],
)
def test_an_event_of_a_later_release(body: bytes, sentence: str) -> None:
    with pytest.raises(NewerEvent) as caught:
        decode(body)
    assert f"{caught.value.name}: {caught.value.reason}" == sentence


@pytest.mark.parametrize(
    "body",
    [
        b'["order.moved"]',
        b'["order.moved",1,5]',
        b'["order.moved",1,"5","x"]',
        b'["order.moved",1,5,7]',
        b'["order.moved",0,5,"x"]',
        b'["order.moved",true,5,"x"]',
        b'["order.moved",1000,5,"x"]',
        b'["Order.Moved",1,5,"x"]',
        b'["moved",1,5,"x"]',
        b'["order.reserved",1,5,"x"]',
        b'["order.reserved",0,5,"x"]',
        b'["order.refunded",-1,5,"x"]',
        b'[["order.moved"],1,5,"x"]',
        b'{"order.moved":1}',
        b'"order.moved"',
        b"",
    ],
)
def test_what_is_damaged_is_of_no_release(body: bytes) -> None:
    with pytest.raises(UndecodableEvent) as caught:
        decode(body)
    assert not isinstance(caught.value, NewerEvent)
