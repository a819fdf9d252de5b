"""The loop around a daemon, in a process of its own: a signal ends it between two steps, and so does a fault."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from flashsale.daemon import BACKOFF_FIRST_S, BACKOFF_LAST_S

#: For a child that ends; one that hangs would do so for ever.
END_TIMEOUT_S = 20

CHILD = """
import os, random, signal, sys, threading
from flashsale import log
from flashsale.daemon import Daemon
from flashsale.errors import Unreachable

log.configure("info", "json")
daemon = Daemon("child")

def say(text):
    print(text, flush=True)

def close():
    say("closed")

waits = []

class Impatient(Daemon):
    def wait(self, seconds):
        waits.append(seconds)
        return False

"""

Child = subprocess.Popen[str]
Start = Callable[[str], Child]


@pytest.fixture
def start() -> Iterator[Start]:
    """A function that runs code in a child, in which what `CHILD` defines is known."""
    children: list[Child] = []

    def start(code: str) -> Child:
        pipe = subprocess.PIPE
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD + code], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def line(child: Child) -> str:
    """The next line that the child says."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def end(child: Child) -> tuple[int, list[str], list[str]]:
    """Wait for its end: exit code, the rest of what it said, the actions it logged."""
    said, logged = child.communicate(timeout=END_TIMEOUT_S)
    records = [json.loads(text) for text in logged.splitlines() if text.startswith("{")]
    return child.returncode, said.splitlines(), [record["action"] for record in records]


SLOW_STEP = """
def step():
    say("begin")
    sys.stdin.readline()
    say("end")

sys.exit(daemon.run(step, close))
"""


@pytest.mark.parametrize(
    ("signals", "exit_code"),
    [
        ([signal.SIGTERM], 0),
        ([signal.SIGINT], 130),
        ([signal.SIGTERM, signal.SIGTERM], 0),
        ([signal.SIGINT, signal.SIGINT], 130),
    ],
    ids=["term", "int", "term-twice", "int-twice"],
)
def test_a_signal_lets_the_step_under_way_finish(
    start: Start, signals: list[signal.Signals], exit_code: int
) -> None:
    child = start(SLOW_STEP)
    assert line(child) == "begin"
    for number in signals:
        child.send_signal(number)
    assert child.stdin is not None
    child.stdin.write("go on\n")

    assert end(child) == (exit_code, ["end", "closed"], ["daemon_started", "daemon_stopped"])


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_a_wait_at_once(start: Start, number: signal.Signals, exit_code: int) -> None:
    child = start("""
def step():
    say("waiting")
    say(f"asked to stop: {daemon.wait(3600)}")

sys.exit(daemon.run(step, close))
""")
    assert line(child) == "waiting"
    child.send_signal(number)

    assert end(child)[:2] == (exit_code, ["asked to stop: True", "closed"])


def test_a_signal_at_any_moment_of_a_wait_is_heard(start: Start) -> None:
    child = start("""
for _ in range(100):
    daemon = Daemon("child")
    kill = threading.Timer(random.random() / 1000, lambda: os.kill(os.getpid(), signal.SIGTERM))
    first = iter([kill.start])
    daemon.run(lambda: next(first, lambda: daemon.wait(0))(), lambda: None)
    kill.join()
say("done")
""")
    assert end(child)[1] == ["done"]


def test_unreachable_is_waited_out_for_ever_with_growing_bounded_pauses(start: Start) -> None:
    child = start("""
def step():
    if len(waits) == 20:
        daemon.stop()
    raise Unreachable("no server")

daemon = Impatient("child")
code = daemon.run(step, close)
say(repr(waits).replace(" ", ""))
sys.exit(code)
""")
    exit_code, said, actions = end(child)
    waits = json.loads(said[1])

    assert exit_code == 0
    assert actions == ["daemon_started", *["daemon_degraded"] * 21, "daemon_stopped"]
    for i, waited_s in enumerate(waits):
        longest_s = min(BACKOFF_FIRST_S * 2**i, BACKOFF_LAST_S)
        assert longest_s / 2 <= waited_s <= longest_s
    assert len(set(waits)) == len(waits), "drawn at random, so that daemons do not come back together"


def test_after_a_step_that_succeeds_pauses_begin_small_again(start: Start) -> None:
    child = start("""
answers = iter("xxxxxx.xx.x")

def step():
    if next(answers, None) is None:
        daemon.stop()
    elif len(waits) not in (6, 8):
        raise Unreachable("no server")
    else:
        waits.append(None)

daemon = Impatient("child")
daemon.run(step, close)
say(" ".join("ok" if wait is None else str(wait <= 0.1) for wait in waits))
""")
    said = end(child)[1]
    assert said[1].split() == ["True", *["False"] * 5, "ok", "True", "ok", "True", "False"]


def test_any_other_exception_ends_the_loop_and_everything_is_closed(start: Start) -> None:
    child = start("""
def step():
    say("step")
    raise ValueError("a fault of ours")

sys.exit(daemon.run(step, close))
""")
    assert end(child) == (1, ["step", "closed"], ["daemon_started"])


def test_another_thread_may_stop_it_and_twice_is_harmless(start: Start) -> None:
    child = start("""
def stop():
    daemon.stop()
    daemon.stop()

threading.Timer(0.01, stop).start()
sys.exit(daemon.run(lambda: daemon.wait(3600), close))
""")
    assert end(child)[:2] == (0, ["closed"])


def test_one_that_was_stopped_before_it_ran_does_nothing(start: Start) -> None:
    child = start("""
daemon.stop()
sys.exit(daemon.run(lambda: say("step"), close))
""")
    assert end(child)[:2] == (0, ["closed"])


def test_a_wait_of_nothing_or_less_returns_at_once(start: Start) -> None:
    child = start("""
say(daemon.wait(0))
say(daemon.wait(-5))
daemon.stop()
say(daemon.wait(3600))
say(daemon.wait(3600))
""")
    assert end(child)[1] == ["False", "False", "True", "True"]
