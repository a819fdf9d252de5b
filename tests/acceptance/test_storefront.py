"""`flashsale gateway run --storefront`: its pages and forms, without a browser; tests/browser has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from flashsale.gateway.storefront.previews import STATES
from flashsale.gateway.storefront.purchases import order_of
from flashsale.gateway.storefront.visitors import COOKIE, DEMO_COOKIE
from flashsale.gateway.tokens import Caller, Tokens
from tests.acceptance.gateway_kit import NEW_SECRET, Front, a_buyer, as_buyer, as_service, prepare, running
from tests.acceptance.storefront_kit import Browser
from tests.fixtures.proxy import Mode, Proxy
from tests.fixtures.servers import redis_client

PAGES = (
    "--storefront", "--sign-in-url", "https://shop.example/in",
    "--checkout-url", "https://shop.example/pay?sale={sale}&order={order}",
)  # fmt: skip


@pytest.fixture(scope="module")
def network(redis_url: str) -> Iterator[Proxy]:
    """What lies between the shop's gateway and Redis."""
    with Proxy(redis_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stage(
    redis_url: str,
    network: Proxy,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[tuple[Front, Front]]:
    """Two gateways with pages on the same sales: the shop's, and one with --demo-auth."""
    with redis_client(redis_url) as redis:
        redis.flushdb()
    prepare(redis_url, module_database_url)
    home = tmp_path_factory.mktemp("gateway")
    in_roles = pytestconfig.getoption("--roles")
    with (
        running(home / "shop", network.url, module_database_url, *PAGES, in_roles=in_roles) as shop,
        running(
            home / "demo", redis_url, module_database_url, "--storefront", "--demo-auth", in_roles=in_roles
        ) as demo,
    ):
        yield shop, demo


@pytest.fixture
def front(stage: tuple[Front, Front]) -> Front:
    return stage[0]


@pytest.fixture
def visit(stage: tuple[Front, Front]) -> Iterator[Callable[[str | None], Browser]]:
    """Opens a browser: of this buyer, with the shop's token; of nobody; or, with `demo`, at the demo."""
    shop, demo = stage
    opened: list[Browser] = []

    def open_one(buyer: str | None) -> Browser:
        token = None if buyer in (None, "demo") else Tokens([NEW_SECRET]).issue(Caller("buyer", str(buyer)), 600)
        url = demo.url if buyer == "demo" else shop.url
        opened.append(Browser(url, {COOKIE: token} if token else {}))
        return opened[-1]

    yield open_one
    for browser in opened:
        browser.http.close()


Visit = Callable[[str | None], Browser]


# ------------------------------------------------------------------------------------------------------ a purchase


def test_a_purchase_is_an_order_of_the_buyer_whom_the_shop_named(front: Front, visit: Visit) -> None:
    buyer = a_buyer()
    browser = visit(buyer)

    sale = browser.open("/sale/drop")
    held = browser.send(sale.buy("few"))

    order = order_of("drop", buyer, 1)
    assert held.path == f"/sale/drop/order/{order}"
    assert (held.kind, held.heading) == ("held", "It’s yours, for now")
    assert f"https://shop.example/pay?sale=drop&amp;order={order}" in held.text
    assert not held.has_form("/pay"), "only the shop can tell that it is paid"
    known = front.client.order("drop", order)
    assert known is not None
    assert (known.buyer, known.sku, known.status) == (buyer, "few", "held")

    front.ask(order, "confirm", as_service())
    receipt = browser.open(held.path)
    assert (receipt.kind, receipt.heading) == ("confirmed", "It’s yours")
    assert str(known.reserved_at) in receipt.text
    assert order in browser.open("/sale/drop").text, "the sale leads to the receipt"


def test_a_reload_and_a_second_click_are_the_same_order(front: Front, visit: Visit) -> None:
    buyer = a_buyer()
    browser, other_tab = visit(buyer), visit(buyer)
    form = browser.open("/sale/drop").buy("phone")
    left = front.available()

    first, second = browser.send(form), other_tab.send(form)

    assert first.path == second.path == browser.open(first.path).path
    assert front.available() == left - 1
    again = other_tab.open("/sale/drop")
    assert "Go to your order" in again.text
    assert again.buy("phone")["number"] == "2", "the next click is the next purchase"


def test_two_tabs_that_want_different_things_get_the_first(front: Front, visit: Visit) -> None:
    browser = visit(a_buyer())
    page = browser.open("/sale/drop")
    first = browser.send(page.buy("phone"))

    second = browser.send(page.buy("few"))

    assert second.path == first.path
    assert "Phone" in second.text


def test_what_is_given_back_can_be_bought_by_the_next(front: Front, visit: Visit) -> None:
    buyer = a_buyer()
    browser, late = visit(buyer), visit(a_buyer())
    held = browser.send(browser.open("/sale/drop").buy("last"))
    assert held.kind == "held"

    refused = late.send({"action": "/sale/drop/buy", "sku": "last", "number": "1"})
    assert "Somebody was faster" in refused.text
    assert refused.path == "/sale/drop"

    cancelled = browser.send(held.form("/cancel"))
    assert (cancelled.path, cancelled.heading) == (held.path, "Given back")
    bought = late.send({"action": "/sale/drop/buy", "sku": "last", "number": "1"})
    assert bought.kind == "held"
    late.send(bought.form("/cancel"))


def test_a_buyer_who_has_the_limit_gets_no_button(visit: Visit) -> None:
    browser = visit(a_buyer())
    browser.send(browser.open("/sale/drop").buy("one-each"))

    page = browser.open("/sale/drop")

    assert "as many as one person may have" in page.text
    assert "one-each" not in page.skus
    assert "phone" in page.skus


def test_an_answer_that_is_lost_is_looked_for_and_never_told_as_a_failure(
    front: Front, visit: Visit, network: Proxy
) -> None:
    buyer = a_buyer()
    browser = visit(buyer)
    form = browser.open("/sale/drop").buy("phone")
    network.behave(Mode.RESET, when=order_of("drop", buyer, 1).encode(), times=1)

    lost = browser.send(form)

    assert lost.path == f"/sale/drop/order/{order_of('drop', buyer, 1)}"
    assert (lost.kind, lost.heading) == ("unknown", "We are finding out"), lost.text
    assert lost.reload is not None
    assert browser.open(lost.reload[1]).kind == "unknown", "it did not arrive, and may arrive yet"
    assert browser.send(lost.form("/buy")).kind == "held"
    assert browser.open(lost.reload[1]).kind == "held"


def test_an_order_whose_answer_was_lost_is_found(front: Front, visit: Visit, network: Proxy) -> None:
    buyer = a_buyer()
    browser = visit(buyer)
    form = browser.open("/sale/drop").buy("phone")
    network.behave(Mode.CUT_REPLY, when=order_of("drop", buyer, 1).encode(), times=1)

    assert browser.send(form).kind == "held"


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


@pytest.mark.parametrize("token", ["x", "a.b", Tokens(["z" * 40]).issue(Caller("buyer", "ada"), 60)])
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
    [{}, {"number": "0"}, {"number": "26"}, {"number": "x"}, {"number": "1" * 5_000}, {"number": "1", **dict.fromkeys("abcdefghijklmnopqrs", "x")}],
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
        assert headers["referrer-policy"] == "same-origin", "no-referrer would hide the origin of our own forms"


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


@pytest.mark.parametrize(
    ("sale", "kind"),
    [("drop", "open"), ("later", "soon"), ("paused", "paused"), ("closed", "closed"), ("cold", "soon"), ("past", "closed")],
)  # fmt: skip
def test_each_state_of_a_sale_has_its_page(visit: Visit, sale: str, kind: str) -> None:
    page = visit(a_buyer()).open(f"/sale/{sale}")

    assert (page.response.status_code, page.kind) == (200, kind)
    assert (page.reload is None) == (kind == "closed")


def test_what_is_not_there_is_a_page_too(front: Front, visit: Visit) -> None:
    unknown = visit(a_buyer()).open("/sale/nothing")
    assert (unknown.response.status_code, unknown.heading) == (404, "No such sale")
    assert visit(a_buyer()).open("/sale/drop/order/0-" + "x" * 22).response.status_code == 404


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
    with running(home, redis_url, module_database_url, in_roles=False) as plain:
        assert plain.http.get("/sale/drop").status_code == 404
        assert plain.http.get("/v1/sales/drop").status_code == 200


# --------------------------------------------------------------------------------------------------------- the demo


def test_at_the_demo_anybody_is_somebody_and_pays_with_a_click(visit: Visit) -> None:
    browser = visit("demo")
    first = browser.http.get("/sale/drop")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie

    held = browser.send(browser.open("/sale/drop").buy("phone"))
    paid = browser.send(held.form("/pay"))

    assert (paid.path, paid.kind) == (held.path, "confirmed")
    assert "/sale/drop" in browser.open("/").text


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_looked_at(visit: Visit, state: str) -> None:
    page = visit("demo").open(f"/sale/later?demo={state}")

    assert page.response.status_code == 200, page.text
    assert page.heading
