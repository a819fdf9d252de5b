"""Whatever can call somebody at night has a section in the runbook, of the same four parts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashsale.cli import INTERRUPTED
from flashsale.cli.run import BROKEN_PIPE
from flashsale.errors import FlashsaleError
from tests.house.test_metrics import ALERTS

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
#: Heading → what stands below it, of everything that calls: alerts, checks of doctor, exit codes.
SECTIONS = dict(re.findall(r"^### (.+)\n\n((?:[^#\n].*\n|\n)+)", RUNBOOK + "\n", re.MULTILINE))
PARTS = ["You see", "It means", "Do", "Wake someone"]
#: Made by a function of its own, which has the name from its caller.
OF_VERSIONS = {"Redis", "Valkey", "Postgres"}


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_says_what_you_see_what_it_means_what_to_do_and_whom_to_wake(heading: str) -> None:
    assert re.findall(r"^- \*\*(.+?)\*\*: \S", SECTIONS[heading], re.MULTILINE) == PARTS


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_section(alert: str) -> None:
    assert alert in SECTIONS


def exit_codes(error: type[FlashsaleError] = FlashsaleError) -> Iterator[int]:
    """The exit code of an error, and of all that are kinds of it."""
    yield error.exit_code
    for kind in error.__subclasses__():
        yield from exit_codes(kind)


@pytest.mark.parametrize("code", sorted({*exit_codes(), INTERRUPTED, BROKEN_PIPE}))
def test_every_exit_code_has_a_section(code: int) -> None:
    assert f"Exit code {code}" in SECTIONS
    assert f"\n| {code} | " in (ROOT / "docs/cli.md").read_text(encoding="utf-8")


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every check that `doctor` makes: the function that makes it, and its call."""
    for path in sorted((ROOT / "flashsale/doctor").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            if node.func.id in ("Check", "checked"):
                yield node.func.id, node


def may_fail(maker: str, call: ast.Call) -> bool:
    """Whether its verdict may be another one than `ok` and `warn`."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}.get("verdict")
    verdict = call.args[1] if maker == "Check" else given
    if verdict is None:
        return True  # what `checked` says unless it is told
    words = {node.value for node in ast.walk(verdict) if isinstance(node, ast.Constant)}
    return not (words and words <= {"ok", "warn", "unknown"})


def failing_checks() -> set[str]:
    """The names of the checks that may fail, as far as they are written down where they are made."""
    found = set()
    for maker, call in calls():
        name = call.args[0]
        if not may_fail(maker, call):
            continue
        if isinstance(name, ast.Constant):
            found.add(str(name.value))
        elif isinstance(name, ast.JoinedStr):  # f"sale {…}"
            found.add(ast.unparse(name)[2:].split("{")[0].strip() + "s")
        elif isinstance(name, ast.Name) and name.id == "LAST_WRITE":
            found.add("last log write")
    return found


def test_the_failures_of_doctor_are_found() -> None:
    found = failing_checks()
    assert found >= {"role", "eviction", "schema", "known holes", "last log write", "sales"}
    assert found & {"clock", "Postgres checksums", "memory"} == set()


@pytest.mark.parametrize("check", sorted(failing_checks() | OF_VERSIONS))
def test_every_failure_that_doctor_finds_has_a_section(check: str) -> None:
    headings = [heading for heading in SECTIONS if heading.startswith("doctor: ")]
    assert any(re.search(rf"\b{check}\b", heading) for heading in headings), headings
