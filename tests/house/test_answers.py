"""Every word with which a script answers about an order is a code, a sentence for people, and a problem over HTTP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from flashsale.commands import Answer, Code
from flashsale.errors import FlashsaleError
from flashsale.gateway import problems
from flashsale.gateway.answers import refusal
from flashsale.ids import START
from flashsale.projections.database import Connection
from flashsale.refusals import Asked, error_of

LUA = Path(__file__).parents[2] / "lua"
WORD = r"(?:[A-Z]{4,}|[A-Z]{2,}(?:_[A-Z]+)+)"


def _text(name: str) -> str:
    return (LUA / f"{name}.lua").read_text(encoding="utf-8")


#: What each script answers, by its contract: its first section that may go on over several lines.
CONTRACTS = {
    name: set(re.findall(rf"\b{WORD}\b", found[1]))
    for name in ("reserve", "confirm", "cancel", "refund")
    if (found := re.search(r"^-- Returns(.*(?:\n-- {4,}.*)*)", _text(name), re.MULTILINE))
}
#: A payment that came too late is recorded, which is more than refused: `order confirm` tells of it.
ACCEPTED = {"RESERVED", "CONFIRMED", "CANCELLED", "REFUNDED", "REFUND_DUE"}
#: What has become of such a sale, Postgres tells: the commands that meet it are asked in tests/acceptance.
OF_POSTGRES = {"NOT_LOADED", "LOG_REGRESSED"}
REFUSALS = sorted(set().union(*CONTRACTS.values()) - ACCEPTED)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_script_answers_what_its_contract_says(name: str) -> None:
    literals = set(re.findall(rf"'({WORD})[ ']", _text(name)))
    assert literals & set(Code) <= CONTRACTS[name]
    assert CONTRACTS[name] <= set(Code)


@pytest.mark.parametrize("word", [word for word in REFUSALS if word not in OF_POSTGRES])
def test_every_refusal_has_a_sentence(word: str) -> None:
    asked = Asked("drop", "reserved", order_id="0-aaaaaaaa", sku="phone")
    # Only of a sale that is not there is Postgres asked.
    told = error_of(Answer(Code(word), START, "0"), asked, cast("Connection", None))
    assert isinstance(told, FlashsaleError)
    assert str(told)


@pytest.mark.parametrize("word", REFUSALS)
def test_every_refusal_is_a_problem_that_is_no_fault_of_ours(word: str) -> None:
    assert refusal(Answer(Code(word), START, "0")).kind is not problems.INTERNAL
