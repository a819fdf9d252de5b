"""`flashsale gateway run`: passes of the waiting room, over HTTP."""

from __future__ import annotations

from flashsale.commands import Code, Reserve, RoomSettings, SetRoom
from flashsale.gateway.passes import Passes
from flashsale.ids import derived_order_id
from tests.acceptance.gateway_kit import (
    FAR_MS,
    NEW_SECRET,
    OLD_SECRET,
    Front,
    problem,
)
from tests.acceptance.queue_kit import FAST, Person, room
from tests.helpers import wait_until


def test_a_pass_is_good_for_one_order(door: Front) -> None:
    buyer = Person(door, "fast")
    shown = buyer.let_in()
    stands = buyer.look()
    assert stands["state"] == "admitted"
    assert stands["pass_expires_ms"] > door.client.now_ms()

    placed = buyer.order(shown)

    assert placed.status_code == 201
    again = buyer.order(shown)
    assert again.json() == placed.json()
    assert again.headers["idempotency-replayed"] == "true"
    problem(buyer.order(shown, key="cart-2"), 403, "pass-required")
    problem(buyer.request("GET"), 404, "not-in-line")


def test_feeds_are_for_those_who_were_let_in(door: Front) -> None:
    buyer = Person(door, "fast")
    path = "/v1/sales/fast/feed"
    shown, other = buyer.let_in(), Person(door, "fast").let_in()
    problem(door.http.get(path, headers=buyer.headers), 403, "pass-required")
    problem(door.http.get(path, headers=buyer.headers | {"Flashsale-Pass": other}), 403, "pass-required")

    for _ in "shopping", "when it is used up":
        told = door.http.head(path, headers=buyer.headers | {"Flashsale-Pass": shown})
        assert told.status_code == 200
        buyer.order(shown)
    assert door.http.head("/v1/sales/free/feed", headers=buyer.headers).status_code == 200


def test_a_repeat_gets_its_order_also_when_the_pass_has_ended(door: Front) -> None:
    """A lost reply may be asked for again later than the pass is good."""
    buyer = Person(door, "fast")
    placed = buyer.order(buyer.let_in())
    ended = Passes([NEW_SECRET]).issue("fast", buyer.name, 1)

    assert buyer.order(ended).json() == placed.json()
    problem(buyer.order(ended, key="cart-2"), 403, "pass-required")


def test_a_repeat_gets_its_order_without_a_pass_where_none_was_needed_before(door: Front) -> None:
    """The answer was lost, and the room shut before the buyer asked again: the order is there all the same."""
    buyer = Person(door, "shutting")
    placed = buyer.order()
    assert placed.status_code == 201
    door.client.control("shutting", SetRoom(RoomSettings(**FAST)))
    wait_until(lambda: room(door, "shutting")["mode"] == "open", 10, "it is seen")

    again = buyer.order()

    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json() == placed.json()
    problem(buyer.order(key="cart-2"), 403, "pass-required")


def test_the_back_door_is_closed_in_the_gateway_and_in_redis(door: Front) -> None:
    buyer, other = Person(door, "fast"), Person(door, "fast")
    left = door.client.snapshot("fast").state.stock["phone"].available
    forged = [
        None,
        "x",
        other.let_in(),
        Passes([NEW_SECRET]).issue("still", buyer.name, FAR_MS),
        Passes(["f" * 40]).issue("fast", buyer.name, FAR_MS),
        buyer.headers["Authorization"].removeprefix("Bearer "),
    ]
    for shown in forged:
        refused = problem(buyer.order(shown), 403, "pass-required")
        assert "no pass of this buyer is good" not in refused["detail"], "Redis is not asked"
    # Somebody who knows a secret and was never let in.
    signed = Passes([OLD_SECRET]).issue("fast", buyer.name, FAR_MS)
    assert "no pass of this buyer is good" in problem(buyer.order(signed), 403, "pass-required")["detail"]
    # Somebody who comes past the gateway.
    order = derived_order_id("fast", buyer.name, "cart-1")
    (answer,) = door.client.execute("fast", [Reserve(order, buyer.name, "phone")])
    assert answer.code is Code.NO_PASS
    assert door.client.snapshot("fast").state.stock["phone"].available == left


def test_a_pass_that_is_given_back_is_the_next_ones(door: Front) -> None:
    first, second = Person(door, "narrow"), Person(door, "narrow")
    shown = first.let_in()
    assert second.join()["state"] == "waiting"

    first.request("DELETE")

    assert second.let_in()
    problem(first.order(shown), 403, "pass-required")
