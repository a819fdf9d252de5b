"""A sale's file: what is read, and what is refused, with the place of the fault."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from flashsale.definition import SaleDefinition
from flashsale.definition_file import (
    FILE_BYTES_MAX,
    parse_definition,
    read_definition,
)
from flashsale.errors import BadInput
from flashsale.times import parse_duration, parse_hold

ROOT = Path(__file__).parents[2]
HEAD = 'sale = "drop"\ntitle = "Drop"\ncurrency = "EUR"\nhold = "15m"\n'
ITEM = '[[items]]\nsku = "phone"\ntitle = "Phone 15"\nquantity = 10\nunit_price_minor = 79900\n'
CSV_HEAD = "sku,title,quantity,unit_price_minor,limit\n"


def parse(text: str) -> SaleDefinition:
    return parse_definition(text.encode(), "drop.toml")


def refusal(text: str) -> str:
    with pytest.raises(BadInput) as caught:
        parse(text)
    return str(caught.value)


def changed(name: str, value: str) -> str:
    """The good file with one value changed; `-` removes the line."""
    line = "" if value == "-" else f"{name} = {value}\n"
    return re.sub(rf"(?m)^{name} = .*\n", line.replace("\\", r"\\"), HEAD + ITEM, count=1)


def test_a_whole_definition() -> None:
    found = parse(
        HEAD
        + "opens = 2027-03-01T10:00:00+01:00\ncloses = 2027-03-01T10:30:00.5Z\n"
        + ITEM
        + 'limit = 2\n[[items]]\nsku = "case"\ntitle = "Hülle"\nquantity = 1_000\nunit_price_minor = 0\n'
    )

    assert (found.sale, found.title, found.currency, found.hold_ms) == ("drop", "Drop", "EUR", 900_000)
    assert (found.opens_ms, found.closes_ms) == (1_803_891_600_000, 1_803_897_000_500)
    assert [(i.sku, i.title, i.quantity, i.unit_price_minor, i.limit) for i in found.items] == [
        ("phone", "Phone 15", 10, 79_900, 2),
        ("case", "Hülle", 1_000, 0, 0),
    ]


def test_no_window_means_that_people_decide() -> None:
    assert (parse(HEAD + ITEM).opens_ms, parse(HEAD + ITEM).closes_ms) == (0, 0)


def test_the_file_may_have_a_bom_and_windows_line_ends() -> None:
    plain = HEAD + ITEM
    assert parse("\ufeff" + plain) == parse(plain) == parse(plain.replace("\n", "\r\n"))


@pytest.mark.parametrize("name", ["mega-drop.toml", "sneaker-drop.toml"])
def test_the_shipped_examples_are_good(name: str) -> None:
    path = Path(str(files("flashsale"))) / "examples" / name
    assert read_definition(path).sale == name.removesuffix(".toml")


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("500ms", 500), ("90s", 90_000), ("15m", 900_000), ("1h30m", 5_400_000), ("2d", 172_800_000)],
)
def test_durations(text: str, milliseconds: int) -> None:
    assert parse_duration(text, "hold") == milliseconds


@pytest.mark.parametrize(
    "value", ["15", "", "m", "-5m", "1.5h", "1e3s", "15 m", "15M", "٣m", 15, 15.0, True, None]
)
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(BadInput, match="write a duration with its unit"):
        parse_duration(value, "hold")


@pytest.mark.parametrize("text", ["999ms", "0s", "31d", "999999999d"])
def test_a_hold_has_limits_and_the_message_shows_what_was_written(text: str) -> None:
    with pytest.raises(BadInput, match=f"'{text}' is not accepted; use between one second and 30 days"):
        parse_hold(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "drop.toml: sale is missing"),
        ("sale = ", "drop.toml: it is not TOML: Invalid value (at end of document)"),
        ("sale = 1\nsale = 2", "drop.toml: it is not TOML: Cannot overwrite a value"),
        (f"sale = {'9' * 5000}", "drop.toml: it is not TOML: Exceeds the limit"),
        ("sale = " + "[" * 5000, "drop.toml: it is not TOML: "),
        (changed("title", "-"), "drop.toml: title is missing"),
        (changed("sku", "-"), "drop.toml, item 1: sku is missing"),
        ("titel = 1\n" + HEAD + ITEM, "drop.toml: there is no 'titel'; did you mean title?"),
        ("zzz = 1\n" + HEAD + ITEM, "drop.toml: there is no 'zzz'; known are sale, title, "),
        (HEAD + ITEM + "price = 1\n", "drop.toml, item 1: there is no 'price'; did you mean unit_price_minor?"),
        (HEAD, "drop.toml: write either [[items]] or items_file, one of them"),
        (HEAD + 'items_file = "a.csv"\n' + ITEM, "write either [[items]] or items_file"),
        (HEAD + "items = 5", "items are tables: begin each with [[items]]"),
        (HEAD + "items = []", "items are tables: begin each with [[items]]"),
        (HEAD + ITEM.replace("[[items]]", "[items]"), "items are tables: begin each with [[items]]"),
        (HEAD + 'items = ["phone"]', "items are tables: begin each with [[items]]"),
        (HEAD + "items_file = 5", "items_file: 5 is not accepted; write the name of a CSV file"),
        (HEAD + ITEM + ITEM, "drop.toml, item 2, sku: 'phone' is not accepted; item 1 has it already"),
    ],
)  # fmt: skip
def test_a_file_of_another_shape(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sale", '"{drop}"', "drop.toml, sale: '{drop}' is not accepted; use 1 to 48 of a-z"),
        ("sale", f'"{"d" * 300}"', "drop.toml, sale: 'dddd"),
        ("sale", "5", "drop.toml, sale: 5 is not accepted"),
        ("title", '""', "drop.toml, title: '' is not accepted; use one line"),
        ("title", '"two\\nlines"', "use one line of 1 to 200 printable characters"),
        ("title", '"\\u001b[31mred"', "use one line of 1 to 200 printable characters"),
        ("title", f'"{"t" * 201}"', "use one line of 1 to 200 printable characters"),
        ("title", "5", "drop.toml, title: 5 is not accepted"),
        ("currency", '"eur"', "drop.toml, currency: 'eur' is not accepted; use three capital letters"),
        ("currency", '"EURO"', "use three capital letters"),
        ("currency", "978", "use three capital letters"),
        ("hold", "900", 'drop.toml, hold: 900 is not accepted; write a duration with its unit: "90s"'),
        ("hold", '"15"', "write a duration with its unit"),
        ("hold", '"31d"', "drop.toml, hold: '31d' is not accepted; use between one second and 30 days"),
        ("sku", '"a b"', "drop.toml, item 1, sku: 'a b' is not accepted; use 1 to 64"),
        ("sku", '"a:b"', "drop.toml, item 1, sku: 'a:b'"),
        ("sku", '"té"', "drop.toml, item 1, sku: 'té'"),
        ("quantity", "0", "drop.toml, item 1, quantity: 0 is not accepted; use a whole number from 1 to"),
        ("quantity", "-1", "quantity: -1 is not accepted"),
        ("quantity", "1.0", "quantity: 1.0 is not accepted"),
        ("quantity", "1e3", "quantity: 1000.0 is not accepted"),
        ("quantity", "nan", "quantity: nan is not accepted"),
        ("quantity", "inf", "quantity: inf is not accepted"),
        ("quantity", '"10"', "quantity: '10' is not accepted"),
        ("quantity", "true", "quantity: True is not accepted"),
        ("quantity", "0x10", "quantity: '0x10' is not accepted; write the number with the digits 0 to 9"),
        ("quantity", "1000000001", "quantity: 1000000001 is not accepted"),
        ("quantity", "9" * 300, "quantity: 99999"),
        ("unit_price_minor", "-1", "unit_price_minor: -1 is not accepted"),
        ("unit_price_minor", "799.00", "unit_price_minor: 799.0 is not accepted"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_accepted(name: str, value: str, message: str) -> None:
    assert message in refusal(changed(name, value))


@pytest.mark.parametrize("limit", ["-1", "1.5", "true", '"2"', "1000000"])
def test_a_limit_that_is_not_accepted(limit: str) -> None:
    assert "drop.toml, item 1, limit: " in refusal(HEAD + ITEM + f"limit = {limit}")


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("opens = 2027-03-01T10:00:00", "'2027-03-01T10:00:00' is not accepted; say in which time zone"),
        ("opens = 2027-03-01", "opens: '2027-03-01' is not accepted; write it without quotes, like"),
        ("opens = 10:00:00", "opens: '10:00:00' is not accepted"),
        ('opens = "2027-03-01T10:00:00Z"', "opens: '2027-03-01T10:00:00Z' is not accepted; write it without quotes"),
        ("opens = 1803891600", "opens: 1803891600 is not accepted"),
        ("opens = 1970-01-01T00:00:00Z", "use a time between 1970 and 2200"),
        ("opens = 0001-01-01T00:00:00Z", "use a time between 1970 and 2200"),
        ("closes = 2500-01-01T00:00:00Z", "use a time between 1970 and 2200"),
        (
            "opens = 2027-03-01T10:00:00Z\ncloses = 2027-03-01T10:00:00+01:00",
            "drop.toml, closes: '2027-03-01T10:00:00+01:00' is not accepted; it must come after opens, 2027-03-01",
        ),
    ],
)  # fmt: skip
def test_a_window_that_is_not_accepted(window: str, message: str) -> None:
    assert message in refusal(f"{HEAD}{window}\n{ITEM}")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    (tmp_path / "drop.toml").write_text(HEAD + 'items_file = "nothing.csv"', encoding="utf-8")
    for path, words in (
        (tmp_path / "nothing.toml", "nothing.toml: it cannot be read: No such file or directory"),
        (tmp_path, "it cannot be read: Is a directory"),
        (huge, "huge.toml: it is longer than 4 MB"),
        (tmp_path / "drop.toml", "nothing.csv: it cannot be read: No such file or directory"),
    ):
        with pytest.raises(BadInput, match=words):
            read_definition(path)


def test_content_without_a_place_has_no_table_beside_it() -> None:
    assert "its items must stand in it" in refusal(HEAD + 'items_file = "items.csv"')


def test_a_comment_may_say_anything() -> None:
    assert parse("# quantity = 0x10\n" + HEAD + ITEM).items[0].quantity == 10


def test_the_definition_in_the_documentation_is_accepted_with_every_duration_it_names() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"(?s)```toml\n(.*?)```", text)
    (durations,) = re.findall(r"keeps its units: (.*)", example)

    assert parse(example).sale == "spring-drop"
    for duration in re.findall(r"\d[0-9a-z]+", durations):
        assert parse_hold(duration) > 0
