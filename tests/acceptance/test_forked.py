"""A command that the tests' nursery forks is what the installed one is."""

from __future__ import annotations

import dataclasses

import pytest

from tests.fixtures.processes import Cli


@pytest.mark.parametrize(
    ("args", "stdin"),
    [(("config", "show"), ""), (("verify", "-"), "no log"), (("sale", "sell"), "")],
    ids=str,
)
def test_a_forked_command_says_and_ends_as_one_that_is_started(
    connected_cli: Cli, args: tuple[str, ...], stdin: str
) -> None:
    assert connected_cli.nursery is not None
    started = dataclasses.replace(connected_cli, nursery=None)

    forked = connected_cli.run(*args, stdin=stdin)

    assert forked == started.run(*args, stdin=stdin)
    assert forked.stdout + forked.stderr
