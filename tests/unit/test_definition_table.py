"""The items of a sale in a CSV table beside its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashsale.definition import SaleDefinition
from flashsale.definition_file import parse_definition, read_definition
from flashsale.errors import BadInput

HEAD = 'sale = "drop"\ntitle = "Drop"\ncurrency = "EUR"\nhold = "15m"\n'
CSV_HEAD = "sku,title,quantity,unit_price_minor,limit\n"


def with_table(csv: bytes | str) -> SaleDefinition:
    """A definition whose items stand in a CSV file with this content."""
    content = csv.encode() if isinstance(csv, str) else csv
    return parse_definition((HEAD + 'items_file = "items.csv"').encode(), "drop.toml", lambda _: content)


def table_refusal(csv: bytes | str) -> str:
    with pytest.raises(BadInput) as caught:
        with_table(csv)
    return str(caught.value)


def test_the_table_may_have_a_bom_windows_line_ends_blank_lines_and_other_columns_order() -> None:
    csv = 'title,sku,quantity,unit_price_minor\n"Phone 15, black",phone,10,79900\nCase,case,5,900\n'
    plain = with_table(csv)

    assert [(i.sku, i.title, i.limit) for i in plain.items] == [
        ("phone", "Phone 15, black", 0),
        ("case", "Case", 0),
    ]
    assert with_table("\ufeff" + csv.replace("\n", "\r\n") + "\r\n\r\n") == plain


def test_the_table_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "drop.toml").write_text(HEAD + 'items_file = "tables/items.csv"', encoding="utf-8")
    (tmp_path / "tables" / "items.csv").write_text(CSV_HEAD + "phone,Phone,1,1,0\n", encoding="utf-8")

    assert read_definition(tmp_path / "drop.toml").items[0].sku == "phone"


def place(tmp_path: Path, name: str) -> Path:
    """A definition in a directory of its own, whose items' file has this name."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "drop.toml").write_text(f'{HEAD}items_file = "{name}"', encoding="utf-8")
    (tmp_path / "items.csv").write_text(CSV_HEAD + "phone,Phone,1,1,0\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "name", ["../items.csv", "{}/items.csv", "link.csv", "circle.csv", "tables/../../items.csv"]
)
def test_a_table_outside_the_directory_of_the_definition_is_not_opened(tmp_path: Path, name: str) -> None:
    folder = place(tmp_path, name.format(tmp_path))
    (folder / "link.csv").symlink_to(tmp_path / "items.csv")
    (folder / "circle.csv").symlink_to("circle.csv")

    with pytest.raises(
        BadInput, match=r"drop.toml, items_file: .* name a file in the directory of the definition"
    ):
        read_definition(folder / "drop.toml")


def test_a_link_that_stays_in_the_directory_is_followed(tmp_path: Path) -> None:
    folder = place(tmp_path, "today.csv")
    (folder / "monday.csv").write_bytes((tmp_path / "items.csv").read_bytes())
    (folder / "today.csv").symlink_to("monday.csv")

    assert read_definition(folder / "drop.toml").items[0].sku == "phone"


def test_a_file_that_is_no_table_of_items_is_not_shown(tmp_path: Path) -> None:
    folder = place(tmp_path, "passwd")
    (folder / "passwd").write_text("root:x:0:0:secret:/root:/bin/bash\n", encoding="utf-8")

    with pytest.raises(BadInput) as caught:
        read_definition(folder / "drop.toml")

    assert str(caught.value) == f"passwd, row 1: it does not name the columns: {CSV_HEAD.strip()}"


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("", "items.csv: it is empty; its first row names the columns: sku,title,"),
        ("\n\n", "items.csv: it is empty"),
        ("sku;title;quantity\n", "items.csv: separate the columns by commas"),
        ("sku\ttitle\n", "items.csv: separate the columns by commas"),
        ("a,b\n", "row 1: it does not name the columns: sku,title,quantity,unit_price_minor,limit"),
        ("sku,titel,quantity,unit_price_minor\n", "items.csv, row 1: there is no 'titel'; did you mean title?"),
        ("sku,title,quantity\n", "items.csv, row 1: unit_price_minor is missing"),
        ("sku,sku,title,quantity,unit_price_minor\n", "items.csv, row 1: column 'sku' stands there twice"),
        (CSV_HEAD + "phone,Phone,10,1\n", "items.csv, row 2: 4 values for 5 columns"),
        (CSV_HEAD + "phone,Phone,10,1,0,\n", "items.csv, row 2: 6 values for 5 columns"),
        (CSV_HEAD + 'phone,"Phone,10,1,0\n', "items.csv, row 2: it is not CSV: "),
        (CSV_HEAD + 'phone,"Phone"x,10,1,0\n', "items.csv, row 2: it is not CSV: "),
        (CSV_HEAD + "phone,Phone\0,10,1,0\n", "items.csv, row 2"),
        (CSV_HEAD + "a,A,1,1,0\n\nb,B,1,1,0\na,A,1,1,0\n", "row 5, sku: 'a' is not accepted; row 2 has it already"),
        (CSV_HEAD + "a,A,1,1,0\nb b,B,1,1,0\n", "items.csv, row 3, sku: 'b b' is not accepted"),
        (CSV_HEAD + 'a,"A\nB",1,1,0\n', "items.csv, row 2, title: "),
        (CSV_HEAD + "a,A,1,1,\n", "items.csv, row 2, limit: '' is not accepted"),
        (CSV_HEAD, "drop.toml, items: '0 items' is not accepted"),
        (CSV_HEAD + "".join(f"a{i},A,1,1,0\n" for i in range(1001)), "items: '1001 items' is not accepted"),
        (b"sku\xff", "items.csv: it is not UTF-8 (byte 4): save it as UTF-8"),
        ("sku,title".encode("utf-16"), "items.csv: it is not UTF-8 (byte 1)"),
    ],
)  # fmt: skip
def test_a_table_that_is_not_accepted(csv: bytes | str, message: str) -> None:
    assert message in table_refusal(csv)


@pytest.mark.parametrize(
    "number", ["0", "-1", "1.0", "1e3", "0x10", "nan", " 1", "1 ", "+1", "007", "1_000", "٣", "9" * 300, ""]
)
def test_a_quantity_in_a_table_is_written_in_plain_digits(number: str) -> None:
    message = table_refusal(f"{CSV_HEAD}phone,Phone,{number},1,0\n")
    assert message.startswith(
        "items.csv, row 2, quantity: '" if number != "0" else "items.csv, row 2, quantity: 0"
    )
