"""`flashsale gateway run`: orders of a sale that is over, which only Postgres has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flashsale.gateway.storefront.visitors import COOKIE
from tests.acceptance.conftest import SALE, Shop
from tests.acceptance.gateway_kit import Front, as_buyer, as_service, problem, running
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until


@pytest.fixture
def front(
    shop: Shop, redis_url: str, postgres_proxy: Proxy, tmp_path: Path, pytestconfig: pytest.Config
) -> Iterator[Front]:
    """A gateway on a sale that is open, and another one."""
    shop.open()
    shop.open("next")
    in_roles = pytestconfig.getoption("--roles")
    with running(
        tmp_path / "front", redis_url, postgres_proxy.url, "--storefront", in_roles=in_roles
    ) as front:
        yield front


def test_orders_of_a_sale_that_is_over(front: Front, shop: Shop, postgres_proxy: Proxy) -> None:
    paid = front.order(buyer="ada").json()["order"]
    given_up = front.order(buyer="bob").json()["order"]
    front.ask(paid, "confirm", as_service())
    front.ask(given_up, "cancel", as_service())
    path = f"/v1/sales/{SALE}/orders/{paid}"
    before = front.http.get(path, headers=as_buyer("ada")).json()
    shop.finished("sale", "close", SALE)
    shop.project()
    shop.finished("sale", "archive", SALE)

    # The gateway has not heard of it yet: at no moment is an order unknown.
    def is_heard() -> bool:
        assert front.http.get(path, headers=as_buyer("ada")).json() == before
        return bool(front.http.get(f"/v1/sales/{SALE}").json()["state"] == "archived")

    wait_until(is_heard, 10, "the gateway knows that the sale is over")
    assert before["status"] == "confirmed"
    cancelled = front.http.get(f"/v1/sales/{SALE}/orders/{given_up}", headers=as_service()).json()
    assert (cancelled["status"], cancelled["buyer"]) == ("cancelled", "bob")
    cookie = {"Cookie": f"{COOKIE}={as_buyer('ada')['Authorization'].removeprefix('Bearer ')}"}
    receipt = front.http.get(f"/sale/{SALE}/order/{paid}", headers=cookie)
    assert receipt.status_code == 200, receipt.text
    for words in ("It’s yours", "Reserved for you", "Paid", "Written into the books"):
        assert words in receipt.text
    stranger = problem(front.http.get(path, headers=as_buyer("bob")), 404, "unknown-order")
    nobody = front.http.get(path[:-1] + "_", headers=as_buyer("bob")).json()
    assert stranger == nobody | {"detail": stranger["detail"]}, "as if there were none"
    for verb in ("confirm", "refund", "cancel"):
        problem(front.ask(paid, verb, as_service()), 409, "closed")

    postgres_proxy.behave(Mode.RESET)
    problem(front.http.get(path, headers=as_buyer("ada")), 503, "unavailable")
    assert front.order(sale="next").status_code == 201, "Redis alone decides"
    postgres_proxy.heal()
    assert front.http.get(path, headers=as_buyer("ada")).json() == before
