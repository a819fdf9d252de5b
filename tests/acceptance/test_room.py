"""`flashsale room`: a sale gets a waiting room, those who wait are told something, the draw is audited."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

from flashsale.client import Client
from flashsale.commands import Admit, Close, Code, Join, RoomSettings, SetRoom
from flashsale.room import Shuffle
from tests.acceptance.conftest import SALE, Shop
from tests.helpers import wait_until

SEED = "5eed" * 16


def test_a_room_is_set_changed_and_shown(shop: Shop) -> None:
    shop.open()
    assert "has no waiting room" in shop.refused(3, "room", "show", SALE).stderr
    assert "needs --rate and --active" in shop.refused(2, "room", "set", SALE, "--rate", "5").stderr

    done = shop.finished(
        "room", "set", SALE, "--rate", "50", "--active", "200", "--pass-ttl", "90s", "--json"
    )
    assert done.json()["code"] == "ROOM_SET"
    shop.finished("room", "set", SALE, "--mode", "queue-all", "--leave-after", "1m", "--no-shuffle")
    shop.finished("room", "message", SALE, "We wait for a truck")
    shop.client.join(SALE, "ada")

    shown = shop.finished("room", "show", SALE, "--json").json()
    expected = {
        "sale": SALE, "mode": "queue-all", "rate_per_s": 50, "active_max": 200, "pass_ttl_ms": 90_000,
        "leave_after_ms": 60_000, "shuffle": False, "message": "We wait for a truck", "drawn": None, "seed": "",
        "tickets": 1, "serving": 0, "waiting": 1, "active": 0,
    }  # fmt: skip
    assert shown.items() >= expected.items()
    text = shop.finished("room", "show", SALE).stdout
    for part in (
        "queue-all: nobody is called",
        "50 a second",
        "0 of 200",
        "1 at most",
        "We wait for a truck",
    ):
        assert part in text
    shop.finished("room", "message", SALE, "")
    assert shop.finished("room", "show", SALE, "--json").json()["message"] == ""


def test_two_operators_at_the_same_moment_keep_what_each_of_them_changed(shop: Shop, redis_url: str) -> None:
    """The second one reads the settings before the first one has written, and writes afterwards."""
    shop.open()
    shop.control(SetRoom(RoomSettings(rate_per_s=5, active_max=5)))
    shop.client.room(SALE)  # Redis knows the script now: what only reads is not held

    def held() -> int:
        return int(shop.redis.info("clients")["blocked_clients"])

    with Client(redis_url, by="first", timeout_ms=60_000) as client, ThreadPoolExecutor(1) as pool:
        shop.redis.client_pause(60_000, all=False)
        try:
            first = pool.submit(client.control, SALE, SetRoom(RoomSettings(rate_per_s=7, active_max=5)))
            wait_until(lambda: held() == 1, 20, "the first one is about to write")
            second = shop.cli.start("room", "message", SALE, "Back at ten")
            wait_until(lambda: held() == 2, 20, "the second one has read, and is about to write")
        finally:
            shop.redis.client_unpause()
        assert first.result().code is Code.ROOM_SET
        assert second.wait().exit_code == 0

    assert shop.client.room(SALE).settings == RoomSettings(rate_per_s=7, active_max=5, message="Back at ten")


def test_what_cannot_be_set_is_refused(shop: Shop) -> None:
    shop.open()
    for args, exit_code, sentence in (
        (("set", SALE, "--rate", "0", "--active", "5"), 2, "rate: '0' is not accepted"),
        (("set", SALE, "--rate", "5", "--active", "2000000"), 2, "active: '2000000' is not accepted"),
        (
            ("set", SALE, "--rate", "5", "--active", "5", "--mode", "shut"),
            2,
            "use open, queue-all, pass-through",
        ),
        (("set", SALE, "--rate", "5", "--active", "5", "--pass-ttl", "5s"), 2, "between 10 s and 1 d"),
        (("set", SALE, "--rate", "5", "--active", "5", "--leave-after", "2h"), 2, "between 10 s and 1 h"),
        (("message", SALE, "two\nlines"), 2, "use one line of text"),
        (("message", SALE, "hello"), 3, "has no waiting room"),
        (("set", "nowhere", "--rate", "5", "--active", "5"), 3, "is not defined"),
        (("show", "nowhere"), 3, "is not defined"),
        (("audit", "nowhere"), 3, "is not defined"),
        (("audit", SALE), 3, "has no waiting room"),
        (("audit", SALE, "--ticket", "-1"), 2, "ticket: '-1' is not accepted"),
    ):
        assert sentence in shop.refused(exit_code, "room", *args).stderr
    shop.control(Close())
    assert "is closed; only a sale that is not closed" in (
        shop.refused(4, "room", "set", SALE, "--rate", "5", "--active", "5").stderr
    )


def test_a_reservation_without_a_pass_is_told_why(shop: Shop) -> None:
    shop.open()
    shop.finished("room", "set", SALE, "--rate", "5", "--active", "5")

    assert "no pass" in shop.refused(4, "order", "reserve", SALE, "phone", "--buyer", "ada").stderr


def test_the_draw_is_audited_before_and_after(shop: Shop) -> None:
    shop.open()
    shop.control(SetRoom(RoomSettings(rate_per_s=5, active_max=5), SEED))
    shop.client.execute(SALE, [Join(f"b{n}") for n in range(20)])
    digest = hashlib.sha256(SEED.encode()).hexdigest()

    before = shop.finished("room", "audit", SALE, "--json")
    assert before.json()["draw"] is None
    assert before.json()["commitments"][0]["commitment"] == digest
    assert "not drawn yet" in before.stderr

    shop.client.execute(SALE, [Admit()])
    shop.control(SetRoom(RoomSettings(rate_per_s=9, active_max=9)))
    after = shop.finished("room", "audit", SALE, "--ticket", "3", "--ticket", "25", "--json")
    told = after.json()
    assert (told["draw"]["drawn"], told["draw"]["seed"], told["draw"]["fits"]) == (20, SEED, True)
    assert told["places"] == {"3": Shuffle(SALE, 20, SEED).place_of(3), "25": 25}
    assert len(told["commitments"]) == 1
    text = shop.finished("room", "audit", SALE, "--ticket", "3").stdout
    for part in (digest, SEED, "20 tickets", f"place {told['places']['3']}"):
        assert part in text


def test_a_line_that_was_not_shuffled_is_told_as_such(shop: Shop) -> None:
    shop.open()
    shop.control(SetRoom(RoomSettings(rate_per_s=5, active_max=5), SEED))
    shop.client.execute(SALE, [Join(f"b{n}") for n in range(3)])
    shop.control(SetRoom(RoomSettings(rate_per_s=5, active_max=5, shuffle=False)))
    shop.client.execute(SALE, [Admit()])

    done = shop.finished("room", "audit", SALE, "--ticket", "2")

    assert "No place was drawn" in done.stderr
    assert "place 2" in done.stdout


def test_a_seed_that_was_not_committed_to_is_found(shop: Shop) -> None:
    shop.open()
    shop.control(SetRoom(RoomSettings(rate_per_s=5, active_max=5), SEED))
    body = f'["sale.line_drawn",1,5,"forger",3,"{"f" * 64}"]'
    shop.redis.xadd(f"fs:{{{SALE}:0}}:events", {"e": body}, id="1-5")

    done = shop.cli.run("room", "audit", SALE)

    assert done.exit_code == 6
    assert "not the one that was committed to" in done.stderr


def test_a_seed_that_redis_lost_is_told(shop: Shop) -> None:
    shop.open()
    shop.control(SetRoom(RoomSettings(rate_per_s=5, active_max=5), SEED))
    shop.redis.delete(f"fs:{{{SALE}:0}}:room")
    shop.control(SetRoom(RoomSettings(rate_per_s=5, active_max=5)))
    shop.redis.delete(f"fs:{{{SALE}:0}}:room")
    shop.client.execute(SALE, [Admit()])

    done = shop.finished("room", "audit", SALE)

    assert "Redis had lost the seed" in done.stderr
    assert "The commitment was changed" in done.stderr
