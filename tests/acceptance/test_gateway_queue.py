"""`flashsale gateway run`: the waiting room over HTTP."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest

from flashsale.commands import Code, Open, Pause, Resume, RoomSettings, SetRoom
from flashsale.room import Shuffle
from tests.acceptance.gateway_kit import (
    Crowd,
    Front,
    a_buyer,
    as_service,
    http_request,
    logged,
    problem,
    running,
)
from tests.acceptance.queue_kit import FAST, Person, room
from tests.fixtures.processes import Cli
from tests.helpers import wait_until

# ---------------------------------------------------------------------------------------------------------- the line


def test_a_place_is_kept_over_a_reload_and_everybody_has_one(door: Front) -> None:
    first, second = Person(door, "still"), Person(door, "still")
    began = first.join()

    assert (began["state"], began["ahead"]) == ("waiting", began["place"])
    assert began["pass"] is None
    assert 0 < began["heartbeat_after_ms"] < 120_000 / 2, "one sign may be lost"
    assert second.join()["ticket"] == began["ticket"] + 1
    reloaded = Person(door, "still", first.name)
    assert reloaded.look()["ticket"] == reloaded.join()["ticket"] == began["ticket"]
    wait_until(lambda: room(door, "still")["waiting"] >= 2, 10, "the page counts them")


def test_one_place_for_each_buyer_in_however_many_tabs(door: Front) -> None:
    buyer = Person(door, "still")
    before = Person(door, "still").join()["ticket"]
    tabs = 20
    with Crowd(door.url, tabs) as crowd:
        statuses = crowd.ask(
            http_request("POST", "/v1/sales/still/queue", b"", buyer.headers) for _ in range(tabs)
        )
    assert statuses == [200] * tabs
    assert buyer.join()["ticket"] == before + 1
    assert Person(door, "still").join()["ticket"] == before + 2


def test_leaving(door: Front) -> None:
    buyer = Person(door, "still")
    ticket = buyer.join()["ticket"]

    for _ in range(2):
        assert buyer.request("DELETE").json() == {"sale": "still", "state": "left"}
    problem(buyer.request("GET"), 404, "not-in-line")
    assert buyer.join()["ticket"] > ticket, "at the end"


def test_who_leaves_again_and_again_is_asked_to_wait_and_nobody_else_is(door: Front) -> None:
    """Each time takes a ticket for good: one buyer must not use up all that there are."""
    buyer = Person(door, "still")
    tickets, left = list[int](), list[httpx.Response]()

    def is_refused() -> bool:
        tickets.append(buyer.join()["ticket"])
        left.append(buyer.request("DELETE"))
        return left[-1].status_code != 200

    # How often is a matter of how fast: one more is allowed with every second.
    wait_until(is_refused, 20, "leaving is refused")
    assert problem(left[-1], 429, "too-many-requests")["retry_after_ms"]

    assert buyer.look()["ticket"] == tickets[-1]
    other = Person(door, "still")
    other.join()
    assert other.request("DELETE").status_code == 200


def test_only_a_buyer_waits_and_only_where_there_is_a_sale(door: Front) -> None:
    for method in ("POST", "GET", "DELETE"):
        path = "/v1/sales/still/queue"
        problem(door.http.request(method, path), 401, "unauthenticated")
        problem(door.http.request(method, path, headers=as_service()), 403, "forbidden")
        problem(Person(door, "nothing").request(method), 404, "unknown-sale")
        problem(Person(door, "past").request(method), 409, "closed")
    for method in ("POST", "GET", "DELETE"):
        problem(Person(door, "cold").request(method), 409, "not-open")
    problem(Person(door, "still").request("PUT"), 405, "method-not-allowed")


@pytest.mark.parametrize(("sale", "state"), [("drop", "no_room"), ("free", "admitted")])
def test_where_nobody_waits_everybody_orders(door: Front, sale: str, state: str) -> None:
    buyer = Person(door, sale)
    stands = buyer.join()
    assert stands["state"] == state
    assert (stands["ticket"], stands["chance"], stands["heartbeat_after_ms"]) == (None, None, None)
    assert buyer.order().status_code == 201
    assert (room(door, sale) is None) == (state == "no_room")


# ------------------------------------------------------------------------------------------------- who is called when


def test_queue_all_lets_nobody_in(door: Front) -> None:
    buyer = Person(door, "still")
    stands = buyer.join()

    answer = door.client.admit("still", 1_000)

    assert (answer.code, answer.detail) == (Code.HELD, "queue-all")
    assert buyer.join()["state"] == "waiting"
    assert (stands["wait_min_ms"], stands["wait_max_ms"]) == (None, None)
    problem(buyer.order(), 403, "pass-required")


def test_a_pause_holds_the_line(door: Front) -> None:
    door.client.control("pausing", Pause())
    wait_until(lambda: door.http.get("/v1/sales/pausing").json()["state"] == "paused", 10, "it is seen")
    buyer = Person(door, "pausing")
    stands = buyer.join()

    answer = door.client.admit("pausing", 1_000)

    assert (answer.code, answer.detail) == (Code.HELD, "paused")
    assert buyer.join()["ticket"] == stands["ticket"]
    door.client.control("pausing", Resume())
    assert buyer.order(buyer.let_in()).status_code == 201


def test_sold_out_for_you_and_back_again(door: Front) -> None:
    first, second = Person(door, "scarce"), Person(door, "scarce")
    order = first.order(first.let_in()).json()["order"]

    def chance() -> str:
        stands = second.join()
        assert stands["state"] == "waiting"
        return str(stands["chance"])

    wait_until(lambda: chance() == "uncertain", 10, "it may come back")
    path = f"/v1/sales/scarce/orders/{order}"
    assert door.http.post(f"{path}/confirm", headers=as_service()).status_code == 200
    wait_until(lambda: chance() == "none", 10, "it is gone")
    assert door.client.admit("scarce", 1_000).detail == "no-stock"
    refund = door.http.post(f"{path}/refund", headers=as_service(), json={"units": "restock"})
    assert refund.status_code == 200
    assert second.order(second.let_in()).status_code == 201


def test_the_operators_sentence_is_seen_while_one_waits(door: Front) -> None:
    buyer = Person(door, "told")
    assert buyer.join()["message"] == ""
    sentence = "The second delivery comes at 20:15 – stay."

    done = door.client.control("told", SetRoom(RoomSettings(**FAST, mode="queue-all", message=sentence)))

    assert done.code is Code.ROOM_SET
    wait_until(lambda: room(door, "told")["message"] == sentence, 10, "the page has it")
    assert buyer.look()["message"] == sentence


def test_the_line_is_drawn_at_the_opening_and_anybody_can_check_it(door: Front) -> None:
    people = [Person(door, "drawn") for _ in range(20)]
    tickets = [person.join()["ticket"] for person in people]
    assert tickets == list(range(20))
    stands = people[0].look()
    assert (stands["place"], stands["ahead"], stands["chance"]) == (None, None, "good")
    wait_until(lambda: room(door, "drawn"), 10, "the page has a room")
    before = room(door, "drawn")
    assert (before["drawn"], before["seed"]) == (None, None)

    door.client.control("drawn", Open(at_once=True))

    wait_until(lambda: room(door, "drawn")["drawn"] == 20, 10, "it is drawn")
    after = room(door, "drawn")
    assert after["commitment"] == before["commitment"] == hashlib.sha256(after["seed"].encode()).hexdigest()
    shuffle = Shuffle("drawn", 20, after["seed"])
    places = {ticket: shuffle.place_of(ticket) for ticket in tickets}
    assert sorted(places.values()) == tickets
    stood = [person.look() for person in people]
    assert {s["ticket"]: s["place"] for s in stood if s["state"] == "waiting"}.items() <= places.items()
    assert Person(door, "drawn").join()["place"] == 20, "who comes later stands behind"


# ------------------------------------------------------------------------------------------------- several, and slower


def test_two_gateways_let_in_no_more_than_one(
    door: Front, redis_url: str, module_database_url: str, line_home: Path, pytestconfig: pytest.Config
) -> None:
    for _ in range(200):
        door.client.join("rated", a_buyer())
    in_roles = pytestconfig.getoption("--roles")
    with running(line_home / "two", redis_url, module_database_url, in_roles=in_roles) as other:
        wait_until(lambda: room(other, "rated")["now_serving"] > 0, 10, "both call")
        began, began_ms = room(other, "rated")["now_serving"], door.client.now_ms()
        wait_until(lambda: door.client.now_ms() - began_ms > 5_000, 20, "a while is over")
        called, lasted_s = (
            room(door, "rated")["now_serving"] - began,
            (door.client.now_ms() - began_ms) / 1_000,
        )
    assert 0 < called <= 10 * (lasted_s + 2), "ten a second, and two seconds may be made up for"


def test_a_postgres_that_is_behind_slows_the_line_and_no_longer(door: Front, projectors: Cli) -> None:
    def told() -> list[str]:
        lines = [line for line in logged(door.process) if line.get("sale") == "lagging"]
        return [line["action"] for line in lines if line["action"].startswith("room_")]

    # On a busy machine it may have been behind at its start.
    wait_until(lambda: told()[-1:] != ["room_slowed"], 20, "Postgres is not behind")
    before = told()
    projectors.started[-1].stop()
    buyer = Person(door, "lagging")
    assert buyer.order(buyer.let_in()).status_code == 201

    wait_until(lambda: told() == [*before, "room_slowed"], 20, "it is slowed")
    projectors.start("projector", "run", "--name", "test")
    wait_until(lambda: told() == [*before, "room_slowed", "room_at_full_rate"], 20, "it is over")
