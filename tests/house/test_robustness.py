"""docs/robustness.md names tests: they exist, every row of its tables is there, and none says more than it can show."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/robustness.md").read_text(encoding="utf-8")
FAULTS = ROOT / "tests/torture/faults"

NODE = re.compile(r"([\w/]+\.py)::(\w+)")
TORTURE = re.compile(r"torture: ([a-z][a-z-]*)")
ROWS = re.findall(r"^\| ([FB]\d\d) \|(.*)\|$", TEXT, re.MULTILINE)
OUTCOMES = {"holds", "told", "partly", "open"}


@cache
def functions_of(file: str) -> set[str]:
    """The names of the functions of a file below tests/; none when there is no such file."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return set()
    functions = ast.FunctionDef, ast.AsyncFunctionDef
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, functions)}


def test_every_test_that_is_named_exists() -> None:
    named = NODE.findall(TEXT)
    assert len(named) > len(ROWS) / 2
    assert [f"{file}::{name}" for file, name in named if name not in functions_of(file)] == []


def test_every_test_that_the_page_on_upgrades_names_exists() -> None:
    named = NODE.findall((ROOT / "docs/upgrading.md").read_text(encoding="utf-8"))
    assert named
    assert [f"{file}::{name}" for file, name in named if name not in functions_of(file)] == []


@pytest.mark.skipif(not FAULTS.exists(), reason="there is no torture yet")
def test_every_fault_of_the_torture_that_is_named_exists() -> None:
    source = "".join(path.read_text("utf-8") for path in FAULTS.glob("*.py"))
    named = set(TORTURE.findall(TEXT)) - {"all", "name"}
    assert [name for name in sorted(named) if f'"{name}"' not in source] == []


def test_no_row_is_left_out() -> None:
    wanted = [f"F{n:02}" for n in range(1, 69)] + [f"B{n:02}" for n in range(1, 73)]
    assert [number for number, _ in ROWS] == wanted


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_a_row_shows_what_it_says(number: str, row: str) -> None:
    cells = [cell.strip() for cell in row.split("|")]
    shown = NODE.findall(row) or TORTURE.findall(row)
    if number.startswith("F"):
        assert cells[-1] in OUTCOMES
        assert bool(shown) == (cells[-1] != "open")
    else:
        assert shown or cells[1].startswith(("later", "open")), (
            "what no test shows is said to be open or later"
        )
