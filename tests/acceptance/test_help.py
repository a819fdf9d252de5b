"""Help, version and completion: what a person meets first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

import flashsale
from flashsale.cli import app
from tests.fixtures.processes import COMMAND, Cli

EXIT_CODES = (
    "0 done",
    "1 unexpected",
    "2 bad input",
    "3 not found",
    "4 refused",
    "5 a server",
    "6 drift",
    "7 a log",
    "130",
)


#: To make it takes as long as most commands do.
TREE: Any = typer.main.get_command(app)


def leaves(command: Any = TREE, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words that call each command."""
    children = getattr(command, "commands", None)
    if children is None:
        return [path]
    return [leaf for name, child in sorted(children.items()) for leaf in leaves(child, (*path, name))]


def imported_by(*args: str) -> set[str]:
    """The modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", COMMAND, *args],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }


def test_the_version(cli: Cli) -> None:
    done = cli.ok("--version")
    assert done.stdout == f"flashsale {flashsale.__version__}\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    "args", [("--version",), ("--help",), ("sale", "--help"), ("config", "show")], ids=" ".join
)
def test_what_needs_no_server_imports_no_client(args: tuple[str, ...]) -> None:
    imported = imported_by(*args)
    assert "flashsale.cli" in imported
    assert imported & {"redis", "psycopg", "structlog", "pydantic"} == set()


def test_the_version_imports_next_to_nothing() -> None:
    assert "typer" not in imported_by("--version")


def test_help_teaches_the_first_sale_and_the_exit_codes(cli: Cli) -> None:
    told = " ".join(cli.ok("--help").stdout.split())

    for step in ("sale example > drop.toml", "sale define", "sale warm", "sale open", "order reserve"):
        assert f"flashsale {step}" in told
    for code in EXIT_CODES:
        assert code in told


@pytest.mark.parametrize("args", [(), ("sale",), ("dev",)])
def test_no_command_is_answered_with_help(cli: Cli, args: tuple[str, ...]) -> None:
    done = cli.run(*args)
    assert done.exit_code == 2
    assert "Usage: flashsale" in done.stdout + done.stderr


@pytest.mark.parametrize("path", leaves(), ids=" ".join)
def test_every_command_takes_the_shared_options_after_its_verb(path: tuple[str, ...]) -> None:
    command = TREE
    for name in path:
        command = command.commands[name]

    options = {option for parameter in command.params for option in parameter.opts}

    assert options >= {
        "--data-dir", "--redis-url", "--postgres-url", "--config", "--log-level", "--log-format", "--debug",
    }  # fmt: skip


def test_every_reading_command_speaks_json() -> None:
    daemons = {(name, "run") for name in ("gateway", "metrics", "operator", "projector", "sweeper")}
    tokens = {("gateway", "secret"), ("gateway", "token"), ("operator", "token")}
    silent = {("sale", "example"), *tokens, *daemons}
    for path in leaves():
        command = TREE
        for name in path:
            command = command.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert ("--json" in options) != (path in silent), path


def test_the_commands_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    for path in leaves():
        assert f"`flashsale {' '.join(path)}" in text


def test_completion_for_bash(cli: Cli) -> None:
    cli.env |= {"_FLASHSALE_COMPLETE": "complete_bash", "COMP_WORDS": "flashsale sa", "COMP_CWORD": "1"}
    assert cli.ok().stdout.split() == ["sale"]
