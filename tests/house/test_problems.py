"""docs/problems.md explains every kind of problem, and no other."""

import re
from pathlib import Path

from flashsale.gateway.operations import OPERATIONS
from flashsale.gateway.problems import KINDS, TYPES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/problems.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n\n(\d{3})\.", TEXT, re.MULTILINE))


def test_every_kind_has_its_section_with_its_status() -> None:
    assert {slug: int(status) for slug, status in SECTIONS.items()} == {
        kind.slug: kind.status for kind in KINDS
    }
    assert len(re.findall(r"^## ", TEXT, re.MULTILINE)) == len(KINDS)


def test_types_lead_to_that_page() -> None:
    path, _, anchor = TYPES.partition("/blob/main/")[2].partition("#")
    assert (ROOT / path).is_file()
    assert anchor == ""


def test_the_page_of_the_gateway_has_every_operation() -> None:
    text = (ROOT / "docs/gateway.md").read_text(encoding="utf-8")
    for operation in OPERATIONS:
        assert operation.path.rpartition("/{order}")[2] in text, operation.name
