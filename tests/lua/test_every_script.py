"""What holds for all scripts that write: their contract, their fence, their actor, memory that is full."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flashsale.events import encode
from flashsale.events.types import EpochStarted
from flashsale.keys import script_keys
from flashsale.scripts import script
from tests.lua import malformed
from tests.lua.kit import Shard
from tests.lua.scenes import BATCHES, GOOD, LATER_WRITERS, WRITERS, prepare

each_writer = pytest.mark.parametrize("name", WRITERS)
each_later_writer = pytest.mark.parametrize("name", LATER_WRITERS)


@each_writer
def test_it_writes_events_of_the_types_in_its_header(shard: Shard, name: str) -> None:
    prepare(shard, name)
    before = len(shard.log())

    shard.run(name, *GOOD[name], by="someone@desk:1")

    assert len(shard.log()) > before
    assert shard.newest().by == "someone@desk:1"
    assert abs(shard.newest().at_ms - shard.now_ms()) < 10_000


@each_writer
def test_its_sha_is_the_one_that_redis_computes(shard: Shard, name: str) -> None:
    assert shard.redis.script_load(script(name).source) == script(name).sha


@each_writer
def test_it_runs_again_after_the_server_forgot_it(shard: Shard, name: str) -> None:
    prepare(shard, name)
    shard.redis.script_flush()

    assert shard.run(name, *GOOD[name]).position == shard.head()


# ---------------------------------------------------------------------------------------------- malformed arguments


@each_writer
def test_other_keys_than_six_are_refused(shard: Shard, name: str) -> None:
    prepare(shard, name)
    own = shard.keys_of(name)
    for keys in ((), shard.keys[:5], own[:-1], (*own, "other")):
        error = shard.error_raw(name, "0-0", "test", *GOOD[name], keys=keys)
        assert error.startswith("INVALID_ARGUMENT KEYS")


@each_writer
def test_keys_of_two_sales_or_in_another_order_are_refused(shard: Shard, name: str) -> None:
    prepare(shard, name)
    own, other = shard.keys_of(name), script_keys("other", 0, script(name).keys)
    mixed = [(*own[:place], other[place], *own[place + 1 :]) for place in range(len(own))]
    for keys in (*mixed, own[::-1], tuple(key.replace("fs:", "") for key in own)):
        error = shard.error_raw(name, "0-0", "test", *GOOD[name], keys=keys)
        assert error.startswith("INVALID_ARGUMENT KEYS")


@each_writer
def test_a_wrong_number_of_arguments_is_refused(shard: Shard, name: str) -> None:
    prepare(shard, name)
    good = ("0-0", "test", *GOOD[name])

    for argv in ((), ("0-0",), good[:-1], (*good, "1")):
        assert shard.error_raw(name, *argv).startswith("INVALID_ARGUMENT")


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_of_no_request_or_of_more_than_a_thousand_is_refused(shard: Shard, name: str) -> None:
    prepare(shard, name)

    assert shard.error(name).startswith("INVALID_ARGUMENT ARGV")
    assert shard.error(name, *GOOD[name] * 1001).startswith("INVALID_ARGUMENT ARGV")


@each_writer
def test_a_malformed_fence_is_refused(shard: Shard, name: str) -> None:
    prepare(shard, name)
    for what, fence in malformed.FENCES.items():
        assert shard.error(name, *GOOD[name], fence=fence).startswith("INVALID_ARGUMENT fence"), what


@each_writer
def test_a_malformed_actor_is_refused(shard: Shard, name: str) -> None:
    prepare(shard, name)
    for what, by in malformed.ACTORS.items():
        assert shard.error(name, *GOOD[name], by=by).startswith("INVALID_ARGUMENT by"), what


# --------------------------------------------------------------------------------------------------------- the fence


@each_later_writer
def test_a_sale_that_is_not_there_is_refused_and_not_created(shard: Shard, name: str) -> None:
    count = 2 if name in BATCHES else 1

    result = shard.run(name, *GOOD[name] * count)

    assert result.answers == ["NOT_LOADED 0-0"] * count
    assert shard.dump() == {}


@each_later_writer
@pytest.mark.parametrize("fence", ["1-1", "0-1", "7-0"])
def test_a_sale_that_is_gone_is_refused_to_who_has_seen_it(shard: Shard, name: str, fence: str) -> None:
    count = 2 if name in BATCHES else 1

    result = shard.run(name, *GOOD[name] * count, fence=fence)

    assert result.answers == ["LOG_REGRESSED 0-0"] * count
    assert shard.dump() == {}


@each_later_writer
def test_a_caller_that_has_seen_the_head_or_less_is_served(shard: Shard, name: str) -> None:
    prepare(shard, name)
    epoch, _, seq = shard.head().partition("-")

    for fence in ("0-0", "1-1", f"0-{int(seq) + 10}", f"{epoch}-{seq}"):
        assert "LOG_REGRESSED" not in shard.run(name, *GOOD[name], fence=fence).words


@each_later_writer
@pytest.mark.parametrize("ahead", ["next", "2-1", "3-0", "1-99999999999999999999"])
def test_a_caller_that_has_seen_more_than_the_log_holds_is_refused(
    shard: Shard, name: str, ahead: str
) -> None:
    prepare(shard, name)
    head = shard.head()
    fence = f"1-{int(head.partition('-')[2]) + 1}" if ahead == "next" else ahead

    result = shard.run(name, *GOOD[name], fence=fence)

    assert result.answers == [f"LOG_REGRESSED {head}"]
    assert result.position == head


@each_later_writer
def test_a_log_that_was_founded_anew_goes_on_in_its_epoch(shard: Shard, name: str) -> None:
    prepare(shard, name)
    seq = shard.snapshot().state.position.seq
    founded = EpochStarted(1, shard.now_ms(), "recover", 1, seq)
    shard.damage("HSET", shard.keys.sale, "epoch", 2, "seq", 1)
    shard.damage("XADD", shard.keys.events, "2-1", "e", encode(founded))

    assert shard.run(name, *GOOD[name], fence=f"1-{seq + 1000}").position == "2-2"
    assert shard.run(name, *GOOD[name], fence="2-3").words == ["LOG_REGRESSED"]


@each_later_writer
def test_a_fence_of_another_sale_of_this_id_is_refused_and_halts_nothing(shard: Shard, name: str) -> None:
    ours, theirs = "2026-11-26T07:00:00.000001Z", "2026-11-26T07:00:00.000002Z"
    prepare(shard, name)
    assert shard.run(name, *GOOD[name], fence=f"1-1@{theirs}").position != "0-0", (
        "which sale it is, is not known"
    )
    shard.damage("HSET", shard.keys.sale, "origin", ours)
    before = shard.dump()

    for position in ("0-0", "1-1", "1-99999", "2-1"):
        error = shard.error(name, *GOOD[name], fence=f"{position}@{theirs}")
        assert error.startswith(f"OTHER_SHOP {shard.keys.sale[4:-6]} {ours} {theirs}")
    assert shard.dump() == before
    assert "LOG_REGRESSED" not in shard.run(name, *GOOD[name], fence=f"1-1@{ours}").words
    assert shard.run(name, *GOOD[name], fence=f"1-99999@{ours}").words == ["LOG_REGRESSED"]
    assert str(shard.snapshot().lost) == "1-99999"


@each_later_writer
def test_who_proves_a_loss_halts_the_sale_for_those_who_know_less(shard: Shard, name: str) -> None:
    prepare(shard, name)
    head, now_lost = shard.snapshot().state.position, "1-1000"

    assert shard.run(name, *GOOD[name], fence=now_lost).words == ["LOG_REGRESSED"]
    assert shard.run(name, *GOOD[name]).words == ["LOG_REGRESSED"]
    assert shard.run(name, *GOOD[name], fence="1-2000").words == ["LOG_REGRESSED"]

    found = shard.snapshot()
    assert (found.state.position, str(found.lost)) == (head, now_lost)


# ------------------------------------------------------------------------------------------------ memory that is full


@pytest.fixture
def full_memory(shard: Shard) -> Iterator[Callable[[], None]]:
    """A function after which the server has no memory left, until the test ends."""
    settings: Any = shard.redis.config_get("maxmemory*")
    before = {name: settings[name] for name in ("maxmemory", "maxmemory-policy")}

    def fill() -> None:
        shard.redis.config_set("maxmemory-policy", "noeviction")
        shard.redis.config_set("maxmemory", 1)

    yield fill
    for name, value in before.items():
        shard.redis.config_set(name, value)


@pytest.mark.parametrize(
    "name", ["admit", "load", "open", "reconfigure", "reserve", "restock", "resume", "room"]
)
def test_what_takes_memory_is_refused_when_there_is_none(
    shard: Shard, full_memory: Callable[[], None], name: str
) -> None:
    prepare(shard, name)
    full_memory()

    assert shard.error(name, *GOOD[name]).startswith("OOM")


@pytest.mark.parametrize("name", ["cancel", "close", "confirm", "expire", "pause", "refund"])
def test_what_frees_settles_or_stops_works_without_memory(
    shard: Shard, full_memory: Callable[[], None], name: str
) -> None:
    prepare(shard, name)
    before = shard.head()
    full_memory()

    assert shard.run(name, *GOOD[name]).position != before
    shard.check()
