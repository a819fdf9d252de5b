"""Where output goes: pipes that end early, full disks, closed streams, terminals, strange locales."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from flashsale.commands import Reserve
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.fixtures.processes import COMMAND

#: more than any pipe holds
MANY = 2_000


def shell(shop: Shop, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `flashsale` is the command; its exit code is that of `flashsale`."""
    return subprocess.run(
        ["bash", "-c", f'{line}; exit "${{PIPESTATUS[0]}}"'],
        env=shop.cli.environment() | {"PATH": f"{COMMAND.parent}:{os.environ['PATH']}"},
        cwd=shop.cli.home,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def long_log(shop: Shop) -> Shop:
    """A sale with 2,003 events."""
    shop.open(quantity=MANY)
    shop.execute(*(Reserve(f"0-{number:08}", f"buyer-{number}", SKU) for number in range(MANY)))
    return shop


@pytest.mark.parametrize(
    "command",
    [f"events export {SALE}", f"events tail {SALE} -n 2000", f"events tail {SALE} -n 2000 --follow --json",
     f"sale watch {SALE} --interval 1ms"],
)  # fmt: skip
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(long_log: Shop, command: str) -> None:
    done = shell(long_log, f"flashsale {command} | head -1")

    assert done.returncode == 141
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "command", ["sale list --json", "config show", "--help", "sale --help", "doctor --json"]
)
def test_a_reader_that_never_reads(shop: Shop, command: str) -> None:
    done = shell(shop, f"flashsale {command} | true")

    assert done.returncode in (0, 141), "0 when the output fitted into the pipe before its reader left"
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command", ["sale list --json", f"events export {SALE}", f"sale watch {SALE} --count 1"]
)
def test_output_that_cannot_be_written_is_told(long_log: Shop, command: str) -> None:
    done = shell(long_log, f"flashsale {command} > /dev/full")

    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_reason_to_fail(shop: Shop, streams: str) -> None:
    shop.open()

    assert shell(shop, f"flashsale sale list {streams}").returncode == 0
    assert shell(shop, f"flashsale order reserve {SALE} {SKU} --buyer ada {streams}").returncode == 0


def test_a_pipe_gets_no_colour_and_whole_lines(shop: Shop) -> None:
    shop.define(title="T" * 200)

    for args in (["sale", "list"], ["sale", "show", SALE], ["doctor"], ["projector", "status"]):
        done = shop.finished(*args)
        assert "\x1b" not in done.stdout + done.stderr
    assert "T" * 200 in shop.finished("sale", "list").stdout.splitlines()[1]


def on_a_terminal(shop: Shop, *args: str, **environment: str) -> str:
    """What a person sees on a terminal."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [COMMAND, *args],
        env=shop.cli.environment() | {"TERM": "xterm", "COLUMNS": "100"} | environment,
        cwd=shop.cli.home,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        seen = b""
        while chunk := read_some(leader):
            seen += chunk
        os.close(leader)
    assert process.returncode in (0, 4)
    return seen.decode()


def read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # Linux: EIO once the other side is gone
        return b""


def test_a_terminal_gets_colour_unless_it_is_not_wanted(shop: Shop) -> None:
    shop.open()

    assert "\x1b[1;31merror:\x1b[0m" in on_a_terminal(shop, "sale", "open", SALE)
    assert "\x1b" not in on_a_terminal(shop, "sale", "open", SALE, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(shop, "sale", "list", TERM="dumb")


def test_watch_draws_on_a_terminal_and_prints_lines_on_a_dumb_one(shop: Shop) -> None:
    shop.open()
    args = ("sale", "watch", SALE, "--count", "2", "--interval", "1ms")

    drawn, printed = on_a_terminal(shop, *args), on_a_terminal(shop, *args, TERM="dumb")

    assert "\x1b[?25l" in drawn, "the cursor is hidden"
    assert drawn.count("\x1b[?25h") == 1, "and comes back"
    assert "Ctrl-C ends this." in drawn
    assert [line.split("  ")[1] for line in printed.splitlines()] == ["open", "open"]


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1", "C.UTF-8"])
def test_any_locale_will_do(shop: Shop, locale: str) -> None:
    shop.define(title="Größe 42 → 東京")
    shop.cli.env |= {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

    assert SALE in shop.finished("sale", "list").stdout
    assert "Größe 42 → 東京" in shop.finished("sale", "list", "--json").stdout or locale != "C.UTF-8"


def test_a_home_that_is_not_there_is_no_reason_to_fail(shop: Shop, tmp_path: Path) -> None:
    shop.cli.env["HOME"] = str(tmp_path / "nowhere")
    shop.finished("sale", "list")
