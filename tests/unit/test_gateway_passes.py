"""Passes: signed for one buyer and one sale, and no tokens."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from flashsale.errors import BadInput
from flashsale.gateway import problems
from flashsale.gateway.passes import Passes
from flashsale.gateway.problems import Problem
from flashsale.gateway.tokens import Caller, Tokens, Untrue

OLD, NEW = "o" * 32, "n" * 32
LATER_MS = 4_000_000_000_000


def showing(*passes: str) -> Request:
    return Request({"type": "http", "headers": [(b"flashsale-pass", shown.encode()) for shown in passes]})


def issue(secret: str = NEW, sale: str = "drop", buyer: str = "ada", expires_ms: int = LATER_MS) -> str:
    shown = Passes([secret]).issue(sale, buyer, expires_ms)
    assert shown is not None
    return shown


@pytest.mark.parametrize("shown", [issue(), issue(OLD), issue(expires_ms=1)], ids=["new", "old", "ended"])
def test_a_pass_of_this_buyer_and_sale_is_let_through(shown: str) -> None:
    """Whether it has ended or was used, Redis knows."""
    Passes([NEW, OLD]).check(showing(shown), "drop", "ada")


@pytest.mark.parametrize(
    "shown",
    [
        *("", ".", "x", "x.y", "=.=", "\xe9.a", "x" * 600),
        issue("f" * 32),
        issue(sale="other"),
        issue(buyer="bob"),
        issue()[:-2],
        "A" + issue(),
        pytest.param(Tokens([NEW]).issue(Caller("buyer", "ada"), 60), id="a token"),  # its time differs
    ],
)
def test_any_other_is_refused(shown: str) -> None:
    with pytest.raises(Problem) as refused:
        Passes([NEW, OLD]).check(showing(shown), "drop", "ada")
    assert refused.value.kind is problems.PASS_REQUIRED


def test_none_is_refused() -> None:
    with pytest.raises(Problem, match="Flashsale-Pass"):
        Passes([NEW]).check(showing(), "drop", "ada")


def test_a_pass_is_no_token() -> None:
    with pytest.raises(Untrue):
        Tokens([NEW]).read(issue())


def test_the_longest_names_fit() -> None:
    shown = issue(sale="s" * 48, buyer="b" * 128)
    Passes([NEW]).check(showing(shown), "s" * 48, "b" * 128)


def test_without_a_secret_nothing_is_signed_and_nothing_checked() -> None:
    assert Passes([]).issue("drop", "ada", LATER_MS) is None
    Passes([]).check(showing(), "drop", "ada")


def test_a_secret_that_is_too_short_is_refused() -> None:
    with pytest.raises(BadInput):
        Passes(["short"])
