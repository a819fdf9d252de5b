"""Whatever is typed: a documented exit code, one sentence, no traceback, and a sale that still adds up."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import event, given
from hypothesis import strategies as st

from flashsale.cli import app
from flashsale.cli.run import run
from flashsale.commands import Confirm
from flashsale.events import decode, fold
from tests.fixtures.fuzz import examples, typed
from tests.fixtures.read_side import SKU, ReadSide

#: stands for the sale of the example
SALE = "the-sale"
ORDER = "0-order-00000001"

#: These run until they are told to stop, start servers of their own, or write into the system they run on.
NOT_HERE = {
    "demo",
    "bench",
    "dev",
    "projector run",
    "sweeper run",
    "metrics run",
    "gateway run",
    "operator run",
    "loadtest",
    "sale watch",
    "top",
    "ops install",
}
#: The same, as options; and those that name servers, which tests/property/test_fuzz_settings.py spoils.
NEVER = {"--watch", "--follow", "--redis-url", "--postgres-url", "--config", "--debug"}
#: Without the first the command would wait for a projector that is not there; without the others it is refused.
ALWAYS = {"--timeout", "--buyer", "--reason"}

#: What makes sense, by the name of the argument or option.
GOOD = {
    "sale": SALE, "sales": SALE, "sku": SKU, "order": ORDER, "--order": ORDER, "--buyer": "ann", "--quantity": "1",
    "change": "+3", "--limit": f"{SKU}=2", "--hold": "10m", "--opens": "none", "--closes": "2100-01-01T00:00:00Z",
    "seq": "3", "--seq": "3", "--from": "1", "--to": "4", "-n": "3", "--number": "3", "--keep": "2", "--reason": "test",
    "--until": "3", "--timeout": "1s", "--error": "data", "--projection": "orders", "--log-format": "json",
    "--idempotency-key": "cart-1", "--request-id": "r-1", "file": "drop.toml", "--plan": "plan.json",
    "--apply": "plan.json", "text": "Back in ten minutes.", "--mode": "queue-all", "--rate": "100",
    "--active": "50", "--pass-ttl": "5m", "--leave-after": "90s", "--within": "10m", "--lifetime": "1h",
    "--log-level": "info",
}  # fmt: skip

#: 2 and more are answers, 1 is a fault in flashsale: tests/acceptance/test_help.py holds the list to the help.
DOCUMENTED = {0, 2, 3, 4, 5, 6, 7}
_sales = itertools.count(1)


@dataclass(frozen=True)
class Command:
    """A command and what it takes."""

    words: tuple[str, ...]
    arguments: tuple[str, ...]
    #: option → whether it takes a value
    options: dict[str, bool]


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[Command]:
    """Every command that ends by itself."""
    if " ".join(words) in NOT_HERE or words[:1] == ("dev",):
        return
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*words, name))
    if not getattr(command, "commands", None):
        taken = [parameter for parameter in command.params if parameter.name != "help"]
        yield Command(
            words,
            tuple(parameter.name for parameter in taken if parameter.param_type_name == "argument"),
            {
                parameter.opts[0]: not parameter.is_flag
                for parameter in taken
                if parameter.param_type_name == "option" and parameter.opts[0] not in NEVER
            },
        )


COMMANDS = list(commands(typer.main.get_command(app)))


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """What somebody types: a command that is nearly right."""
    command = draw(st.sampled_from(COMMANDS))
    args = [*command.words]
    spoilt = st.integers(0, 4).flatmap(lambda chance: typed if chance == 0 else st.none())
    for name in command.arguments:
        other = draw(spoilt)
        args += [GOOD[name] if other is None else other]
    for name, takes_value in command.options.items():
        if name in ALWAYS or draw(st.integers(0, 4)) == 0:
            args.append(name)
            if takes_value:
                other = draw(spoilt)
                args.append(GOOD.get(name, "1") if other is None else other)
    if draw(st.integers(0, 19)) == 0:
        args.insert(draw(st.integers(0, len(args))), draw(typed))
    return [arg for arg in args if arg not in NEVER]


def typed_in(args: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command, run in this process: another one would take half a second."""
    written = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(stream, encoding="utf-8", write_through=True) for stream in written)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run(args)
        except SystemExit as end:  # shell completion
            code = end.code if type(end.code) is int else 1
    return code, written[0].getvalue().decode(), written[1].getvalue().decode()


@pytest.fixture
def desk(read_side: ReadSide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadSide:
    """A directory of one's own, and the servers that commands find in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FLASHSALE_REDIS_URL", read_side.redis_url)
    monkeypatch.setenv("FLASHSALE_POSTGRES_URL", read_side.postgres_url)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    # The same tree each time: to make it takes longer than most commands do.
    monkeypatch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
    return read_side


def test_each_argument_has_a_value_that_makes_sense() -> None:
    assert {name for command in COMMANDS for name in command.arguments} <= set(GOOD)


@examples(80)
@given(args=lines())
def test_any_command_line(desk: ReadSide, args: list[str]) -> None:
    shard = desk.open_sale(f"{SALE}-{next(_sales)}")
    desk.orders_made = 0
    desk.run(shard, [Confirm(order) for order in desk.sell(shard, 4)[2:]])
    before = desk.log.head(shard)

    code, out, err = typed_in([shard.sale if arg == SALE else arg for arg in args])

    event(f"{' '.join(args[:2])!a}: {code}")  # what is typed may be no UTF-8, and Hypothesis encodes it
    assert code in DOCUMENTED, err
    assert "Traceback" not in out + err
    assert "\x1b[2J" not in err
    assert not code or err.startswith("error: ") or code in (4, 6, 7), err
    if code in (2, 3):
        assert desk.log.head(shard) == before, "what was refused has changed nothing"
    snapshot = desk.client.snapshot(shard.sale, everything=True)
    entries = desk.entries(shard)
    if (
        entries and entries[0].position.seq == 1
    ):  # else it was recovered: then it begins with what Postgres has
        assert snapshot.state == fold((entry.position, decode(entry.body or b"")) for entry in entries)
