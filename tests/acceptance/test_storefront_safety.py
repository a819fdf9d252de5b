"""`flashsale gateway run --storefront`: who may do what on its pages, and what pages may do in a browser."""

from __future__ import annotations

import httpx
import pytest

from flashsale.gateway.storefront.purchases import order_of
from flashsale.gateway.storefront.visitors import COOKIE, DEMO_COOKIE
from flashsale.gateway.tokens import Caller, Tokens
from tests.acceptance.gateway_kit import NEW_SECRET, Front, a_buyer, running
from tests.acceptance.storefront_kit import Browser, Visit


@pytest.fixture
def front(stage: tuple[Front, Front]) -> Front:
    """The shop's gateway."""
    return stage[0]


# -------------------------------------------------------------------------------------------------- who may do what


def test_orders_of_others_are_not_found(front: Front, visit: Visit) -> None:
    owner = visit(a_buyer())
    held = owner.send(owner.open("/sale/drop").buy("phone"))
    stranger = visit(a_buyer())

    seen = stranger.open(held.path)
    assert (seen.response.status_code, seen.heading) == (404, "No such order")
    assert stranger.send(held.form("/cancel")).heading != "Given back"
    assert owner.open(held.path).kind == "held"
    assert visit("demo").send({"action": held.path + "/pay"}).heading == "No such order"


def test_nobody_may_look_and_is_led_to_the_shop(visit: Visit) -> None:
    nobody = visit(None)
    page = nobody.open("/sale/drop")

    assert page.kind == "open"
    assert 'href="https://shop.example/in"' in page.text
    assert not page.has_form("/buy")
    sent = nobody.send({"action": "/sale/drop/buy", "sku": "phone", "number": "1"})
    assert (sent.response.status_code, sent.heading) == (401, "Please sign in")


@pytest.mark.parametrize(
    "token",
    ["x", "a.b", Tokens(["z" * 40]).issue(Caller("buyer", "ada"), 60)],
    ids=["no-token", "unsigned", "other-key"],
)
def test_a_token_that_the_shop_did_not_sign_is_nobodys(front: Front, token: str) -> None:
    with Browser(front.url, {COOKIE: token}) as browser:
        assert not browser.open("/sale/drop").has_form("/buy")


def test_a_service_is_no_visitor(front: Front) -> None:
    token = Tokens([NEW_SECRET]).issue(Caller("service", "till"), 60)
    with Browser(front.url, {COOKIE: token}) as browser:
        assert not browser.open("/sale/drop").has_form("/buy")


def test_the_api_believes_no_cookie(front: Front) -> None:
    token = Tokens([NEW_SECRET]).issue(Caller("buyer", a_buyer()), 60)
    with httpx.Client(base_url=front.url, cookies={COOKIE: token}) as http:
        sent = http.post("/v1/sales/drop/orders", json={"sku": "phone"}, headers={"Idempotency-Key": "k"})
    assert sent.status_code == 401


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "{own}"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused(front: Front, visit: Visit, said: dict[str, str]) -> None:
    buyer = a_buyer()
    browser = visit(buyer)
    form = browser.open("/sale/drop").buy("phone")

    sent = browser.send(form, {name: value.format(own=front.url) for name, value in said.items()})

    assert (sent.response.status_code, sent.heading) == (403, "Not from here")
    assert front.client.order("drop", order_of("drop", buyer, 1)) is None


def test_a_form_of_a_browser_that_tells_only_the_origin_is_taken(front: Front, visit: Visit) -> None:
    browser = visit(a_buyer())
    form = browser.open("/sale/drop").buy("phone")

    assert browser.send(form, {"Origin": front.url}).kind == "held"


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"number": "0"}, {"number": "26"}, {"number": "x"}, {"number": "1" * 5_000},
        {"number": "1", **dict.fromkeys("abcdefghijklmnopqrs", "x")},
    ],
    ids=["none", "zero", "many", "word", "long", "fields"],
)  # fmt: skip
def test_a_form_that_is_none_of_ours_is_refused(visit: Visit, fields: dict[str, str]) -> None:
    sent = visit(a_buyer()).send({"action": "/sale/drop/buy", "sku": "phone", **fields})

    assert sent.response.status_code in (400, 413)
    assert sent.heading


# ------------------------------------------------------------------------------------------------- pages and headers


def test_what_a_page_may_do(front: Front, visit: Visit) -> None:
    for path in ("/sale/drop", "/sale/nothing"):
        headers = visit(None).open(path).response.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin", (
            "no-referrer would hide the origin of our own forms"
        )


def test_nothing_stands_inline(visit: Visit) -> None:
    page = visit(a_buyer()).open("/sale/drop").text
    assert " style=" not in page
    assert " on" + "click=" not in page
    assert page.count("<script") == page.count('<script type="module" src="/storefront/')


def test_files_are_kept_for_ever_under_the_address_of_their_content(front: Front, visit: Visit) -> None:
    page = visit(None).open("/sale/drop").text
    address = page.partition('href="/storefront/')[2].partition("/")[0]

    for name in ("storefront.css", "storefront.js", "clock.js", "icon.svg"):
        got = front.http.get(f"/storefront/{address}/{name}")
        assert got.status_code == 200
        assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert front.http.get(f"/storefront/{'0' * 16}/storefront.css").status_code == 404
    assert front.http.get(f"/storefront/{address}/..%2f..%2fsettings.py").status_code == 404


def test_what_is_not_there_is_a_page_too(front: Front, visit: Visit) -> None:
    unknown = visit(a_buyer()).open("/sale/nothing")
    assert (unknown.response.status_code, unknown.heading) == (404, "No such sale")
    assert visit(a_buyer()).open("/sale/drop/order/0-" + "x" * 22).response.status_code == 404


def test_a_cookie_that_is_long_to_read_keeps_nobody_waiting(front: Front) -> None:
    told = front.http.get("/sale/drop", headers={"Cookie": 'a="' + "\\" * 15_000 + '"'})
    assert told.status_code == 200
    assert told.elapsed.total_seconds() < 1.5, "3 s, as Python read it"


def test_a_sentence_of_the_address_is_never_shown(visit: Visit) -> None:
    page = visit(a_buyer()).open("/sale/drop?said=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "alert(1)" not in page.text


def test_the_shop_has_nothing_of_the_demo(front: Front, visit: Visit) -> None:
    buyer = a_buyer()
    browser = visit(buyer)
    held = browser.send(browser.open("/sale/drop").buy("phone"))

    assert browser.http.get("/").status_code == 404
    assert browser.http.post(held.path + "/pay", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 404
    assert browser.open("/sale/drop?demo=paused").kind == "open"
    assert DEMO_COOKIE not in browser.http.cookies


def test_pages_are_there_only_when_asked_for(
    redis_url: str, module_database_url: str, tmp_path_factory: pytest.TempPathFactory, stage: object
) -> None:
    home = tmp_path_factory.mktemp("gateway") / "home"
    with running(home, redis_url, module_database_url, "--available-max", "50", in_roles=True) as plain:
        assert plain.http.get("/sale/drop").status_code == 404
        page = plain.http.get("/v1/sales/drop").json()
    assert {item["sku"]: item["available"] for item in page["items"]}["one-each"] == 50
    assert page["available_max"] == 50
