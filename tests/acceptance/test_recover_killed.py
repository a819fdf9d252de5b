"""`flashsale recover`, killed at each of its steps, and while others are at work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from flashsale.client import Client
from flashsale.commands import Code, Reserve
from flashsale.ids import Position
from flashsale.projections import catalog
from flashsale.scripts import script
from tests.acceptance.conftest import SALE, SKU, Shop, assert_one_sentence
from tests.acceptance.recover_kit import KEYS, SHARD, STAGED, knowing, sell_out, selling
from tests.fixtures.meeting import Meeting
from tests.fixtures.processes import Background
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until

__all__ = ["selling"]

#: Ends the tests' patience, not the proxy's: a reply held back that long never comes.
NEVER_S = 600


@dataclass
class Step:
    """Where a recovery is when it is killed."""

    #: a request that holds these bytes never reaches Redis, or its reply never comes back
    request: bytes
    mode: Mode = Mode.BLACK_HOLE
    #: the sale had halted by then; everything was done
    halted: bool = True
    done: bool = False


STEPS = {
    "after the mark in Postgres": Step(script("expire").sha.encode(), halted=False),
    "while it halts the sale": Step(script("expire").sha.encode(), Mode.DELAY),
    "before it stages anything": Step(b"UNLINK"),
    "while it stages orders": Step(STAGED.orders.encode()),
    "while it stages the log": Step(STAGED.events.encode() + b"\r\n$3\r\n2-1"),
    "before the keys are exchanged": Step(script("found").sha.encode()),
    "after the keys were exchanged": Step(script("found").sha.encode(), Mode.DELAY, halted=False, done=True),
}


@contextmanager
def caught(shop: Shop, proxy: Proxy, step: Step) -> Iterator[Background]:
    """A recovery that waits at a step for a reply."""
    proxy.behave(step.mode, when=step.request, delay_s=NEVER_S)
    direct, shop.cli.env["FLASHSALE_REDIS_URL"] = shop.cli.env["FLASHSALE_REDIS_URL"], proxy.url
    shop.cli.env["FLASHSALE_REPLY_TIMEOUT_MS"] = str(NEVER_S * 1_000)
    process = shop.cli.start("recover", SALE, "--yes")

    def waits() -> bool:
        return proxy.counts.swallowed + proxy.counts.replies_delayed > 0 or not process.is_running

    wait_until(waits, 20, "the recovery waits at the step")
    assert process.is_running, process.stderr
    shop.cli.env["FLASHSALE_REDIS_URL"] = direct
    yield process
    proxy.heal()


@pytest.mark.parametrize("name", STEPS)
def test_killed_at_any_step_it_is_repeated(selling: Shop, redis_proxy: Proxy, name: str) -> None:
    step = STEPS[name]
    selling.execute(Reserve("0-unseen-aaaa", "buyer-9", SKU))  # only Redis has it
    selling.redis.delete(KEYS.stock)
    with caught(selling, redis_proxy, step) as process:
        assert process.kill().exit_code == -signal.SIGKILL

    assert catalog.founded_epoch(selling.connection, SHARD) == 2, "marked before anything else"
    with knowing(selling) as client:
        assert (client.snapshot(SALE).lost is not None) == step.halted
        answer = client.reserve(SALE, "0-between-aaaa", "bob", SKU)
    assert answer.code is (Code.RESERVED if step.done else Code.LOG_REGRESSED)

    repeated = selling.finished("recover", SALE, "--yes")

    assert ("nothing to recover" in repeated.stderr) == step.done
    assert catalog.founded_epoch(selling.connection, SHARD) == (2 if step.done else 3)
    with knowing(selling) as client:
        assert client.snapshot(SALE).state.position.epoch == (2 if step.done else 3)
        assert client.snapshot(SALE, everything=True).state.orders["0-unseen-aaaa"].status == "held"
    sell_out(selling)


def test_killed_while_it_writes_postgres(selling: Shop, database_url: str) -> None:
    selling.execute(Reserve("0-unseen-aaaa", "buyer-9", SKU))
    selling.redis.delete(KEYS.stock)
    with Meeting(database_url) as meeting:
        process = selling.cli.start("recover", SALE, "--yes")
        meeting.wait_for_guest()
        process.kill()
        meeting.send_away()

    assert not selling.redis.exists(*STAGED)
    selling.finished("recover", SALE, "--yes")
    sell_out(selling)


def test_two_recoveries_at_once(selling: Shop, redis_proxy: Proxy) -> None:
    selling.redis.flushall()
    with caught(selling, redis_proxy, STEPS["before the keys are exchanged"]) as first:
        second = selling.cli.run("recover", SALE, "--yes")

        assert first.is_running, first.stderr + first.stdout
        assert second.exit_code == 4
        assert "is being recovered by another session: wait for it" in second.stderr
        assert_one_sentence(second)
        first.kill()
    selling.finished("recover", SALE, "--yes")
    sell_out(selling)


def test_a_reply_that_is_lost_is_no_answer(selling: Shop, redis_proxy: Proxy) -> None:
    selling.redis.flushall()
    redis_proxy.behave(Mode.CUT_REPLY, when=script("found").sha.encode(), times=1)
    direct, selling.cli.env["FLASHSALE_REDIS_URL"] = selling.cli.env["FLASHSALE_REDIS_URL"], redis_proxy.url
    done = selling.cli.run("recover", SALE, "--yes")
    selling.cli.env["FLASHSALE_REDIS_URL"] = direct

    assert done.exit_code == 5
    assert "flashsale recover drop" in done.stderr
    assert "nothing to recover" in selling.finished("recover", SALE).stderr
    sell_out(selling)


def test_daemons_that_run_meanwhile_go_on_by_themselves(selling: Shop) -> None:
    selling.execute(Reserve("0-unseen-aaaa", "buyer-9", SKU))
    projector = selling.cli.start("projector", "run", "--name", "p1")
    sweeper = selling.cli.start("sweeper", "run")
    wait_until(
        lambda: selling.finished("projector", "status", "--json").json()["shards"][0]["lag_events"] == 0
    )
    selling.redis.flushall()
    projector.wait_for_output("shard_halted")
    sweeper.wait_for_output("log_regressed")
    status = selling.cli.run("projector", "status")
    assert status.exit_code == 7
    assert "Postgres has applied 1-8, the log in Redis ends at 0-0" in status.stderr

    selling.finished("recover", SALE, "--yes")

    def is_applied() -> bool:
        (shard,) = selling.cli.run("projector", "status", "--json").json()["shards"]
        return (shard["state"], shard["checkpoint"]) == ("ok", "2-1")

    wait_until(is_applied, 20, "the projector goes on by itself")
    assert projector.stop().exit_code == 0
    assert sweeper.stop().exit_code == 0
    sell_out(selling)


def test_a_shop_that_has_seen_more_than_is_left_goes_on(selling: Shop) -> None:
    with Client(selling.cli.env["FLASHSALE_REDIS_URL"]) as seller:
        assert seller.reserve(SALE, "0-unseen-aaaa", "bob", SKU).position == Position(1, 8)
        selling.redis.flushall()
        assert seller.reserve(SALE, "0-second-aaaa", "bob", SKU).code is Code.LOG_REGRESSED
        selling.finished("recover", SALE, "--yes")
        assert seller.reserve(SALE, "0-second-aaaa", "bob", SKU).position == Position(2, 2)
    assert selling.finished("sale", "list", "--json").json()["sales"][0]["state"] == "open"
    assert "was warmed before" in selling.refused(4, "sale", "warm", SALE).stderr
    assert "epoch.started" in selling.finished("events", "tail", SALE).stdout
