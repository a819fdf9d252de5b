"""`flashsale recover`: what an operator sees and types after Redis lost a sale's log; killed at each of its steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from flashsale.client import Client, Fences
from flashsale.commands import Close, Code, Confirm, Open, Reserve
from flashsale.ids import Position
from flashsale.keys import shard_keys, staged_keys
from flashsale.projections import catalog
from flashsale.reconcile import compare
from flashsale.scripts import script
from flashsale.stream import Log, ShardId
from tests.acceptance.conftest import SALE, SKU, Shop, assert_one_sentence
from tests.fixtures.meeting import Meeting
from tests.fixtures.processes import Background
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until

SHARD = ShardId(SALE, 0)
KEYS, STAGED = shard_keys(SALE, 0), staged_keys(SALE, 0)
UNITS = 10
#: Ends the tests' patience, not the proxy's: a reply held back that long never comes.
NEVER_S = 600


@pytest.fixture
def selling(shop: Shop) -> Shop:
    """A sale as the commands make it, with three orders, one of them paid; Postgres has all of them."""
    shop.define(quantity=UNITS)
    shop.finished("sale", "warm", SALE)
    shop.finished("sale", "open", SALE)
    shop.execute(*(Reserve(f"0-order-{n}-aaaa", f"buyer-{n}", SKU) for n in range(3)))
    shop.execute(Confirm("0-order-0-aaaa"))
    shop.project()
    return shop


def knowing(shop: Shop) -> Client:
    """A new client of the shop: its fence is what Postgres knows."""
    fences = Fences()
    for shard, position in catalog.fences(shop.connection).items():
        fences.saw(*shard, position)
    return Client(shop.cli.env["FLASHSALE_REDIS_URL"], fences=fences)


def sell_out(shop: Shop) -> None:
    """Sell exactly what is left, project, and have the books compared."""
    with knowing(shop) as client:
        left = client.snapshot(SALE).state.stock[SKU].available
        requests = [Reserve(f"0-late-{n}-aaaa", "late", SKU) for n in range(left + 2)]
        codes = [answer.code for answer in client.execute(SALE, requests)]
    assert codes == [Code.RESERVED] * left + [Code.SOLD_OUT] * 2
    shop.project()
    shown = shop.finished("sale", "show", SALE, "--json").json()
    assert sum(group["units"] for group in shown["orders_in_postgres"].values()) == UNITS
    assert not shop.redis.exists(*STAGED)
    with Log(shop.cli.env["FLASHSALE_REDIS_URL"]) as log:
        assert compare(shop.client, log, shop.connection, SHARD, timeout_s=10).drifts == []
    (shop.cli.home / "log").write_text(shop.finished("events", "export", SALE).stdout, encoding="utf-8")
    shop.finished("verify", "log")


def test_what_an_operator_sees_and_types(selling: Shop) -> None:
    selling.redis.flushall()

    told = selling.cli.run("recover", SALE)

    assert told.exit_code == 7
    assert "Postgres  has applied 1-7" in told.stdout
    assert "FORK of drop:0: Redis has lost 7 events behind 0-0" in told.stdout
    assert "0-order-0-aaaa         buyer-0" in told.stdout
    assert told.stderr.splitlines() == ["Nothing was changed.", "Next: flashsale recover drop --yes"]
    assert not selling.redis.keys("*"), "only said"

    done = selling.finished("recover", SALE, "--yes")

    assert "log           was founded anew, up to 2-1" in done.stdout
    assert "drop goes on at 2-1, in epoch 2." in done.stderr
    assert "Next: flashsale reconcile drop" in done.stderr
    again = selling.finished("recover", SALE, "--yes")
    assert "Nothing of drop is lost: there is nothing to recover." in again.stderr
    sell_out(selling)


def test_json_says_all_of_it(selling: Shop) -> None:
    whole = selling.finished("recover", SALE, "--json").json()
    selling.redis.flushall()
    lost = selling.cli.run("recover", SALE, "--json")
    done = selling.finished("recover", SALE, "--yes", "--json").json()

    assert (whole["whole"], whole["done"], whole["position"]) == (True, False, "1-7")
    assert lost.exit_code == 7
    assert (lost.json()["done"], lost.json()["events_lost_in_redis"]) == (False, 7)
    assert lost.json()["orders_lost_in_redis"] == [f"0-order-{n}-aaaa" for n in (0, 1, 2)]
    assert (done["done"], done["position"], done["left_out"]) == (True, "2-1", [])


def oversold(shop: Shop) -> list[str]:
    """Redis is warmed again by who knows nothing, and sells all units once more."""
    shop.redis.flushall()
    with Client(shop.cli.env["FLASHSALE_REDIS_URL"]) as ignorant:
        definition = catalog.get(shop.connection, SALE)
        ignorant.control(SALE, definition.load())
        ignorant.control(SALE, Open(at_once=True))
        orders = [f"0-there-{n:02d}-aaaa" for n in range(UNITS)]
        for order in orders:
            assert ignorant.reserve(SALE, order, "zoe", SKU).code is Code.RESERVED
        assert ignorant.confirm(SALE, orders[-1]).code is Code.CONFIRMED
    return orders


def test_orders_that_cannot_be_kept_are_named_and_left_to_the_operator(selling: Shop) -> None:
    theirs = oversold(selling)
    told = selling.cli.run("recover", SALE)
    before = selling.everything()
    refused = selling.cli.run("recover", SALE, "--yes")

    assert (told.exit_code, refused.exit_code) == (7, 4)
    assert "Next: flashsale recover drop --yes --leave-out" in told.stderr
    assert "5 acknowledged request(s) of the other log cannot be kept" in refused.stderr
    assert_one_sentence(refused)
    assert selling.everything() == before

    done = selling.finished("recover", SALE, "--yes", "--leave-out", "--json").json()

    orders = [left for left in done["left_out"] if left["order"]]
    assert [left["order"] for left in orders] == theirs[:-4:-1]
    assert [left["paid"] for left in orders] == [True, False, False]
    sell_out(selling)


def test_a_sale_that_nothing_is_lost_of(shop: Shop) -> None:
    shop.define()
    unwarmed = shop.finished("recover", SALE)
    shop.finished("sale", "warm", SALE)
    warm = shop.finished("recover", SALE, "--yes")

    for done in (unwarmed, warm):
        assert "there is nothing to recover" in done.stderr


@pytest.mark.parametrize(
    ("args", "exit_code", "sentence"),
    [
        (("nothing",), 3, "sale nothing is not defined"),
        (("NOTHING",), 2, "NOTHING"),
        (("",), 2, "sale"),
        (("drop", "--yes", "--no"), 2, "--no"),
        ((), 2, "SALE"),
    ],
)
@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_bad_input(
    shop: Shop, args: tuple[str, ...], exit_code: int, sentence: str, yes: tuple[str, ...]
) -> None:
    shop.define()
    assert sentence in shop.refused(exit_code, "recover", *args, *yes).stderr


def test_an_archived_sale_is_over(selling: Shop) -> None:
    selling.execute(*(Confirm(f"0-order-{n}-aaaa") for n in (1, 2)))
    selling.control(Close())
    selling.project()
    selling.finished("sale", "archive", SALE)

    assert "is archived: it is over" in selling.refused(4, "recover", SALE, "--yes").stderr
    selling.redis.flushall()
    assert "is archived: it is over" in selling.refused(4, "recover", SALE).stderr


@pytest.mark.parametrize("server", ["REDIS", "POSTGRES"])
def test_a_server_that_is_away(selling: Shop, server: str) -> None:
    there = dict(selling.cli.env)
    away = "unix:///nonexistent" if server == "REDIS" else "postgresql:///x?host=/nonexistent"
    selling.redis.flushall()
    for args in (("recover", SALE), ("recover", SALE, "--yes")):
        selling.cli.env[f"FLASHSALE_{server}_URL"] = away
        before = selling.everything()
        done = selling.cli.run(*args)
        assert done.exit_code == 5
        assert_one_sentence(done)
        assert selling.everything() == before
    selling.cli.env = there
    selling.finished("recover", SALE, "--yes")
    sell_out(selling)


# ------------------------------------------------------------------------------------------------- killed at each step


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
