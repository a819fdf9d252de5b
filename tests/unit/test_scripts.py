"""The loader of the Lua scripts: headers, flags, text and SHA."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

from flashsale.scripts import PRELUDE, parse_header, script, script_names

HEADER = """\
-- sweep: tidy up; then go home.
--
-- More about it.
--
-- KEYS  sale stock
-- ARGV  fence  position  the highest seen
--       by     text      who asks
-- Returns  {position, now_ms, answer}: SWEPT position
--          NOT_LOADED position
-- Flags    allow-oom: it frees
-- Emits    sale.swept, sale.tidied
local keys = named_keys()
-- KEYS  not a header any more
"""


def test_a_header_is_read() -> None:
    assert parse_header(HEADER) == {
        "name": "sweep",
        "sentence": "tidy up; then go home.",
        "KEYS": "sale stock",
        "ARGV": "fence  position  the highest seen",
        "Returns": "{position, now_ms, answer}: SWEPT position",
        "Flags": "allow-oom: it frees",
        "Emits": "sale.swept, sale.tidied",
    }


@pytest.mark.parametrize("section", ["KEYS", "ARGV", "Returns", "Emits"])
def test_a_header_without_a_section_is_incomplete(section: str) -> None:
    text = "\n".join(line for line in HEADER.splitlines() if not line.startswith(f"-- {section} "))

    with pytest.raises(ValueError, match=rf"^the header of sweep lacks {section}$"):
        parse_header(text)


def test_all_sections_that_lack_are_named() -> None:
    with pytest.raises(ValueError, match=r"^the header of sweep lacks ARGV, Emits, KEYS, Returns$"):
        parse_header("-- sweep: tidy up.\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "local x = 1\n",
        "-- tidy up\n",
        "-- Sweep: tidy up.\n",
        "-- sweep:\n",
        "#!lua\n-- sweep: tidy.\n",
    ],
)
def test_a_script_begins_with_its_name(text: str) -> None:
    with pytest.raises(ValueError, match="a script begins with"):
        parse_header(text)


def test_a_header_ends_with_the_comment_block() -> None:
    code_first = HEADER.replace("-- ARGV", "local early = true\n-- ARGV")

    with pytest.raises(ValueError, match="lacks ARGV, Emits, Returns"):
        parse_header(code_first)


FUNCTION = re.compile(r"^local function (\w+)", re.MULTILINE)


def code_lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("--")]


def shared_texts() -> list[str]:
    parts = sorted((Path(str(files("flashsale"))) / "lua" / PRELUDE).glob("*.lua"))
    return [part.read_text(encoding="utf-8") for part in parts]


def test_no_two_functions_of_the_prelude_have_one_name() -> None:
    functions = [name for text in shared_texts() for name in FUNCTION.findall(text)]
    assert sorted(functions) == sorted(set(functions))


@pytest.mark.parametrize("name", script_names())
def test_a_script_has_each_function_of_the_prelude_that_it_calls_and_no_other(name: str) -> None:
    source = script(name).source
    for function in FUNCTION.findall("\n".join(shared_texts())):
        calls = re.findall(rf"(?<![.:])\b(local function )?{function}\(", source)
        # Its definition, and behind it a call; one that calls itself alone would be dead, and there is none.
        assert not calls or (calls[0], calls.count("local function ")) == ("local function ", 1), function
        assert len(calls) != 1, function


@pytest.mark.parametrize("name", script_names())
def test_a_script_is_engine_line_what_it_calls_of_the_prelude_and_file(name: str) -> None:
    own = (files("flashsale") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    engine, rest = script(name).source.split("\n", 1)

    assert engine in {"#!lua", "#!lua flags=allow-oom", "#!lua flags=no-writes"}
    ours = "\n".join(code_lines(own)) + "\n"
    assert rest.endswith(ours)
    theirs = "\n".join(code_lines("\n".join(shared_texts()))) + "\n"
    taken = re.split(r"^(?=local function )", rest.removesuffix(ours), flags=re.MULTILINE)
    assert taken[0] == ""
    assert all(function in theirs for function in taken), "whole functions of the prelude"
    assert len(script(name).source) < 16_384, "from a client without the password, Redis reads no more"
    sha1 = hashlib.sha1(script(name).source.encode())  # noqa: S324 - EVALSHA takes no other
    assert script(name).sha == sha1.hexdigest()
    assert script(name) is script(name), "read once"


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (
            "#!lua flags=allow-oom",
            {"archive", "cancel", "close", "confirm", "expire", "found", "leave", "pause", "refund", "trim"},
        ),
        ("#!lua flags=no-writes", {"roomstate", "snapshot", "stand"}),
        (
            "#!lua",
            {
                *("admit", "join", "load", "mend", "open", "reconfigure", "reserve", "restock", "resume"),
                "room",
            },
        ),
    ],
)
def test_flags_say_what_redis_may_refuse(flags: str, names: set[str]) -> None:
    assert {name for name in script_names() if script(name).source.partition("\n")[0] == flags} == names


def test_all_others_write_events() -> None:
    assert [name for name in script_names() if not script(name).emits] == [
        "archive",
        "found",
        "join",
        "leave",
        "mend",
        "roomstate",
        "snapshot",
        "stand",
        "trim",
    ]
    assert script("load").emits == ("sale.loaded", "stock.loaded")


def test_shas_differ() -> None:
    assert len({script(name).sha for name in script_names()}) == len(script_names())


@pytest.mark.parametrize(
    "name", ["", "nothing", PRELUDE, f"{PRELUDE}/line", "../lua/load", "LOAD", "load.lua"]
)
def test_what_is_no_script_is_not_found(name: str) -> None:
    with pytest.raises(KeyError):
        script(name)
