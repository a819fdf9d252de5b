"""A reader finds every page, and no link of the documentation leads nowhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
#: What somebody may open: pages, and transcripts of real runs.
READABLE = [path for path in sorted(DOCS.rglob("*")) if path.suffix in (".md", ".txt") and path != INDEX]

FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+?) *$", re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s]+)\)")
#: A page of this project as code, settings and alerts name it.
OWN_PAGE = re.compile(r"(?:blob/main/|(?<![\w/]))(docs/[\w./-]+\.md)(?:#([\w-]+))?")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@cache
def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that GitHub gives a page's headings."""
    found: dict[str, int] = {}
    names = []
    for heading in HEADING.findall(prose(page)):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        names.append(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return frozenset(names)


def leads_nowhere(page: Path, link: str) -> str | None:
    """What is missing behind a link, or None."""
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    if not path.exists():
        return f"{link}: no such file"
    if anchor and anchor not in anchors(path):
        return f"{link}: no such heading"
    return None


def links(page: Path) -> list[str]:
    """The links of a page that stay inside the project."""
    return [link for link in LINK.findall(prose(page)) if not re.match(r"[a-z]+:", link)]


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [why for link in links(page) if (why := leads_nowhere(page, link))] == []


def test_there_are_links() -> None:
    assert sum(len(links(page)) for page in PAGES) > 50
    assert leads_nowhere(INDEX, "runbook.md#no-such-heading") == "runbook.md#no-such-heading: no such heading"
    assert leads_nowhere(INDEX, "no-such-page.md") == "no-such-page.md: no such file"


@pytest.mark.parametrize("page", READABLE, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_page_is_in_the_index(page: Path) -> None:
    listed = re.findall(r"^- \[[^]]+\]\(([^)#]+)(?:#[^)]*)?\): \S", INDEX.read_text("utf-8"), re.MULTILINE)
    assert str(page.relative_to(DOCS)) in listed, "one line in docs/README.md: `- [name](page.md): what for`"


def test_the_readme_leads_to_the_index() -> None:
    assert "docs/README.md" in links(ROOT / "README.md")


def test_every_page_that_code_settings_and_alerts_name_exists() -> None:
    files = [
        ROOT / "Makefile",
        *(path for top in ("flashsale", "ops", "lua") for path in (ROOT / top).rglob("*")),
    ]
    wrong, named = [], 0
    for path in files:
        if not path.is_file() or path.suffix in (".pyc", ".png"):
            continue
        for page, anchor in OWN_PAGE.findall(path.read_text(encoding="utf-8")):
            named += 1
            if leads_nowhere(ROOT / "README.md", f"{page}#{anchor}".rstrip("#")):
                wrong.append(f"{path.relative_to(ROOT)}: {page}#{anchor}")
    assert wrong == []
    assert named > 10
