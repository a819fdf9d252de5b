"""`flashsale top`: one look, looks as JSON, a live view on a terminal, and servers that go away."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from flashsale.commands import Reserve
from flashsale.keys import shard_keys
from tests.acceptance.conftest import SALE, SKU, Shop, assert_one_sentence
from tests.fixtures.processes import COMMAND
from tests.fixtures.proxy import Mode, Proxy


@dataclass
class Terminal:
    """A person's terminal with `flashsale top` on it."""

    process: subprocess.Popen[bytes]
    leader: int
    seen: str = ""

    def wait_for(self, text: str, timeout_s: float = 20) -> None:
        """Return once the text was drawn after everything that was waited for before."""
        until_s = time.monotonic() + timeout_s
        while text not in self.seen:
            assert time.monotonic() < until_s, f"{text!r} was not drawn:\n{self.seen[-3_000:]}"
            self._read(0.1)
        self.seen = self.seen.partition(text)[2]

    def end(self) -> int:
        """Read what is left; returns the exit code."""
        while self._read(20):
            pass
        return self.process.wait(20)

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.leader], [], [], timeout_s)[0]:
            return False
        try:
            chunk = os.read(self.leader, 65_536)
        except OSError:  # Linux: EIO once the other side is gone
            chunk = b""
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)


@contextlib.contextmanager
def on_a_terminal(shop: Shop, *args: str) -> Iterator[Terminal]:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "top", "--interval", "20ms", *args],
        env=shop.cli.environment() | {"TERM": "xterm", "COLUMNS": "160", "LINES": "40"},
        cwd=shop.cli.home,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    try:
        yield Terminal(process, leader)
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def test_one_look_off_a_terminal(shop: Shop) -> None:
    shop.open()
    shop.execute(Reserve("0-aaaaaaaa", "ada", SKU))

    done = shop.finished("top")

    heads, row, *_ = done.stdout.splitlines()
    assert heads.split()[:8] == [
        "sale",
        "state",
        "available",
        "held",
        "sold",
        "returned",
        "events/s",
        "projection",
    ]
    assert row.split() == [
        SALE,
        "open",
        "9",
        "1",
        "0",
        "0",
        "-",
        "waiting",
        "4",
        row.split()[9],
        "0",
        "0",
        "-",
    ]
    assert done.stderr == "No projector is connected.\n"


def test_nothing_to_see(shop: Shop) -> None:
    assert "No sale is defined" in shop.finished("top").stderr
    assert shop.finished("top", "--json", "--count", "1").json() == {
        "sales": [], "unreadable": {}, "archived_sales": 0, "projectors": [],
    }  # fmt: skip


def test_looks_for_programs(shop: Shop) -> None:
    shop.open(hold_ms=1_000)
    shop.execute(Reserve("0-aaaaaaaa", "ada", SKU))
    projector = shop.cli.start("projector", "run", "--name", "slot-1")
    projector.wait_for_output("shard_started")
    idle = shop.cli.start("projector", "run", "--name", "slot-2")
    idle.wait_for_output("daemon_started")
    looking = shop.cli.start("top", "--json", "--interval", "50ms")
    looking.wait_for_output('"lag_events":0')
    shop.execute(*(Reserve(f"0-bbbbbbb{n}", "bob", SKU) for n in range(4)))
    looking.wait_for_output('"held":5')
    looking.wait_for_output('"shards":0')
    looking.wait_for_output('"overdue_s":1')  # nobody sweeps

    looking.send(signal.SIGINT)
    done = looking.wait()

    assert done.exit_code == 130
    first, *_, last = done.json_lines()
    assert first["sales"][0]["events_per_s"] is None
    assert max(look["sales"][0]["events_per_s"] for look in done.json_lines()[1:]) > 0
    (sale,) = last["sales"]
    assert {name: sale[name] for name in ("available", "held", "pending", "parked", "projector", "halted")} == {
        "available": 5, "held": 5, "pending": 0, "parked": 0, "projector": "slot-1", "halted": None,
    }  # fmt: skip
    assert [(row["name"], row["shards"]) for row in last["projectors"]] == [("slot-1", 1), ("slot-2", 0)]
    assert last["projectors"][0]["heartbeat_age_s"] < 20
    assert last["projectors"][1]["heartbeat_age_s"] is None


def test_a_sale_that_cannot_be_read_does_not_hide_the_others(shop: Shop) -> None:
    shop.open()
    shop.open("other")
    shop.redis.set(shard_keys("other", 0).sale, "no hash")

    looked = shop.finished("top", "--json", "--count", "1").json()

    assert [sale["sale"] for sale in looked["sales"]] == [SALE]
    assert list(looked["unreadable"]) == ["other"]
    assert "unreadable" in shop.finished("top").stdout


@pytest.mark.parametrize("key", [b"q", b"Q", None])
def test_a_live_view_until_a_key(shop: Shop, key: bytes | None) -> None:
    shop.open()
    with on_a_terminal(shop) as terminal:
        terminal.wait_for("q ends this.")
        shop.execute(Reserve("0-aaaaaaaa", "ada", SKU))
        terminal.wait_for("     9     1 ")
        os.write(terminal.leader, b"x" + (key or b""))
        if key is None:  # what the terminal makes of Ctrl-C
            terminal.process.send_signal(signal.SIGINT)

        assert terminal.end() == 130
        assert "\x1b[?25h" in terminal.seen, "the cursor comes back"
        assert "Traceback" not in terminal.seen


@pytest.mark.parametrize("server", ["Redis", "Postgres"])
def test_a_server_that_goes_away_is_shown(
    shop: Shop, redis_proxy: Proxy, postgres_proxy: Proxy, server: str
) -> None:
    shop.open()
    proxies = {"Redis": redis_proxy, "Postgres": postgres_proxy}
    shop.cli.env |= {"FLASHSALE_REDIS_URL": redis_proxy.url, "FLASHSALE_POSTGRES_URL": postgres_proxy.url}
    looking = shop.cli.start("top", "--json", "--interval", "20ms")
    looking.wait_for_output('"available":10')
    with on_a_terminal(shop) as terminal:
        terminal.wait_for("q ends this.")

        proxies[server].behave(Mode.RESET)
        terminal.wait_for(f"{server} is away; waiting for it, last seen")
        looking.wait_for_output(f'{{"away":"{server}')
        shop.execute(Reserve("0-aaaaaaaa", "ada", SKU))
        proxies[server].behave(Mode.PASS)
        terminal.wait_for("     9     1 ")
        looking.wait_for_output('"available":9')
        os.write(terminal.leader, b"q")
        assert terminal.end() == 130


def test_a_server_that_is_not_there_is_told(shop: Shop) -> None:
    shop.open()
    shop.cli.env["FLASHSALE_REDIS_URL"] = "unix:///nowhere/redis.sock"

    done = shop.cli.run("top")

    assert done.exit_code == 5
    assert_one_sentence(done)


@pytest.mark.parametrize(
    "args", [("--interval", "0s"), ("--interval", "often"), ("--count", "0"), ("--count", "x")]
)
def test_bad_options(shop: Shop, args: tuple[str, str]) -> None:
    assert args[0].removeprefix("--") in shop.refused(2, "top", *args).stderr
