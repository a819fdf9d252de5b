"""Projector processes die at awkward moments: the effect comes once, without a gap, and another goes on in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import psycopg
import pytest

from flashsale.commands import Confirm
from flashsale.ids import Position
from flashsale.keys import dead_letters_key
from flashsale.projections.database import connect
from flashsale.projections.retry import Chosen, retry
from tests.fixtures.meeting import Meeting
from tests.fixtures.proxy import Mode, Proxy
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "project.py"
TAKE_OVER_S_MAX = 5
STOP_S_MAX = 10

Process = subprocess.Popen[bytes]
#: start(name, redis_url="") → the process of a projector
Start = Callable[..., Process]

WAITING_FOR_A_LOCK = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'flashsale projector p1' AND datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
def start(read_side: ReadSide, tmp_path: Path) -> Iterator[Start]:
    """Start a projector; whatever still runs at the end is killed, and what it said is shown with a failure."""
    processes: list[Process] = []
    servers = [read_side.redis_url, read_side.postgres_url]

    def start(name: str, redis_url: str = "") -> Process:
        command = [sys.executable, "-W", "error", str(PROGRAM), redis_url or servers[0], servers[1], name]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (tmp_path / name).open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait(STOP_S_MAX)
    for file in sorted(tmp_path.iterdir()):
        sys.stdout.write(f"--- {file.name}\n{file.read_text()}")


def kill(process: Process) -> None:
    """End a process as a crash does."""
    process.send_signal(SIGKILL)
    assert process.wait(STOP_S_MAX) == -SIGKILL


def at_end(side: ReadSide) -> Callable[[], bool]:
    """Whether everything is applied and acknowledged."""
    (shard,) = side.shards()
    return lambda: side.checkpoint(shard) == side.log.head(shard) and side.pending(shard) == 0


@pytest.mark.parametrize("lock", ["SELECT FROM stock FOR UPDATE", "SELECT FROM checkpoint FOR UPDATE"])
def test_a_process_is_killed_inside_its_transaction(read_side: ReadSide, start: Start, lock: str) -> None:
    shard = read_side.open_sale()
    first = start("p1")
    wait_until(at_end(read_side), 20, "the first projector works")
    start("p2")
    with connect(read_side.postgres_url) as rival, rival.transaction():
        rival.execute(lock.encode())
        read_side.sell(shard, 20)
        wait_until(lambda: read_side.value(WAITING_FOR_A_LOCK) == 1, 20, "it waits inside its transaction")
        kill(first)
        read_side.sell(shard, 5)
    began_s = time.monotonic()
    wait_until(at_end(read_side), TAKE_OVER_S_MAX, "the second projector has gone on")

    assert time.monotonic() - began_s < TAKE_OVER_S_MAX
    assert read_side.holder(shard) == "p2"
    read_side.assert_projected(shard)


def test_a_process_is_killed_when_everything_is_written_and_not_committed(
    read_side: ReadSide, start: Start
) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 20)
    with Meeting(read_side.postgres_url) as meeting:
        first = start("p1")
        meeting.wait_for_guest()
        kill(first)
    assert read_side.rows("SELECT * FROM event_log") == []
    start("p2")
    wait_until(at_end(read_side), TAKE_OVER_S_MAX * 2, "the second projector has gone on")

    read_side.assert_projected(shard)


def test_a_process_is_killed_between_commit_and_acknowledgement(
    read_side: ReadSide, start: Start, redis_proxy: Proxy
) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 20)
    redis_proxy.behave(Mode.BLACK_HOLE, when=b"XACK")
    first = start("p1", redis_proxy.url)
    wait_until(lambda: redis_proxy.counts.swallowed, 20, "it acknowledges")
    kill(first)
    assert read_side.checkpoint(shard) == Position(1, 23)
    assert read_side.pending(shard) == 23

    start("p2")
    wait_until(at_end(read_side), 20, "the second projector has settled it")
    read_side.assert_projected(shard)
    assert read_side.value("SELECT fence FROM checkpoint") == 2


def test_a_process_is_killed_between_commit_and_the_stream_of_dead_letters(
    read_side: ReadSide, start: Start, redis_proxy: Proxy
) -> None:
    shard = read_side.open_sale()
    position = read_side.append(shard, "no event")
    redis_proxy.behave(Mode.BLACK_HOLE, when=b"XADD")
    first = start("p1", redis_proxy.url)
    wait_until(lambda: redis_proxy.counts.swallowed, 20, "it tells of the dead letter")
    kill(first)
    assert read_side.rows("SELECT seq FROM parked") == [(position.seq,)]
    assert read_side.redis.xlen(dead_letters_key(*shard)) == 0

    start("p2")
    wait_until(at_end(read_side), 20, "the second projector has settled it")
    found = read_side.redis.execute_command("XRANGE", dead_letters_key(*shard), "-", "+")
    assert [entry_id for entry_id, _ in found] == [str(position)]


def test_holders_are_killed_one_after_the_other_under_load(read_side: ReadSide, start: Start) -> None:
    shard = read_side.open_sale(quantity=1_000_000)
    running = {"p1": start("p1"), "p2": start("p2")}
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            orders = read_side.sell(shard, 20)
            read_side.run(shard, [Confirm(order) for order in orders[::2]])

    buyers = threading.Thread(target=load)
    buyers.start()
    try:
        for _ in range(5):
            before = read_side.checkpoint(shard)
            wait_until(lambda: read_side.checkpoint(shard) > before, 20, "somebody applies")  # noqa: B023 - called here
            holder = read_side.holder(shard)
            assert holder is not None
            kill(running[holder])
            before = read_side.checkpoint(shard)
            wait_until(
                lambda: read_side.holder(shard) != holder and read_side.checkpoint(shard) > before,  # noqa: B023 - the same
                TAKE_OVER_S_MAX,
                "the other one has gone on",
            )
            running[holder] = start(holder)
    finally:
        stop.set()
        buyers.join()
    wait_until(at_end(read_side), 20, "everything is applied")

    read_side.assert_projected(shard)
    assert len(read_side.log.consumers(shard)) <= len(running)


def test_a_process_that_was_frozen_and_replaced_wakes_up_harmless(read_side: ReadSide, start: Start) -> None:
    shard = read_side.open_sale()
    frozen = start("p1")
    wait_until(at_end(read_side), 20, "the first projector works")
    frozen.send_signal(SIGSTOP)
    other = start("p2")

    def is_replaced() -> bool:
        # Again and again: its last sign of life may still be on the way.
        read_side.postgres.execute(
            "UPDATE checkpoint SET heartbeat_at = now() - interval '21 s' WHERE holder = 'p1'"
        )
        return read_side.holder(shard) == "p2"

    wait_until(is_replaced, 20)
    frozen.send_signal(SIGCONT)
    read_side.sell(shard, 50)
    wait_until(at_end(read_side), 20, "everything is applied")
    read_side.assert_projected(shard)

    kill(other)
    read_side.sell(shard, 50)
    wait_until(at_end(read_side), 20, "the one that was frozen is useful again")
    assert read_side.holder(shard) == "p1"
    assert frozen.poll() is None
    read_side.assert_projected(shard)


def test_a_process_that_is_asked_to_stop_finishes_its_batch_and_leaves(
    read_side: ReadSide, start: Start
) -> None:
    shard = read_side.open_sale()
    read_side.sell(shard, 20)
    with Meeting(read_side.postgres_url) as meeting:
        process = start("p1")
        meeting.wait_for_guest()
        process.send_signal(SIGTERM)
        meeting.leave()
        assert process.wait(STOP_S_MAX) == 0

    assert at_end(read_side)()
    assert read_side.holder(shard) is None
    read_side.assert_projected(shard)


def test_events_that_kill_the_process_are_tried_alone_and_parked_one_by_one(
    read_side: ReadSide, start: Start
) -> None:
    shard = read_side.open_sale()
    orders = read_side.sell(shard, 9)
    guilty = [orders[3], orders[6]]
    seqs = [3 + 4, 3 + 7]
    in_sql = psycopg.sql.SQL(", ").join(guilty).as_string()

    def crash() -> int:
        """Kill a new process at a guilty event; returns up to where it came."""
        process = start("p1")
        meeting.wait_for_guest()
        kill(process)
        meeting.send_away()
        return read_side.checkpoint(shard).seq

    with Meeting(read_side.postgres_url, when=f"NEW.order_id IN ({in_sql})") as meeting:
        assert [crash() for _ in range(4)] == [0, 0, 0, 0]  # with the whole batch
        assert crash() == seqs[0] - 1  # alone
        assert crash() == seqs[1] - 1  # the first is parked; the second, alone
        assert read_side.rows("SELECT seq, error_class, attempts FROM parked") == [(seqs[0], "crash_loop", 6)]
        start("p1")
        wait_until(at_end(read_side), 20, "the others have gone on")
        read_side.run(shard, [Confirm(order) for order in orders])
        wait_until(at_end(read_side), 20, "what came later is applied")

    parked = read_side.rows("SELECT order_id, kind FROM parked ORDER BY order_id, seq")
    assert parked == [(order, kind) for order in guilty for kind in ("poison", "follower")]
    confirmed = read_side.rows("SELECT order_id FROM orders WHERE status = 'confirmed' ORDER BY 1")
    assert [order for (order,) in confirmed] == [order for order in orders if order not in guilty]
    assert len(read_side.archive(shard)) == 3 + 9 + 9

    list(
        retry(read_side.postgres, shard, Chosen(), actor="tests")
    )  # the test is over: nothing kills any more
    read_side.assert_projected(shard)
