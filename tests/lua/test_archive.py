"""archive: a sale that is over leaves Redis, and whoever comes late is told so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flashsale.commands import Code, parse_answer
from tests.lua import malformed
from tests.lua.kit import SHORT_HOLD_MS, Shard
from tests.lua.scenes import BATCHES, GOOD, LATER_WRITERS
from tests.lua.test_trim import acknowledge, proof


def trim_all(shard: Shard) -> str:
    """Have an empty log; returns where it ends."""
    count = len(shard.log())
    acknowledge(shard, count)
    assert shard.run("trim", *proof(shard, count)).answer.startswith("TRIMMED")
    return shard.head()


@pytest.fixture
def over(shard: Shard) -> str:
    """A closed sale with a paid order and a restock, all of it trimmed; where its log ends."""
    shard.sell(("A", 5, 2), ("B", 1))
    shard.pay("0-paid", "bob")
    shard.run("restock", "r-1", "add", "A", 1)
    shard.run("close")
    return trim_all(shard)


def test_a_tombstone_is_all_that_is_left(shard: Shard, over: str) -> None:
    assert shard.run("archive", over).answer == f"ARCHIVED {over}"

    tombstone = {b"state": b"archived", b"epoch": b"1", b"seq": over[2:].encode()}
    assert shard.dump() == {shard.keys.sale.encode(): (b"hash", tombstone)}
    assert shard.redis.ttl(shard.keys.sale) == -1


def test_a_repeat_gets_the_same_answer(shard: Shard, over: str) -> None:
    first = shard.run("archive", over)
    assert shard.run("archive", over, fence=over).answers == first.answers
    assert shard.run("archive", "0-0").answers == first.answers


@pytest.mark.parametrize("name", LATER_WRITERS)
def test_every_late_command_is_told(shard: Shard, over: str, name: str) -> None:
    shard.run("archive", over)
    count = 2 if name in BATCHES else 1

    for fence in ("0-0", over):
        assert shard.run(name, *GOOD[name] * count, fence=fence).answers == [f"ARCHIVED {over}"] * count


def test_a_late_trim_is_told(shard: Shard, over: str) -> None:
    shard.run("archive", over)
    assert shard.run("trim", "1-1", 1, "0" * 40).answer == f"ARCHIVED {over}"


def test_it_cannot_be_warmed_again(shard: Shard, over: str) -> None:
    shard.run("archive", over)

    for fence in ("0-0", over):
        assert shard.run("load", *GOOD["load"], fence=fence).answer == f"ALREADY_LOADED {over} archived"


def test_whoever_has_seen_more_than_the_tombstone_is_told_of_the_loss(shard: Shard, over: str) -> None:
    shard.run("archive", over)
    assert shard.run("confirm", "0-paid", "-", fence="1-99").answer == f"LOG_REGRESSED {over}"


def test_a_snapshot_shows_the_tombstone(shard: Shard, over: str) -> None:
    shard.run("archive", over)
    snapshot = shard.snapshot()

    assert (str(snapshot.state.position), snapshot.state.status) == (over, "archived")
    assert (snapshot.state.stock, snapshot.state.orders, snapshot.holds) == ({}, {}, {})


def test_thousands_of_restocks_go_as_well(shard: Shard, over: str) -> None:
    for first in range(0, 2_500, 500):
        fields = [word for n in range(first, first + 500) for word in (f"request:r-{n}", "add A 1 1-1 1")]
        shard.redis.execute_command("HSET", shard.keys.sale, *fields)

    assert shard.run("archive", over).answer == f"ARCHIVED {over}"
    assert shard.redis.hlen(shard.keys.sale) == 3


# ------------------------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("then", "state"), [((), "warm"), (("open 0",), "open"), (("open 0", "pause"), "paused")]
)
def test_a_sale_that_is_not_closed_is_refused(shard: Shard, then: tuple[str, ...], state: str) -> None:
    shard.load(("A", 5))
    for command in then:
        shard.run(*command.split(" "))
    head = trim_all(shard)

    assert shard.run("archive", head).answer == f"WRONG_STATE {head} {state}"


def test_a_sale_that_its_clock_closed_is_over(shard: Shard) -> None:
    shard.load(("A", 5), closes=shard.now_ms() + 1)
    shard.wait_until_ms(shard.now_ms() + 1)
    head = trim_all(shard)

    assert shard.run("archive", head).answer == f"ARCHIVED {head}"


def test_open_holds_are_counted(shard: Shard) -> None:
    shard.sell(("A", 5), hold=SHORT_HOLD_MS)
    shard.reserve("0-first")
    shard.reserve("0-second")
    shard.run("close")
    head = trim_all(shard)
    assert shard.run("archive", head).answer == f"HOLDS_OPEN {head} 2"

    shard.wait_until_overdue()
    shard.run("expire", 10)
    head = trim_all(shard)
    assert shard.run("archive", head).answer == f"ARCHIVED {head}"


@pytest.mark.parametrize("up_to", ["0-0", "1-1", "1-99", "2-7"])
def test_a_proof_of_another_place_is_none(shard: Shard, over: str, up_to: str) -> None:
    assert shard.run("archive", up_to).answer == f"NOT_PROVEN {over} 0"


def test_a_log_that_holds_events_is_not_proven(shard: Shard) -> None:
    shard.sell(("A", 5))
    shard.run("close")
    acknowledge(shard, 4)
    shard.run("trim", *proof(shard, 1))

    assert shard.run("archive", "1-4").answer == "NOT_PROVEN 1-4 3"


def test_what_a_consumer_has_in_hand_is_not_acknowledged(shard: Shard, over: str) -> None:
    assert shard.run("refund", "0-paid", "-", "keep").answer.startswith("REFUNDED")
    shard.redis.xreadgroup("projector", "p1", {shard.keys.events: ">"})
    shard.damage("XTRIM", shard.keys.events, "MAXLEN", "0")
    head = shard.head()

    assert shard.run("archive", head).answer == f"NOT_ACKNOWLEDGED {head} projector 1"


def test_a_sale_that_is_not_there_is_refused(shard: Shard) -> None:
    assert shard.run("archive", "1-1").answer == "NOT_LOADED 0-0"
    assert shard.run("archive", "1-1", fence="1-1").answer == "LOG_REGRESSED 0-0"


def test_a_log_that_lost_its_tail_is_refused(shard: Shard, over: str) -> None:
    shard.damage("DEL", shard.keys.events)
    assert shard.run("archive", over).answer == f"LOG_REGRESSED {over}"


@pytest.mark.parametrize("key", ["stock", "orders", "buyers"])
def test_a_key_of_another_type_goes_with_the_others(shard: Shard, over: str, key: str) -> None:
    name = getattr(shard.keys, key)
    shard.damage("DEL", name)
    shard.damage("SET", name, "no hash")

    assert shard.run("archive", over).answer == f"ARCHIVED {over}"


def test_malformed_arguments_are_refused(shard: Shard, over: str) -> None:
    for what, value in malformed.FENCES.items():
        assert shard.error("archive", value).startswith("INVALID_ARGUMENT up_to"), what
        assert shard.error("archive", over, fence=value).startswith("INVALID_ARGUMENT fence"), what
    for arguments in ((), (over, "x")):
        assert shard.error("archive", *arguments).startswith("INVALID_ARGUMENT ARGV")
    assert shard.error("archive", over, by="").startswith("INVALID_ARGUMENT by")


def test_other_keys_than_six_are_refused(shard: Shard, over: str) -> None:
    refuse: Callable[..., str] = shard.error_raw
    for name, arguments in (("archive", (over,)), ("trim", ("1-1", 1, "0" * 40))):
        assert refuse(name, "0-0", "test", *arguments, keys=shard.keys[:5]).startswith(
            "INVALID_ARGUMENT KEYS"
        )


def test_the_answers_are_words_of_the_clients(shard: Shard, over: str) -> None:
    assert parse_answer(shard.run("archive", "0-0").answer.encode()).code is Code.NOT_PROVEN
    assert parse_answer(shard.run("archive", over).answer.encode()).code is Code.ARCHIVED
