"""Who gets in to the operator page, and who may act there."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from flashsale.events.types import SalePaused
from flashsale.gateway.tokens import Caller, Tokens
from flashsale.operator.app import PAGES
from flashsale.operator.pages import HEADERS
from flashsale.operator.sessions import Attempts
from tests.acceptance.operator_kit import SECRET, Office, token

PATHS = {"sale": "door", "action": "pause", "order": "0-aaaaaaaa", "position": "1-1"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.method} {page.path}")
def test_a_stranger_sees_and_does_nothing(office: Office, page: object) -> None:
    method, path = page.method, page.path.format(**PATHS)  # type: ignore[attr-defined]  # a Page
    answer = office.stranger().http.request(method, path)

    if path == "/live":
        assert (answer.status_code, answer.json()) == (401, {"login": True})
    else:
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_a_login_is_a_cookie_that_scripts_and_other_sites_do_not_get(office: Office) -> None:
    browser = office.stranger()
    form = browser.see("/login").form("/login")

    answer = browser.http.post(form.action, data=form.fields | {"token": token("eve")})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert token("eve")[:20].lower() not in cookie
    assert "eve (operator)" in browser.see("/").text


def test_a_logout_ends_the_session_and_not_the_cookie_alone(office: Office) -> None:
    browser = office.stranger()
    page = browser.log_in(token("eve"))
    kept = dict(browser.http.cookies)

    browser.send(page.form("/logout"))

    browser.http.cookies.update(kept)
    assert browser.see("/").url == "/login"


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense",
        token("eve", secret="x" * 40),
        token("eve", lifetime_s=-1),
        Tokens([SECRET]).issue(Caller("service", "till"), 600),
    ],
    ids=["nonsense", "another secret", "expired", "of the gateway"],
)
def test_a_token_that_is_none_opens_nothing(office: Office, wrong: str) -> None:
    browser = office.stranger("127.0.0.3")
    page = browser.log_in(wrong)
    assert page.status == 403
    assert "token" in page.text
    assert browser.see("/").url == "/login"


def test_a_login_needs_the_form_of_its_own_page(office: Office) -> None:
    browser = office.stranger("127.0.0.4")
    other = office.stranger("127.0.0.4").see("/login").form("/login")
    browser.see("/login")
    assert browser.send(other, token=token("eve")).status == 403
    assert browser.http.post("/login", data={"token": token("eve")}).status_code == 403


@pytest.mark.parametrize("more", ["&token=x", "&x=%ff"])
def test_no_token_comes_into_the_log(office: Office, more: str) -> None:
    browser, shown = office.stranger("127.0.0.5"), token("eve")
    form = browser.see("/login").form("/login")
    content = urlencode(form.fields | {"token": shown}) + more

    answer = browser.http.post(
        "/login", content=content, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 403
    assert shown not in answer.text
    assert shown not in office.process.stderr
    assert form.fields["form_token"] not in office.process.stderr


def test_who_guesses_has_to_wait_and_nobody_else(office: Office) -> None:
    guesser = office.stranger("127.0.0.2")
    for _ in range(Attempts.FAILURES_MAX):
        assert guesser.log_in("wrong").status == 403

    refused = guesser.http.post("/login", data={"token": token("eve")})

    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= Attempts.WINDOW_S + 1
    assert office.stranger().log_in(token("eve")).url == "/"
    assert [
        line["address"]
        for line in map(json.loads, office.process.stderr.splitlines())
        if line["action"] == "operator_login_refused" and line["address"] == "127.0.0.2"
    ] == ["127.0.0.2"] * Attempts.FAILURES_MAX


def test_a_page_of_another_site_cannot_shut_somebody_out(office: Office) -> None:
    """It can have a browser send forms here, without the cookie: those are no attempts."""
    victim = office.stranger("127.0.0.6")
    for _ in range(Attempts.FAILURES_MAX + 1):
        assert victim.http.post("/login", data={"token": "x"}).status_code == 403

    assert victim.log_in(token("eve")).url == "/"


def test_a_viewer_sees_everything_and_changes_nothing(office: Office) -> None:
    office.open_sale("viewed")
    before = office.events("viewed")

    shown = office.vic.see("/sales/viewed")
    answers = [
        office.vic.http.request(page.method, page.path.format(**PATHS | {"sale": "viewed"}))
        for page in PAGES
        if page.is_guarded
    ]

    assert shown.status == 200
    assert "10 left" in shown.text
    assert {form.action for form in shown.forms} == {"/logout"}
    assert {answer.status_code for answer in answers} == {403}
    assert len(answers) == sum(page.method == "POST" for page in PAGES) + 3
    assert office.events("viewed") == before


@pytest.mark.parametrize("given", ["", "x", "another"])
def test_a_form_of_another_site_does_nothing(office: Office, given: str) -> None:
    sale = f"forged-{given or 'none'}"
    office.open_sale(sale)
    if given == "another":  # of somebody who is logged in, too
        given = office.vic.see("/").form("/logout").fields["form_token"]

    answer = office.ada.http.post(f"/sales/{sale}/do/pause", data={"form_token": given} if given else {})

    assert answer.status_code == 403
    assert not any(isinstance(event, SalePaused) for event in office.events(sale))


def test_every_answer_carries_the_headers_that_keep_others_out(office: Office) -> None:
    ada, stranger = office.ada.http, office.stranger().http
    for answer in (
        ada.get("/"),
        ada.get("/live"),
        ada.get("/static/live.js"),
        ada.get("/nowhere"),
        ada.get("/sales/no-such-sale"),
        ada.post("/sales/door/do/pause"),
        ada.delete("/"),
        stranger.get("/"),
        stranger.get("/login"),
    ):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS, answer.url
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_nothing_in_a_page_is_written_inline(office: Office) -> None:
    """The policy would refuse it: styles and scripts are files."""
    office.open_sale("inline")
    for path in ("/", "/sales/inline", "/sales/inline/events", "/orders", "/dead-letters", "/login"):
        text = office.ada.http.get(path).text
        assert " style=" not in text
        assert " on" + "click" not in text
        assert "<script>" not in text


def test_paths_methods_and_fields_that_do_not_exist(office: Office) -> None:
    ada = office.ada.http
    assert ada.get("/nowhere").status_code == 404
    assert ada.delete("/").status_code == 405
    assert ada.get("/sales/UPPER").status_code == 400
    assert ada.get("/sales/no-such-sale").status_code == 404
    assert ada.get("/sales/no-such-sale/do/dance").status_code == 404
    assert ada.get("/orders", params={"q": "x y"}).status_code == 400
    assert ada.get("/orders?q=a&q=b").status_code == 400
    assert ada.get("/orders?q=%ff").status_code == 400
    assert ada.post("/sales/door/do/pause", content=b"x" * 10_000).status_code == 400


def test_what_people_typed_is_shown_as_text(office: Office) -> None:
    told = office.ada.http.get("/orders", params={"q": "<script>alert(1)</script>"})
    assert told.status_code == 400
    assert "<script>alert" not in told.text
    assert "&lt;script&gt;" in told.text
