"""Definitions that nobody should write: where the fault is, exit code 2, and nothing stored.

tests/unit/test_definition_file.py has the whole list of faults; here is what of them reaches a person.
"""

from __future__ import annotations

import os

import pytest

from tests.acceptance.conftest import SALE, Shop

TOML = b"""sale = "drop"
title = "Drop"
currency = "EUR"
hold = "15m"
"""
ITEM = b"""[[items]]
sku = "phone"
title = "Phone 15"
quantity = 10
unit_price_minor = 79900
"""
TABLE = b'items_file = "items.csv"\n'
CSV = b"sku,title,quantity,unit_price_minor,limit\n"


def write(shop: Shop, toml: bytes, csv: bytes | None = None) -> None:
    (shop.cli.home / "drop.toml").write_bytes(toml)
    if csv is not None:
        (shop.cli.home / "items.csv").write_bytes(csv)


@pytest.mark.parametrize(
    ("toml", "csv", "sentence"),
    [
        (TOML + b"titel = 1\n" + ITEM, None, "drop.toml: there is no 'titel'; did you mean title?"),
        (TOML + ITEM.replace(b"10", b"-5"), None, "drop.toml, item 1, quantity: -5 is not accepted"),
        (TOML + ITEM.replace(b"10", b"0x10"), None, "drop.toml, quantity: '0x10' is not accepted"),
        (TOML + ITEM.replace(b"phone", b"{phone}"), None, "drop.toml, item 1, sku: '{phone}' is not accepted"),
        (TOML + ITEM + ITEM, None, "drop.toml, item 2, sku: 'phone' is not accepted; item 1 has it already"),
        (TOML + b"opens = 2027-03-01T10:00:00\n" + ITEM, None, "say in which time zone"),
        (
            TOML + b"opens = 2027-03-01T10:00:00Z\ncloses = 2027-03-01T09:00:00Z\n" + ITEM,
            None,
            "closes: '2027-03-01T09:00:00+00:00' is not accepted; it must come after opens",
        ),
        (TOML + TABLE, CSV + b"a,A,1,1,0\nb,B,0x10,1,0\n", "items.csv, row 3, quantity: '0x10' is not accepted"),
        (TOML + TABLE, CSV + b"a,A,1,1,0\nb,B,1,1,0\na,A,1,1,0\n", "items.csv, row 4, sku: 'a' is not accepted; row 2"),
        (TOML + TABLE, b"\xff\xfes\0k\0u\0", "items.csv: it is not UTF-8"),
        (TOML + TABLE, None, "items.csv: it cannot be read: No such file or directory"),
        (b"\x7fELF\x02\x01\x01\0", None, "drop.toml: it is not TOML"),
        (b"", None, "drop.toml: sale is missing"),
    ],
)  # fmt: skip
def test_a_faulty_definition_is_refused_whole(
    shop: Shop, toml: bytes, csv: bytes | None, sentence: str
) -> None:
    write(shop, toml, csv)
    assert sentence in shop.refused(2, "sale", "define", "drop.toml").stderr


def test_a_table_made_by_a_spreadsheet_is_fine(shop: Shop) -> None:
    rows = CSV + 'phone,"Phone 15, größer",10,79900,2\ncase,Hülle,500,990,0\n'.encode()
    write(shop, (TOML + TABLE).replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + rows.replace(b"\n", b"\r\n"))

    done = shop.finished("sale", "define", "drop.toml", "--json")

    assert done.json() == {"sale": SALE, "items": 2, "units": 510}
    titles = [item["title"] for item in shop.finished("sale", "show", SALE, "--json").json()["items"]]
    assert titles == ["Phone 15, größer", "Hülle"]


def test_the_file_may_come_through_a_pipe(shop: Shop) -> None:
    done = shop.cli.run("sale", "define", "/dev/stdin", stdin=(TOML + ITEM).decode())
    assert done.exit_code == 0, done.stderr


def test_a_pipe_has_no_table_beside_it(shop: Shop) -> None:
    before = shop.everything()
    done = shop.cli.run("sale", "define", "/dev/stdin", stdin=(TOML + TABLE).decode())

    assert done.exit_code == 2
    assert "stdin: its items must stand in it" in done.stderr
    assert shop.everything() == before


def test_what_is_no_regular_file_is_refused_at_once(shop: Shop) -> None:
    os.mkfifo(shop.cli.home / "pipe")
    for name, sentence in (
        ("pipe", "pipe: it is a device or a pipe: name a regular file"),
        ("/dev/zero", "/dev/zero: it is a device or a pipe: name a regular file"),
        ("/dev/stdin", "stdin: sale is missing"),
        (".", "it cannot be read: Is a directory"),
    ):
        done = shop.cli.run("sale", "define", name, timeout_s=20)
        assert done.exit_code == 2, done.stderr
        assert sentence in done.stderr


def test_another_file_is_not_opened_and_not_shown(shop: Shop) -> None:
    (shop.cli.home.parent / "secret").write_text("root:x:0:0\n", encoding="utf-8")
    write(shop, TOML + b'items_file = "../secret"\n')

    done = shop.refused(2, "sale", "define", "drop.toml")

    assert (
        "items_file: '../secret' is not accepted; name a file in the directory of the definition"
        in done.stderr
    )
    assert "root" not in done.stderr
