"""The sync client when replies are lost, servers go away or keys are damaged: it never says what is not true."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from flashsale.client import Client
from flashsale.commands import Answer, Code, Reserve, Restock
from flashsale.errors import UnknownOutcome
from tests.fixtures.private_redis import PrivateRedis
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until
from tests.integration.client_kit import SALE, SKU, Shop, order, request, shop_on

#: A reply later than this is lost. Above what a busy machine needs for one.
TIMEOUT_MS = 1_000

Ask = Callable[[Client], Answer]


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """An open sale of 10 units; order 1 holds one, order 2 has paid for one."""
    shop.open_sale(units=10)
    shop.client.execute(SALE, [request(1), request(2)])
    shop.client.confirm(SALE, order(2))
    return shop


ASKS: dict[str, Ask] = {
    "reserve": lambda client: client.reserve(SALE, order(3), "buyer-3", SKU),
    "confirm": lambda client: client.confirm(SALE, order(1)),
    "cancel": lambda client: client.cancel(SALE, order(1)),
    "refund": lambda client: client.refund(SALE, order(2)),
    "restock": lambda client: client.control(SALE, Restock("r-1", "add", SKU, 5)),
}
each_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)


def check_retry(shop: Shop, client: Client, ask: Ask, *, events_before: int, repeated: bool) -> None:
    """After an unknown outcome, two retries find one event, and agree."""
    first, second = ask(client), ask(client)

    assert first.repeated == repeated
    assert second.repeated
    assert (first.code, first.position, first.detail) == (second.code, second.position, second.detail)
    assert len(shop.log()) == events_before + 1
    assert shop.log()[-1][0] == first.position
    shop.state()


# ------------------------------------------------------------------------------------------------------- lost replies


@each_ask
def test_a_lost_reply_leaves_the_outcome_unknown_and_a_retry_finds_it(
    shop: Shop, redis_proxy: Proxy, ask: Ask
) -> None:
    events = len(shop.log())
    with Client(redis_proxy.url) as client:
        client.snapshot(SALE)
        redis_proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
        with pytest.raises(UnknownOutcome, match="retry with the same id"):
            ask(client)
        assert len(shop.log()) == events + 1, "it was carried out"

        check_retry(shop, client, ask, events_before=events, repeated=True)


@each_ask
def test_a_request_that_got_lost_is_carried_out_by_the_retry(
    shop: Shop, redis_proxy: Proxy, ask: Ask
) -> None:
    events = len(shop.log())
    with Client(redis_proxy.url) as client:
        client.snapshot(SALE)
        redis_proxy.behave(Mode.RESET, when=b"EVALSHA", times=1)
        with pytest.raises(UnknownOutcome):
            ask(client)

        check_retry(shop, client, ask, events_before=events, repeated=False)


def test_a_lost_reply_to_many_requests_loses_none(shop: Shop, redis_proxy: Proxy) -> None:
    many = [Reserve(order(i), f"buyer-{i}", SKU) for i in range(10, 700)]
    shop.client.control(SALE, Restock("r-1", "add", SKU, 682))
    with Client(redis_proxy.url) as client:
        redis_proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
        with pytest.raises(UnknownOutcome):
            client.execute(SALE, many)

        assert {answer.code for answer in client.execute(SALE, many)} == {Code.RESERVED}
    assert shop.state().stock[SKU].available == 0


def test_a_network_that_swallows_everything_is_given_up(shop: Shop, redis_proxy: Proxy) -> None:
    events = len(shop.log())
    with Client(redis_proxy.url, timeout_ms=TIMEOUT_MS) as client:
        client.snapshot(SALE)
        redis_proxy.behave(Mode.BLACK_HOLE)
        with pytest.raises(UnknownOutcome):
            ASKS["reserve"](client)
        redis_proxy.heal()

        check_retry(shop, client, ASKS["reserve"], events_before=events, repeated=False)


# ------------------------------------------------------------------------------------------------------- late replies


def test_a_server_that_takes_no_writes_for_a_while_is_given_up(shop: Shop) -> None:
    events = len(shop.log())
    shop.redis.client_pause(60_000, all=False)
    try:
        with Client(shop.url, timeout_ms=TIMEOUT_MS) as client, pytest.raises(UnknownOutcome):
            ASKS["reserve"](client)
    finally:
        shop.redis.client_unpause()

    first, second = ASKS["reserve"](shop.client), ASKS["reserve"](shop.client)
    assert first.position == second.position
    assert len(shop.log()) == events + 1


def test_a_server_that_hangs_may_carry_it_out_later(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop, Client(private_redis.url, timeout_ms=TIMEOUT_MS) as client:
        shop.open_sale(units=10)
        client.reserve(SALE, order(1), "buyer-1", SKU)
        events = len(shop.log())
        pid: int = shop.redis.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(UnknownOutcome):
            ASKS["reserve"](client)
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: len(shop.log()) == events + 1, description="the server reads what was sent")

        check_retry(shop, client, ASKS["reserve"], events_before=events, repeated=True)


def test_a_server_that_dies_before_it_replies_leaves_the_outcome_unknown(private_redis: PrivateRedis) -> None:
    with shop_on(private_redis) as shop, Proxy(private_redis.url) as proxy, Client(proxy.url) as client:
        shop.load_scripts().open_sale(units=10)
        client.snapshot(SALE)
        events, passed = len(shop.log()), proxy.counts.requests_passed
        os.kill(shop.redis.info("server")["process_id"], signal.SIGSTOP)
        killer = threading.Thread(target=kill_after, args=(private_redis, proxy, passed))
        killer.start()
        with pytest.raises(UnknownOutcome):
            ASKS["reserve"](client)
        killer.join()
        private_redis.start()

        check_retry(shop, client, ASKS["reserve"], events_before=events, repeated=False)


def kill_after(private_redis: PrivateRedis, proxy: Proxy, passed: int) -> None:
    """Kill the server as soon as more than `passed` requests have been sent to it."""
    wait_until(lambda: proxy.counts.requests_passed > passed, description="a request passes")
    private_redis.kill()


@contextlib.contextmanager
def ctrl_c_after(proxy: Proxy) -> Iterator[None]:
    """Interrupt the main thread, as Ctrl-C does, as soon as the next request has passed the proxy."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def wait_and_send() -> None:
        wait_until(lambda: proxy.counts.requests_passed > passed, description="a request passes")
        signal.pthread_kill(main, signal.SIGUSR1)

    passed, main = proxy.counts.requests_passed, threading.get_ident()
    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=wait_and_send)
    thread.start()
    yield
    thread.join()
    signal.signal(signal.SIGUSR1, before)


def test_ctrl_c_between_request_and_reply_does_not_give_the_reply_to_the_next_request(
    shop: Shop, redis_proxy: Proxy
) -> None:
    with Client(redis_proxy.url) as client:
        client.snapshot(SALE)
        redis_proxy.behave(Mode.DELAY, when=b"EVALSHA", times=1, delay_s=1)
        with ctrl_c_after(redis_proxy), pytest.raises(KeyboardInterrupt):
            client.reserve(SALE, order(3), "ann", SKU)

        answer = client.reserve(SALE, order(4), "bob", SKU)

    assert shop.places(order(4)) == [("order.reserved", answer.position)]
    assert len(shop.places(order(3))) == 1, "the interrupted one was carried out"
    assert not answer.repeated
