"""What a crowd over HTTP is made of: its latencies, its arrivals, and how it reads an answer."""

from __future__ import annotations

import math
import random

import msgspec
import pytest

from flashsale.bench.http_wire import Garbled, Reply, take
from flashsale.commands import Answer, Code
from flashsale.errors import BadInput, UnknownOutcome, Unreachable
from flashsale.gateway import problems
from flashsale.ids import START
from flashsale.loadtest.histogram import Histogram
from flashsale.loadtest.scenarios import SCENARIOS, Scenario, due
from flashsale.loadtest.target import Target, told

ORDER = {
    "sale": "s",
    "order": "0-order-0001",
    "sku": "a",
    "quantity": 1,
    "status": "held",
    "hold_until_ms": 99,
}


# -------------------------------------------------------------------------------------------------- latencies


def test_percentiles_are_true_within_one_percent() -> None:
    dice, histogram = random.Random(1), Histogram()
    values = sorted(dice.expovariate(20) for _ in range(5_000))
    for value in values:
        histogram.add(value)

    for percent in (1, 50, 90, 99, 99.9):
        exact_ms = values[math.ceil(len(values) * percent / 100) - 1] * 1000
        assert histogram.percentile_ms(percent) == pytest.approx(exact_ms, rel=0.011)
    assert histogram.percentile_ms(100) == pytest.approx(values[-1] * 1000, abs=0.001)
    assert Histogram().percentile_ms(99) == 0


# --------------------------------------------------------------------------------------------------- arrivals


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda one: one.name)
def test_a_crowd_comes_in_the_shape_of_its_scenario(scenario: Scenario) -> None:
    dice = random.Random(3)
    moments = list(due(scenario, 2_000, 5.0, dice))

    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] < 5
    assert len(moments) == pytest.approx(10_000, rel=0.05)
    expected = scenario.shape[0] / sum(scenario.shape)
    first = sum(at < 5 / len(scenario.shape) for at in moments)
    assert first == pytest.approx(expected * len(moments), rel=0.1)


# ---------------------------------------------------------------------------------------------------- answers

HELD = b'HTTP/1.1 201 Created\r\nContent-Length: 2\r\nETag: W/"aB"\r\n\r\n{}'
UNCHANGED = b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n"


@pytest.mark.parametrize("cut", range(len(HELD)))
def test_an_answer_is_taken_when_it_is_whole(cut: int) -> None:
    assert take(HELD[:cut]) is None


def test_what_stands_behind_an_answer_is_left() -> None:
    found, last = take(HELD + UNCHANGED), take(UNCHANGED)
    assert found is not None
    assert last is not None
    reply, rest = found

    assert (reply.status, reply.body, rest) == (201, b"{}", UNCHANGED)
    assert (reply.header(b"etag"), reply.header(b"content-type")) == (b'W/"aB"', b"")
    assert (last[0].status, last[1]) == (304, b"")


@pytest.mark.parametrize(
    "data",
    [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 70_000],
    ids=["no HTTP", "no length", "long"],
)
def test_what_is_no_answer_is_told(data: bytes) -> None:
    with pytest.raises(Garbled):
        take(data)


def reply(status: int, content: object, head: bytes = b"HTTP/1.1\r\n") -> Reply:
    return Reply(status, head, msgspec.json.encode(content))


def problem(kind: problems.Kind, **more: int) -> Reply:
    return reply(kind.status, {"type": kind.type, "status": kind.status, **more})


def test_what_was_done_is_an_answer_and_a_repeat_says_what_the_order_is_by_now() -> None:
    new = told(reply(201, ORDER), Code.RESERVED)
    again = told(reply(201, ORDER, b"HTTP/1.1\r\nIdempotency-Replayed: true\r\n"), Code.RESERVED)

    assert new.answer == Answer(Code.RESERVED, START, "99")
    assert (new.order, new.retry_s) == ("0-order-0001", 0)
    assert again.answer == Answer(Code.RESERVED, START, "99", "held")


def test_a_refusal_that_was_decided_is_an_answer() -> None:
    assert told(problem(problems.SOLD_OUT), Code.RESERVED).answer == Answer(Code.SOLD_OUT, START)


def test_a_payment_that_must_go_back_was_recorded_now_or_before() -> None:
    new = problem(problems.REFUND_DUE, repeated=False)
    again = problem(problems.REFUND_DUE, repeated=True)

    assert told(new, Code.CONFIRMED).answer == Answer(Code.REFUND_DUE, START)
    assert told(again, Code.CONFIRMED).answer == Answer(Code.REFUND_DUE, START, "", "refund_due")


@pytest.mark.parametrize("kind", [problems.OVERLOADED, problems.UNAVAILABLE, problems.UNAUTHENTICATED])
def test_what_was_not_done_is_not_unknown(kind: problems.Kind) -> None:
    found = told(problem(kind, retry_after_ms=700), Code.RESERVED)

    assert type(found.answer) is Unreachable
    assert found.retry_s == 0.7


@pytest.mark.parametrize(
    "answer",
    [
        None,
        problem(problems.UNKNOWN_OUTCOME),
        problem(problems.INTERNAL),
        problem(problems.HALTED),
        Reply(502, b"HTTP/1.1\r\n", b"<html>bad gateway</html>"),
        reply(201, {"no": "order"}),
    ],
    ids=["none", "unknown", "internal", "halted", "a proxy's page", "without an order"],
)
def test_whatever_does_not_say_that_nothing_was_done_is_unknown(answer: Reply | None) -> None:
    found = told(answer, Code.RESERVED)

    assert type(found.answer) is UnknownOutcome
    assert found.retry_s > 0


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://a", "http://a:99999", "http://a/v1", "http://"])
def test_what_is_no_url_of_a_gateway_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="write it like http://127"):
        Target.at(url, "s", "a", None)
