"""Every Lua script begins with its contract, and the contract names things that exist."""

import re
from pathlib import Path

import pytest

from flashsale.events import EVENT_TYPES
from flashsale.keys import RoomKeys, ShardKeys
from flashsale.scripts import PRELUDE, parse_header, script, script_names

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "lua").glob("*.lua"))
PARTS = sorted((ROOT / "lua" / PRELUDE).glob("*.lua"))


def test_the_loader_sees_every_script() -> None:
    assert list(script_names()) == [path.stem for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_script_begins_with_its_contract(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = parse_header(text)

    assert text.startswith(f"-- {path.stem}: ")
    assert header["sentence"].endswith(".")
    assert set(header) >= {"KEYS", "ARGV", "Returns", "Emits"}
    assert not text.startswith("#!"), "the loader writes the engine line"


@pytest.mark.parametrize("name", script_names())
def test_the_contract_names_keys_and_events_that_exist(name: str) -> None:
    assert {key.removeprefix("new_") for key in script(name).keys} <= {*ShardKeys._fields, *RoomKeys._fields}
    assert set(script(name).emits) <= set(EVENT_TYPES)


@pytest.mark.parametrize("name", script_names())
def test_a_script_has_a_test_module_of_its_name(name: str) -> None:
    assert (ROOT / "tests" / "lua" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.stem)
def test_a_part_of_the_prelude_says_what_it_is_and_holds_functions_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(rf"-- {path.stem}: .*\.\n", text)

    rest = re.sub(r"^local function .*?^end$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert [line for line in rest.splitlines() if line and not line.startswith("--")] == []
