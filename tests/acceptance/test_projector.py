"""`flashsale projector`: the daemon under signals, with work going on, and what it says of itself."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest

from flashsale.commands import Reserve
from flashsale.keys import GROUP, shard_keys
from flashsale.projections import reads
from flashsale.stream import ShardId
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.fixtures.meeting import Meeting
from tests.fixtures.processes import Background
from tests.helpers import wait_until

EVENTS = shard_keys(SALE, 0).events
ORDERS = 500


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A sale with 503 events that nobody has applied."""
    shop.open(quantity=ORDERS)
    shop.execute(*(Reserve(f"0-{number:08}", f"buyer-{number}", SKU) for number in range(ORDERS)))
    return shop


@pytest.fixture
def meeting(busy: Shop, database_url: str) -> Iterator[Meeting]:
    """Where the projector's transaction waits, all written and nothing committed."""
    with Meeting(database_url) as meeting:
        yield meeting


def checkpoint(shop: Shop) -> int:
    (row,) = reads.checkpoints(shop.connection, SALE)
    return row.checkpoint.seq


def pending(shop: Shop) -> int:
    return int(shop.redis.xpending(EVENTS, GROUP)["pending"])


def assert_all_applied_once(shop: Shop) -> None:
    """Every event is in Postgres, none twice, none unacknowledged."""
    tables = reads.tables(shop.connection, ShardId(SALE, 0))
    assert tables.checkpoint.seq == tables.archived_events == shop.log_length()
    assert len(tables.orders) == ORDERS
    assert pending(shop) == 0


def run_until_applied(shop: Shop) -> Background:
    projector = shop.cli.start("projector", "run", "--name", "p2")
    wait_until(lambda: checkpoint(shop) == shop.log_length(), 30, "everything is applied")
    return projector


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_in_the_middle_of_a_batch_lets_it_finish(
    busy: Shop, meeting: Meeting, number: signal.Signals, exit_code: int
) -> None:
    projector = busy.cli.start("projector", "run", "--name", "p1")
    meeting.wait_for_guest()

    projector.send(number)
    assert projector.is_running
    meeting.leave()
    done = projector.wait()

    assert done.exit_code == exit_code
    assert "daemon_stopped" in done.stderr
    assert "Traceback" not in done.stderr
    assert_all_applied_once(busy)
    (row,) = reads.checkpoints(busy.connection, SALE)
    assert row.holder is None, "it gave the lease back"


def test_after_kill_9_in_the_middle_of_a_batch_another_one_does_it_once(busy: Shop, meeting: Meeting) -> None:
    first = busy.cli.start("projector", "run", "--name", "p1")
    meeting.wait_for_guest()

    assert first.kill().exit_code == -signal.SIGKILL
    meeting.leave()
    second = run_until_applied(busy)

    wait_until(lambda: pending(busy) == 0, 10, "the killed one's entries are acknowledged")
    assert second.stop().exit_code == 0
    assert_all_applied_once(busy)


def test_stop_is_heard_while_there_is_nothing_to_do(shop: Shop) -> None:
    projector = shop.cli.start("projector", "run")
    projector.wait_for_output("daemon_started")
    assert projector.stop().exit_code == 0


def test_a_second_projector_of_one_name_is_warned_of(shop: Shop) -> None:
    first = shop.cli.start("projector", "run", "--name", "p1")
    first.wait_for_output("daemon_started")
    wait_until(lambda: sessions(shop, "p1") == 1, 10, "the first one is connected")

    other = shop.cli.start("projector", "run", "--name", "p2")
    second = shop.cli.start("projector", "run", "--name", "p1")
    second.wait_for_output("name_taken")
    wait_until(lambda: sessions(shop, "p2") == 1, 10, "the other one is connected")

    assert "warning" in second.stderr
    for projector in (second, first, other):
        assert projector.stop().exit_code == 0
    assert "name_taken" not in first.stderr + other.stderr
    assert second.stderr.count("name_taken") == 1


def sessions(shop: Shop, name: str) -> int:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    )
    ((count,),) = shop.connection.execute(query, [f"flashsale projector {name}"]).fetchall()
    return int(count)


def test_max_rate_and_batch_max_are_kept_to(busy: Shop) -> None:
    args = ("--batch-max", "10", "--max-rate", "50", "--log-level", "debug", "--log-format", "json")
    projector = busy.cli.start("projector", "run", *args)
    projector.wait_for_output('"events": 10')
    done = projector.stop()

    assert '"events": 11' not in done.stderr
    assert checkpoint(busy) < 500, "500 events take ten seconds at this rate"


def test_status_tells_lag_holder_and_age(busy: Shop) -> None:
    before = busy.finished("projector", "status")
    projector = run_until_applied(busy)
    after = busy.finished("projector", "status", "--json").json()["shards"][0]

    assert before.stdout.splitlines()[1].split()[:5] == ["drop", "waiting", "1-503", "0-0", "503"]
    assert "Nobody applies what waits." in before.stderr
    assert (
        after.items() >= {"state": "ok", "lag_events": 0, "lag_s": 0.0, "holder": "p2", "parked": 0}.items()
    )
    assert after["heartbeat_age_s"] < 5
    projector.stop()
    assert busy.finished("projector", "status", "--json").json()["shards"][0]["state"] == "idle"


def test_status_measures_the_age_of_the_oldest_event_that_waits(busy: Shop) -> None:
    first = busy.finished("projector", "status", "--json").json()["shards"][0]["lag_s"]
    second = busy.finished("projector", "status", "--json").json()["shards"][0]["lag_s"]
    assert 0 < first < second


def test_a_halted_sale_is_told_with_exit_code_7(busy: Shop) -> None:
    run_until_applied(busy).stop()
    busy.redis.delete(EVENTS)  # as if Redis had been given another history
    busy.redis.xadd(EVENTS, {"e": '["sale.paused",1,0,"x"]'}, id="1-503")
    projector = busy.cli.start("projector", "run", "--name", "p1")
    projector.wait_for_output("shard_halted")
    projector.stop()

    done = busy.cli.run("projector", "status")

    assert done.exit_code == 7
    assert "halted" in done.stdout
    assert done.stderr.startswith("error: FORK of drop:0 at 1-503: ")
    assert done.stderr.count("drop:0") == 1
    shown = busy.finished("sale", "show", SALE)
    assert re.search("^halted +FORK of drop:0 at 1-503", shown.stdout, re.MULTILINE)
    assert busy.finished("sale", "show", SALE, "--json").json()["halted"].startswith("FORK of drop:0")
    assert "lost, halted" in busy.finished("sale", "list").stdout
    assert "lost, halted" in busy.finished("sale", "watch", SALE, "--count", "1").stdout


def test_a_log_that_lost_its_tail_has_no_lag_but_lost_events(busy: Shop) -> None:
    run_until_applied(busy).stop()
    busy.redis.delete(EVENTS)
    busy.redis.xadd(EVENTS, {"e": '["sale.paused",1,0,"x"]'}, id="1-500")

    done = busy.cli.run("projector", "status")
    (shard,) = busy.cli.run("projector", "status", "--json").json()["shards"]

    assert done.exit_code == 7
    assert done.stdout.splitlines()[1].split()[1:6] == ["lost", "1-500", "1-503", "-", "-"]
    assert "error: drop:0: the log ends before the checkpoint (3 events lost)" in done.stderr
    assert (shard["lag_events"], shard["lost_events"], shard["lag_s"]) == (None, 3, None)


def test_status_without_any_sale(shop: Shop) -> None:
    assert "No sale is defined" in shop.finished("projector", "status").stderr
    assert shop.finished("projector", "status", "--json").json() == {"shards": []}


def test_a_shard_that_nobody_ever_led_has_no_heartbeat(shop: Shop) -> None:
    shop.open()
    (shard,) = shop.finished("projector", "status", "--json").json()["shards"]
    assert (shard["holder"], shard["heartbeat_age_s"]) == (None, None)
