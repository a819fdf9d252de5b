"""The style guide, where a test can tell."""

import ast
import importlib.metadata
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import flashsale
from flashsale.cli import app

ROOT = Path(__file__).parents[2]
FILES = sorted(path for top in ("flashsale", "tests") for path in (ROOT / top).rglob("*.py"))
#: Of code, and of tests, which stay whole where they share servers.
FILE_LINES_MAX = {"flashsale": 250, "tests": 320}
FUNCTION_LINES_MAX = 70

#: a code and a reason, each in the form that its tool can read
NOQA = re.compile(r"# noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*( - |  # )\w.+")
TYPE_IGNORE = re.compile(r"# type: ignore\[[a-z, -]+\]  # \w.+")
#: `TODO(when Redis 7.0 is gone): what`
TODO = re.compile(r"TODO\((when|after|until) [^)]+\): \w")

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def comments(path: Path) -> Iterator[str]:
    """Every comment of a Python file with its line number."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield f"{token.start[0]}: {token.string}"


def commands(command: object, path: str = "") -> Iterator[str]:
    """The words after `flashsale` of every command that does something."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path.strip()
    for name, child in (children or {}).items():
        yield from commands(child, f"{path} {name}")


@each_file
def test_a_file_is_short(path: Path) -> None:
    top = path.relative_to(ROOT).parts[0]
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES_MAX[top]


@each_file
def test_a_function_is_short(path: Path) -> None:
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    }
    assert long == {}


@each_file
def test_an_exception_to_a_rule_has_a_code_and_a_reason(path: Path) -> None:
    bare = [
        comment
        for comment in comments(path)
        if (re.search(r"# noqa\b", comment) and not NOQA.search(comment))
        or (re.search(r"# type: ignore\b", comment) and not TYPE_IGNORE.search(comment))
    ]
    assert bare == [], "write `# noqa: CODE - why` or `# type: ignore[code]  # why`"


@each_file
def test_a_todo_names_the_condition_that_ends_it(path: Path) -> None:
    open_ended = [comment for comment in comments(path) if "TODO" in comment and not TODO.search(comment)]
    assert open_ended == [], "write `TODO(when …): …`"


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.is_relative_to(ROOT / "tests") and path.name != "helpers.py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_test_does_not_sleep(path: Path) -> None:
    sleeps = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "sleep"
        and isinstance(node.value, ast.Name)
        and node.value.id == "time"
    ]
    assert sleeps == [], "use tests.helpers.wait_until"


def test_the_changelog_ends_at_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d.*?)\]", text, re.MULTILINE)
    assert newest is not None
    assert newest[1] == flashsale.__version__ == importlib.metadata.version("flashsale")


@pytest.mark.parametrize("command", list(commands(typer.main.get_command(app))))
def test_the_readme_mentions_every_command(command: str) -> None:
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
