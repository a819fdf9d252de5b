"""The number of a migration says who can work with a database that has it."""

import pytest

from flashsale.projections.migrate import SchemaStatus

KNOWN = ("0001", "0002", "0100", "0101")


@pytest.mark.parametrize(
    ("applied", "missing", "waiting", "too_new"),
    [
        (KNOWN, (), (), ()),
        (("0001", "0002", "0101"), (), ("0100",), ()),
        (("0001", "0002"), ("0101",), ("0100",), ()),
        ((*KNOWN, "0102", "0199"), (), (), ()),
        ((*KNOWN, "0003"), (), (), ()),
        ((*KNOWN, "0102", "0200", "0201"), (), (), ("0200", "0201")),
        ((*KNOWN, "9999"), (), (), ("9999",)),
        # of another program that shares the table, or of a person
        ((*KNOWN, "20261124180000"), (), (), ("20261124180000",)),
        ((*KNOWN, "", "7", "x100", "²²00"), (), (), ("", "7", "x100", "²²00")),
    ],
)
def test_what_is_needed_what_waits_and_what_is_too_new(
    applied: tuple[str, ...], missing: tuple[str, ...], waiting: tuple[str, ...], too_new: tuple[str, ...]
) -> None:
    status = SchemaStatus(applied, KNOWN)
    assert (status.missing, status.waiting, status.too_new) == (missing, waiting, too_new)
