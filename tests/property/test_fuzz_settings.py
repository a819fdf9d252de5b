"""Whatever stands in the environment, in the settings file or in a definition: it is understood, or refused by name."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from flashsale.config import load
from flashsale.definition import SaleDefinition
from flashsale.definition_file import parse_definition, read_definition
from flashsale.errors import BadInput
from flashsale.settings import Settings
from tests.fixtures.fuzz import NASTY, examples, typed

MESSAGE_LENGTH_MAX = 600

urls = st.builds(
    lambda scheme, rest: scheme + rest,
    st.sampled_from(
        ["redis://", "rediss://", "unix://", "postgresql://", "postgres://", "http://", "host=", "//", ""]
    ),
    st.one_of(
        typed,
        st.lists(
            st.sampled_from(
                [
                    "h",
                    ":",
                    "@",
                    "/",
                    "?",
                    "#",
                    "[::1]",
                    "%00",
                    "%",
                    "db=0",
                    "&",
                    "=",
                    "password=x",
                    "6379",
                    "\\",
                ]
            ),
            max_size=8,
        ).map("".join),
    ),
)
VARIABLES = [f"FLASHSALE_{name.upper()}" for name in Settings.__struct_fields__]
environments = st.dictionaries(
    st.sampled_from(
        [*VARIABLES, *(f"{name}_FILE" for name in VARIABLES), "FLASHSALE_CONFIG", "XDG_CONFIG_HOME"]
    ),
    typed | urls,
    max_size=3,
)


def refused(ask: Callable[[], object]) -> str | None:
    """Why it is refused, in a message that a terminal can bear; None when it was understood."""
    try:
        ask()
    except BadInput as error:
        message = str(error)
        assert len(message) < MESSAGE_LENGTH_MAX
        assert "\x1b" not in message
        assert "\n" not in message
        return message
    return None


@examples(100)
@given(environ=environments)
def test_any_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    monkeypatch.chdir(tmp_path)
    why = refused(lambda: load({}, environ, home=tmp_path).shown())
    event("understood" if why is None else why.partition(":")[0])


@examples(60)
@given(flags=st.dictionaries(st.sampled_from(Settings.__struct_fields__), typed | urls, max_size=3))
def test_any_flags(tmp_path: Path, flags: dict[str, str]) -> None:
    why = refused(lambda: load(flags, {}, home=tmp_path).shown())
    event("understood" if why is None else why.partition(":")[0])


#: TOML values, right and wrong, as they stand in a file
words = st.sampled_from(
    [
        *('"x"', '"é"', '"15m"', '"EUR"', '"drop"', '"phone"', '"items.csv"', '"a\\u0000b"', '"\\u001b[2J"'),
        *(
            "0",
            "1",
            "2",
            "-1",
            "1.0",
            "1e3",
            "0x10",
            "nan",
            "inf",
            "1_000",
            "true",
            "[]",
            "{}",
            "[[]]",
            "9" * 20,
        ),
        *("9" * 5_000, "[" * 2_000, "2027-03-01T10:00:00Z", "2027-03-01T10:00:00", "2027-03-01", "10:00:00"),
        *(
            "9999-12-31T23:59:59-23:59",
            "0001-01-01T00:00:00+23:59",
            "{ sku = 1 }",
            '"""',
            "'",
            "",
            "=",
            "\ufeff",
        ),
        *('"9999999999999d"', '"999999999d999999999d"', '["a", 1]', '[{ sku = "a" }]'),
    ]
) | typed.map(lambda text: f'"{text}"')


def a_file(names: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """A TOML file of these names, and of others, with good and bad values."""
    line = st.tuples(st.sampled_from((*names, "nothing", "", "a.b")), words).map(" = ".join)
    return st.lists(line | typed | st.sampled_from(["[[items]]", "[items]", "[sale]"]), max_size=8).map(
        lambda lines: "\n".join(lines).encode("utf-8", "surrogateescape")
    ) | st.binary(max_size=60)


_files = itertools.count(1)


@examples(60)
@given(content=a_file(Settings.__struct_fields__))
def test_any_settings_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / f"{next(_files)}.toml"
    file.write_bytes(content)

    why = refused(lambda: load({}, {}, file=file).shown())

    event("understood" if why is None else why.partition(":")[0])


GOOD = """sale = "drop"
title = "Drop"
currency = "EUR"
hold = "15m"
opens = 2027-03-01T10:00:00+01:00
closes = 2027-03-01T12:00:00+01:00
[[items]]
sku = "phone"
title = "Phone"
quantity = 10
unit_price_minor = 79900
limit = 2
"""
ROW = "sku,title,quantity,unit_price_minor,limit\nphone,Phone,10,79900,2\n"


@st.composite
def definitions(draw: st.DrawFn) -> bytes:
    """A good definition, of which some lines are gone, twice, or have another value."""
    lines = GOOD.splitlines()
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        name, equals, _value = lines[place].partition(" = ")
        match draw(st.sampled_from(["replace", "replace", "drop", "twice", "other"])):
            case "replace" if equals:
                lines[place] = f"{name} = {draw(words)}"
            case "twice":
                lines.insert(place, lines[place])
            case "drop" if len(lines) > 1:
                del lines[place]
            case _:
                lines[place] = draw(typed)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


@examples(100)
@given(content=definitions() | a_file(("sale", "title", "currency", "hold", "items", "items_file")))
def test_any_definition(content: bytes) -> None:
    found: list[SaleDefinition] = []

    why = refused(lambda: found.append(parse_definition(content, "drop.toml")))

    event("understood" if why is None else "refused")
    if why is None:  # then it says what stands in the file: nothing was guessed
        table = tomllib.loads(content.decode("utf-8-sig"))
        (definition,) = found
        assert (definition.sale, definition.title) == (table["sale"], table["title"])
        assert [item.quantity for item in definition.items] == [item["quantity"] for item in table["items"]]


cells = st.sampled_from(
    [*NASTY, '"', '"a', 'a"b', "=cmd()", "@SUM(1)", "+1", "phone", "10", "0", "a,b"]
) | st.text(max_size=10)


@examples(100)
@given(
    rows=st.lists(st.lists(cells, max_size=6).map(",".join), max_size=5),
    begin=st.sampled_from([ROW, ROW.splitlines()[0] + "\n", "", "\ufeff" + ROW]),
    end=st.binary(max_size=4),
)
def test_any_table(tmp_path: Path, rows: list[str], begin: str, end: bytes) -> None:
    directory = tmp_path / str(next(_files))
    directory.mkdir()
    head, _, _ = GOOD.partition("[[items]]")
    (directory / "drop.toml").write_text(f'{head}items_file = "items.csv"\n', encoding="utf-8")
    table = (begin + "\n".join(rows)).encode("utf-8", "surrogateescape") + end
    (directory / "items.csv").write_bytes(table)

    why = refused(lambda: read_definition(directory / "drop.toml"))

    event("understood" if why is None else "refused")


@examples(100)
@given(name=typed)
def test_any_name_of_a_table(tmp_path: Path, name: str) -> None:
    (tmp_path / "drop.toml").write_bytes(GOOD.partition("[[items]]")[0].encode() + b"items_file = '''x'''\n")
    text = (tmp_path / "drop.toml").read_text(encoding="utf-8")
    file = tmp_path / "named.toml"
    file.write_bytes(text.replace("'''x'''", f"'''{name}'''").encode("utf-8", "surrogateescape"))

    assert refused(lambda: read_definition(file)) is not None
