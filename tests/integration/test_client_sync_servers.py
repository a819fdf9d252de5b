"""The sync client and its server: gone, restarted, refusing to work, or holding what flashsale did not write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from flashsale.client import Client
from flashsale.client.wire import CALLS_PER_ROUND
from flashsale.commands import BATCH_MAX, Code, Confirm, Expire, Item, Load, Open, Reconfigure
from flashsale.errors import BadInput, FlashsaleError, Halted, UnknownOutcome, Unreachable
from flashsale.keys import ShardKeys
from tests.fixtures.private_redis import PrivateRedis
from tests.helpers import free_port
from tests.integration.client_kit import HOLD_MS, SALE, SKU, Shop, order, request, shop_on


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """An open sale of 10 units; order 1 holds one."""
    shop.open_sale(units=10)
    shop.client.reserve(SALE, order(1), "ann", SKU)
    return shop


@contextmanager
def raises_exactly(kind: type[FlashsaleError], match: str) -> Iterator[None]:
    """Not one of its subclasses: whoever reads UnknownOutcome must retry, whoever reads Unreachable need not."""
    with pytest.raises(kind, match=match) as caught:
        yield
    assert type(caught.value) is kind


# ----------------------------------------------------------------------------------------------------------- nobody


@pytest.mark.parametrize(
    "url", ["unix:///nowhere/redis.sock", f"redis://127.0.0.1:{free_port()}"], ids=["socket", "port"]
)
def test_a_server_that_is_not_there_is_unreachable(url: str) -> None:
    with Client(url) as client:
        asks: list[Callable[[], object]] = [
            lambda: client.reserve(SALE, order(1), "ann", SKU),
            lambda: client.execute(SALE, [request(1), request(2)]),
            lambda: client.control(SALE, Open()),
            lambda: client.expire(SALE, Expire()),
            lambda: client.snapshot(SALE),
            lambda: client.order(SALE, order(1)),
        ]
        for ask in asks:
            with raises_exactly(Unreachable, "^Redis cannot be reached: "):
                ask()


def test_a_password_that_is_wrong_is_unreachable_and_not_shown(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop:
        shop.redis.config_set("requirepass", "open sesame")
        for url in (private_redis.url, private_redis.url.replace("unix://", "unix://:close-sesame@")):
            # Redis 7.0 says so later than Valkey: at the first request, not at the greeting.
            refused = "^Redis (cannot be reached|refuses to work): (?!.*sesame)"
            with Client(url) as client, raises_exactly(Unreachable, refused):
                client.snapshot(SALE)
        with Client(private_redis.url.replace("unix://", "unix://:open sesame@")) as client:
            assert not client.snapshot(SALE).is_loaded


def test_a_user_who_may_not_look_at_the_log_is_not_told_that_it_is_lost(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop:
        shop.open_sale(units=10)
        shop.redis.execute_command("ACL", "SETUSER", "blind", "on", ">x", "~*", "&*", "+@all", "-xinfo")
        with Client(private_redis.url.replace("unix://", "unix://blind:x@")) as client:
            asks: list[Callable[[], object]] = [
                lambda: client.reserve(SALE, order(1), "ann", SKU),
                lambda: client.control(SALE, Reconfigure(hold_ms=HOLD_MS)),
                lambda: client.snapshot(SALE),
            ]
            for ask in asks:
                with raises_exactly(Unreachable, "^Redis refuses to work: "):
                    ask()


# ---------------------------------------------------------------------------------------------------------- restarted


def test_nothing_acknowledged_is_gone_after_a_crash_and_the_client_recovers_by_itself(
    private_redis: PrivateRedis,
) -> None:
    with shop_on(private_redis) as shop:
        shop.open_sale(units=1000)
        before = shop.client.execute(SALE, [request(i) for i in range(600)])
        private_redis.kill()
        private_redis.start()

        answers = shop.client.execute(SALE, [request(i) for i in range(700)])

        assert [answer.position for answer in answers[:600]] == [answer.position for answer in before]
        assert {answer.code for answer in answers} == {Code.RESERVED}
        assert [answer.repeated for answer in answers] == [True] * 600 + [False] * 100
        assert shop.state().stock[SKU].held == 700


def test_a_server_that_is_down_is_unreachable_until_it_is_back(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop:
        shop.open_sale(units=10)
        private_redis.kill()
        for _ in range(2):
            with raises_exactly(Unreachable, "^Redis cannot be reached: "):
                shop.client.reserve(SALE, order(1), "ann", SKU)
        private_redis.start()

        answer = shop.client.reserve(SALE, order(1), "ann", SKU)

        assert (answer.code, answer.repeated) == (Code.RESERVED, False)


@pytest.mark.parametrize("times", [1, 3])
def test_an_idle_connection_that_was_closed_is_opened_again(shop: Shop, times: int) -> None:
    for i in range(times):
        shop.redis.client_kill_filter(_type="normal", skipme=True)
        assert shop.client.reserve(SALE, order(10 + i), "bob", SKU).code is Code.RESERVED


def test_a_client_that_was_closed_opens_its_connection_again(shop: Shop) -> None:
    shop.client.close()
    shop.client.close()

    assert shop.client.reserve(SALE, order(2), "bob", SKU).code is Code.RESERVED


def test_a_server_that_lost_its_data_sells_nothing(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop:
        shop.open_sale(units=10)
        shop.redis.flushall()

        assert shop.client.reserve(SALE, order(1), "ann", SKU).code is Code.LOG_REGRESSED
        assert shop.client.control(SALE, Load((Item(SKU, 10),), HOLD_MS)).code is Code.LOG_REGRESSED
        assert shop.redis.dbsize() == 0


# --------------------------------------------------------------------------------------------------- refuses to work


@pytest.mark.parametrize(
    ("refuse", "word"),
    [
        (lambda server: server.config_set("maxmemory", 1), "OOM"),
        (lambda server: server.replicaof("127.0.0.1", 1), "READONLY"),
        (lambda server: server.config_set("min-replicas-to-write", 1), "NOREPLICAS"),
        (lambda server: server.execute_command("ACL", "SETUSER", "default", "-evalsha"), "NOPERM"),
    ],
    ids=["OOM", "READONLY", "NOREPLICAS", "NOPERM"],
)
def test_a_server_that_refuses_to_work_has_done_nothing(
    private_redis: PrivateRedis, refuse: Callable[[redis.Redis], object], word: str
) -> None:
    with shop_on(private_redis) as shop:
        shop.load_scripts().open_sale(units=10)
        log = shop.log()
        refuse(shop.redis)

        with raises_exactly(Unreachable, f"^Redis refuses to work: {word} "):
            shop.client.reserve(SALE, order(1), "ann", SKU)
        assert shop.log() == log


def test_a_server_that_refused_a_part_is_not_said_to_have_done_nothing(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop:
        shop.load_scripts().open_sale(units=10)
        shop.client.reserve(SALE, order(1), "ann", SKU)
        shop.redis.config_set("maxmemory", 1)
        first_round = [Confirm(order(number)) for number in range(1, CALLS_PER_ROUND * BATCH_MAX + 1)]

        for paid in ([Confirm(order(1))], first_round):
            with raises_exactly(UnknownOutcome, "a part may be done, the rest is not: .*OOM"):
                shop.client.execute(SALE, [*paid, request(2)])
        assert [kind for kind, _ in shop.places(order(1))] == ["order.reserved", "order.confirmed"]


def test_full_memory_lets_a_buyer_pay(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop:
        shop.load_scripts().open_sale(units=10)
        shop.client.reserve(SALE, order(1), "ann", SKU)
        shop.redis.config_set("maxmemory", 1)

        assert shop.client.confirm(SALE, order(1)).code is Code.CONFIRMED


# ------------------------------------------------------------------------------------------------------------- damage


def test_a_record_that_flashsale_did_not_write_halts(shop: Shop) -> None:
    shop.redis.hset(shop.keys().stock, SKU, "abc")

    with raises_exactly(Halted, rf"^Redis holds something flashsale did not write \(stock {SKU}\)"):
        shop.client.reserve(SALE, order(2), "bob", SKU)
    with raises_exactly(Halted, "^Redis holds a record that flashsale did not write"):
        shop.client.snapshot(SALE)
    assert shop.places(order(2)) == []


@pytest.mark.parametrize("key", [key for key in ShardKeys._fields if key != "events"])
def test_a_key_of_another_type_halts(shop: Shop, key: str) -> None:
    shop.redis.set(getattr(shop.keys(), key), "foreign")

    with raises_exactly(Halted, "^a key of this sale has another type than flashsale gave it: "):
        shop.client.reserve(SALE, order(2), "bob", SKU)


@pytest.mark.parametrize("record", ["", "held", "held phone x ann 5 1-4"])
def test_an_order_that_cannot_be_read_halts(shop: Shop, record: str) -> None:
    shop.redis.hset(shop.keys().orders, order(1), record)

    with raises_exactly(Halted, "that flashsale did not write"):
        shop.client.order(SALE, order(1))
    with raises_exactly(Halted, "^Redis holds something flashsale did not write"):
        shop.client.confirm(SALE, order(1))


def test_one_bad_shard_does_not_stop_the_connection(shop: Shop) -> None:
    shop.redis.set(shop.keys("bad").sale, "foreign")
    with pytest.raises(Halted):
        shop.client.execute("bad", [request(i) for i in range(600)])

    answer = shop.client.reserve(SALE, order(2), "bob", SKU)

    assert shop.places(order(2)) == [("order.reserved", answer.position)]


def test_what_only_the_script_can_know_is_bad_input(shop: Shop) -> None:
    """The opening time that is stored comes after the new closing time."""
    shop.client.control(SALE, Reconfigure(opens_ms=2_000))

    with raises_exactly(BadInput, "^closes_ms: "):
        shop.client.control(SALE, Reconfigure(closes_ms=1_999))
    with raises_exactly(BadInput, "^sku: "):
        shop.client.control("twice", Load((Item("A", 1), Item("A", 1)), HOLD_MS))
