"""`flashsale gateway run` when replies are lost, servers go away, clients misbehave and somebody stops it."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.gateway_kit import (
    Crowd,
    Front,
    a_buyer,
    as_buyer,
    http_request,
    logged,
    prepare,
    problem,
    running,
)
from tests.fixtures.proxy import Mode, Proxy
from tests.fixtures.redis_client import redis_client
from tests.helpers import wait_until

CONNECTIONS_MAX = 20


@pytest.fixture(scope="module")
def far_front(
    module_redis_url: str,
    network: Proxy,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Front]:
    """A gateway that reaches its Redis over a network."""
    prepare(module_redis_url, module_database_url)
    home = tmp_path_factory.mktemp("gateway") / "home"
    options = ("--connections-max", str(CONNECTIONS_MAX))
    in_roles = pytestconfig.getoption("--roles")
    with running(home, network.url, module_database_url, *options, in_roles=in_roles) as front:
        yield front


def test_a_lost_reply_is_unknown_and_the_same_key_tells(far_front: Front, network: Proxy) -> None:
    buyer = a_buyer()
    left = far_front.available()
    network.behave(Mode.CUT_REPLY, when=buyer.encode(), times=1)

    lost = far_front.order(buyer=buyer, key="cart-1")

    assert problem(lost, 503, "unknown-outcome")["retry_after_ms"]
    again = far_front.order(buyer=buyer, key="cart-1")
    assert again.status_code == 201
    assert again.headers["idempotency-replayed"] == "true", "the first one was carried out"
    assert far_front.available() == left - 1


def test_a_request_that_did_not_arrive_is_unknown_too_and_the_same_key_buys(
    far_front: Front, network: Proxy
) -> None:
    buyer = a_buyer()
    network.behave(Mode.RESET, when=buyer.encode(), times=1)

    problem(far_front.order(buyer=buyer, key="cart-1"), 503, "unknown-outcome")

    again = far_front.order(buyer=buyer, key="cart-1")
    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers


def test_a_lost_look_at_the_line_changed_nothing(far_front: Front, network: Proxy) -> None:
    buyer, path = a_buyer(), "/v1/sales/drop/queue"
    network.behave(Mode.CUT_REPLY, when=buyer.encode(), times=1)
    problem(far_front.http.get(path, headers=as_buyer(buyer)), 503, "unavailable")

    network.behave(Mode.CUT_REPLY, when=buyer.encode(), times=1)
    problem(far_front.http.post(path, headers=as_buyer(buyer)), 503, "unknown-outcome")


def test_while_redis_is_away_nobody_is_told_anything_and_then_it_goes_on(
    far_front: Front, network: Proxy
) -> None:
    buyer = a_buyer()
    order = far_front.order(buyer=buyer).json()["order"]
    network.behave(Mode.RESET)
    try:
        problem(
            far_front.http.get(f"/v1/sales/drop/orders/{order}", headers=as_buyer(buyer)), 503, "unavailable"
        )
        wait_until(lambda: far_front.http.get("/readyz").status_code == 503, 20, "it is not ready")
        problem(far_front.http.get("/v1/sales/drop"), 503, "unavailable")
        assert far_front.http.get("/healthz").status_code == 200
    finally:
        network.heal()

    wait_until(lambda: far_front.http.get("/readyz").status_code == 200, 20, "it is ready")
    assert far_front.order().status_code == 201
    told = [line["action"] for line in logged(far_front.process)]
    assert 1 <= told.count("gateway_degraded") == told.count("gateway_recovered") <= 3, (
        "not every attempt is told"
    )


def test_a_log_that_lost_its_tail_sells_nothing_and_denies_no_order(far_front: Front, redis_url: str) -> None:
    buyer = a_buyer()
    order = far_front.order(buyer=buyer, sale="drop").json()["order"]
    with redis_client(redis_url) as raw:
        kept = raw.hget("fs:{drop:0}:sale", "seq")
        raw.hset("fs:{drop:0}:sale", "seq", "1")
        try:
            known = far_front.http.get(f"/v1/sales/drop/orders/{order}", headers=as_buyer(buyer))
            problem(known, 503, "halted")
            problem(far_front.order(), 503, "halted")
            wait_until(
                lambda: far_front.http.get("/v1/sales/drop").json()["state"] == "halted", 10, "it is told"
            )
        finally:
            raw.hset("fs:{drop:0}:sale", "seq", kept)
            raw.hdel("fs:{drop:0}:sale", "lost")


# ---------------------------------------------------------------------------------------------- clients who misbehave


def read_all(connection: socket.socket) -> bytes:
    """Until the other side hangs up."""
    found = b""
    while piece := connection.recv(65_536):
        found += piece
    return found


def connect(front: Front) -> socket.socket:
    host, _, port = front.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_heads_and_bodies_that_never_end_are_hung_up_on(far_front: Front) -> None:
    headers = as_buyer(a_buyer()) | {"Idempotency-Key": "k"}
    unfinished = http_request("POST", "/v1/sales/drop/orders", b'{"sku":"phone"}', headers)[:-3]
    with connect(far_front) as silent, connect(far_front) as half, connect(far_front) as bodiless:
        half.sendall(b"GET / HTTP/1.1\r\nHost: te")
        bodiless.sendall(unfinished)
        for connection in (silent, half, bodiless):
            told = read_all(connection)
            assert told.startswith(b"HTTP/1.1 408 "), told
            assert b"#too-slow" in told


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["unfinished", "whole"])
@pytest.mark.parametrize(
    "head", [b"GET /" + b"x" * 20_000, b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000], ids=["path", "header"]
)
def test_a_head_that_is_too_large(far_front: Front, head: bytes, end: bytes) -> None:
    with connect(far_front) as connection:
        connection.sendall(head + (b" HTTP/1.1" if end and head.startswith(b"GET /x") else b"") + end)
        told = read_all(connection)
    assert told.startswith(b"HTTP/1.1 431 "), told
    assert b"#headers-too-large" in told


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /x HTTP/1.1\r\nA: b\x00c\r\n\r\n",
    ],
    ids=["tls", "two-lengths", "length-and-chunks", "negative", "space-before-colon", "nul"],
)
def test_bytes_that_are_no_http(far_front: Front, request_bytes: bytes) -> None:
    with connect(far_front) as connection:
        connection.sendall(request_bytes)
        told = read_all(connection)
    assert told.startswith(b"HTTP/1.1 400 "), told
    assert told.count(b"HTTP/1.1 ") == 1, "one request, one answer"


def test_more_connections_than_allowed_are_told_so(far_front: Front) -> None:
    with Crowd(far_front.url, CONNECTIONS_MAX), connect(far_front) as one_more:
        told = read_all(one_more)
    assert told.startswith(b"HTTP/1.1 503 "), told
    assert b"#overloaded" in told
    wait_until(lambda: far_front.http.get("/healthz").status_code == 200, 10, "others are let in again")


# -------------------------------------------------------------------------------------------------------- its own end


def test_what_is_not_answered_when_a_gateway_must_leave_is_unknown(
    redis_url: str, module_database_url: str, far_front: Front, network: Proxy, tmp_path: Path
) -> None:
    """It waits 10 s for them, and may be told to wait longer for Redis."""
    buyer = a_buyer()
    more = {"FLASHSALE_REPLY_TIMEOUT_MS": "30000"}
    with running(tmp_path / "home", network.url, module_database_url, in_roles=True, **more) as front:
        network.behave(Mode.DELAY, when=buyer.encode(), delay_s=14, times=1)
        delayed = network.counts.replies_delayed
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(front.order(buyer=buyer)))
        asking.start()
        wait_until(lambda: network.counts.replies_delayed > delayed, 10, "the reply is on its way")

        front.process.send(signal.SIGTERM)
        asking.join(20)

        problem(answers[0], 503, "unknown-outcome")
        assert front.process.wait().exit_code == 0


def test_sigterm_lets_the_requests_under_way_be_answered(
    redis_url: str, module_database_url: str, far_front: Front, network: Proxy
) -> None:
    buyer = a_buyer()
    network.behave(Mode.DELAY, when=buyer.encode(), delay_s=1, times=1)
    delayed = network.counts.replies_delayed
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(far_front.order(buyer=buyer)))
    asking.start()
    wait_until(lambda: network.counts.replies_delayed > delayed, 10, "the reply is on its way")

    far_front.process.send(signal.SIGTERM)
    asking.join(20)

    assert [answer.status_code for answer in answers] == [201]
    done = far_front.process.wait()
    assert done.exit_code == 0
    assert logged(far_front.process)[-1]["action"] == "gateway_stopped"
    assert not [line for line in logged(far_front.process) if line["action"] == "gateway_fault"]
