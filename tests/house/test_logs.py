"""Every line that is logged has a stable action, and docs/logs.md has every action as it is in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/logs.md"
FILES = sorted((ROOT / "flashsale").rglob("*.py"))

LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
#: What `log.exception` adds.
EXCEPTION = {"exception": {"exception"}}
ACTION = re.compile(r"[a-z]+(_[a-z]+)*")
ROW = re.compile(
    r"^\| `(?P<action>\w+)` \| (?P<levels>[a-z, ]+) \|(?P<fields>[^|]*)\|(?P<meaning>[^|]+)\|(?P<remedy>[^|]+)\|$",
    re.MULTILINE,
)


class Line(NamedTuple):
    """One call that logs."""

    place: str
    action: str | None
    level: str
    fields: frozenset[str]
    #: more fields come from a mapping that is not written there
    is_open: bool


def loggers(tree: ast.Module) -> set[str]:
    """The names that a module gives to its loggers."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "structlog.get_logger"
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def lines_of(path: Path) -> Iterator[Line]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = loggers(tree)
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in names
            and node.func.attr != "is_enabled_for"
        ):
            continue
        named = {word.arg: word.value for word in node.keywords if word.arg is not None}
        action = named.pop("action", None)
        fields = named.keys() - {"exc_info"} | EXCEPTION.get(node.func.attr, set())
        yield Line(
            f"{path.relative_to(ROOT)}:{node.lineno}",
            action.value if isinstance(action, ast.Constant) and isinstance(action.value, str) else None,
            node.func.attr,
            frozenset(fields | ({"exception"} if "exc_info" in named else set())),
            any(word.arg is None for word in node.keywords),
        )


LINES = [line for path in FILES for line in lines_of(path)]
ROWS = list(ROW.finditer(DOCUMENT.read_text(encoding="utf-8")))


def test_the_scan_sees_what_is_logged() -> None:
    known = {"daemon_started", "batch_applied", "drift_found", "library_warning"}
    assert known <= {line.action for line in LINES}


def test_there_is_one_way_to_log() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        names = loggers(ast.parse(text))
        assert names <= {"log"}, path
        assert text.count("get_logger(") == len(names), f"{path}: a logger that the scan does not see"


def test_a_line_has_a_level_and_an_action_that_alarms_may_name() -> None:
    for line in LINES:
        assert line.level in LEVELS, line.place
        assert line.action, f"{line.place}: write it as it is, action=..."
        assert ACTION.fullmatch(line.action), line.place


def test_every_action_is_documented_and_there_is_no_other() -> None:
    assert sorted(row["action"] for row in ROWS) == sorted({line.action for line in LINES if line.action})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["action"])
def test_an_action_is_documented_with_its_levels_and_fields(row: re.Match[str]) -> None:
    calls = [line for line in LINES if line.action == row["action"]]
    documented = set(re.findall(r"`(\w+)`", row["fields"]))
    fields = {field for line in calls for field in line.fields}

    assert set(row["levels"].split(", ")) == {LEVELS[line.level] for line in calls}
    assert documented == fields or (documented > fields and any(line.is_open for line in calls))
    assert row["meaning"].strip()
    assert row["remedy"].strip()
