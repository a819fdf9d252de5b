"""Every command, argument and option explains itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from flashsale import cli
from flashsale.cli import app


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below `command` with the words that call it."""
    yield path, command
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from walk(child, (*path, name))


COMMANDS = list(walk(typer.main.get_command(app)))
each_command = pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[" ".join(path) or "flashsale" for path, _ in COMMANDS]
)


@each_command
def test_a_command_says_what_it_does(path: tuple[str, ...], command: Any) -> None:
    assert command.help, path
    assert command.help.splitlines()[0].endswith("."), "the first line of a help text is a sentence"


@each_command
def test_arguments_and_options_say_what_they_mean(path: tuple[str, ...], command: Any) -> None:
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []


@each_command
def test_help_is_printed(path: tuple[str, ...], command: Any) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output
    assert "shard" not in result.output.lower(), "every sale has one: nobody need know"


def test_no_table_has_a_column_for_the_shard_that_every_sale_has() -> None:
    sources = (Path(cli.__file__).parent).glob("*.py")
    assert [path.name for path in sources if '"#shard"' in path.read_text(encoding="utf-8")] == []
