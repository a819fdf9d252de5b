"""The operator page when replies are lost, servers are away, and somebody stops it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flashsale.events.types import StockAdded
from flashsale.operator.app import WORKS_MAX
from flashsale.projections.database import connect
from tests.acceptance import operator_kit
from tests.acceptance.operator_kit import Office
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until


@pytest.fixture(scope="module")
def far_office(
    module_redis_url: str,
    network: Proxy,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Office]:
    """A page that begins while its Redis is away."""
    home = tmp_path_factory.mktemp("operator") / "home"
    in_roles = pytestconfig.getoption("--roles")
    network.behave(Mode.RESET)
    with operator_kit.running(
        home, module_redis_url, module_database_url, in_roles=in_roles, network_url=network.url
    ) as office:
        wait_until(lambda: "Redis cannot be reached" in office.ada.see("/").text, 20, "it says who is away")
        network.heal()
        yield office


def test_a_server_that_was_away_at_the_start_is_shown_when_it_is_there(far_office: Office) -> None:
    far_office.open_sale("there")
    wait_until(lambda: "there open 10" in far_office.ada.see("/").text, 20, "the sale is shown")


def test_what_was_seen_last_is_shown_with_its_age_while_a_server_is_away(
    far_office: Office, network: Proxy
) -> None:
    far_office.open_sale("away")
    wait_until(lambda: "away open 10" in far_office.ada.see("/").text, 20, "the sale is shown")

    network.behave(Mode.RESET)
    try:
        wait_until(lambda: "What follows was seen" in far_office.ada.see("/").text, 20, "it says so")
        page, news = far_office.ada.see("/"), far_office.live()
        refused = far_office.ada.see("/sales/away")
    finally:
        network.heal()

    assert "away open 10" in page.text
    assert news["away"].startswith("Redis")
    assert refused.status == 503
    assert "Redis" in refused.text
    wait_until(lambda: "What follows was seen" not in far_office.ada.see("/").text, 20, "it is back")


def test_a_lost_reply_is_unknown_and_the_same_form_does_it_once(far_office: Office, network: Proxy) -> None:
    far_office.open_sale("lost")
    question = far_office.ada.see("/sales/lost/do/restock", sku="phone", change="+5")
    (form,) = (form for form in question.forms if "/do/" in form.action)
    network.behave(Mode.CUT_REPLY, when=form.fields["request_id"].encode(), times=1)

    lost = far_office.ada.send(form)
    again = far_office.ada.send(form)

    assert lost.status == 503
    assert "Whether it was done is not known" in lost.text
    assert "send the same form again: it is done once" in lost.text
    assert "15 available. It had been carried out before." in again.text
    assert sum(isinstance(event, StockAdded) for event in far_office.events("lost")) == 1


def test_what_was_seen_last_is_shown_while_all_other_pages_wait(
    far_office: Office, module_database_url: str
) -> None:
    far_office.open_sale("waited-for")
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass"

    def all_wait() -> bool:
        return far_office.connection.execute(waiting).fetchone() == (WORKS_MAX,)

    with connect(module_database_url) as blocking, ThreadPoolExecutor() as people, blocking.transaction():
        blocking.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        for _ in range(WORKS_MAX):
            people.submit(far_office.ada.see, "/orders", q="zoe")
        wait_until(all_wait, 20, "as many pages as are made at a time wait for Postgres")

        far_office.live()

        assert all_wait(), "and do so still"


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it(
    redis_url: str, database_url: str, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    with operator_kit.running(tmp_path / "home", redis_url, database_url, in_roles=True) as office:
        office.process.send(number)
        done = office.process.wait()
        assert done.exit_code == exit_code
        assert '"action": "operator_stopped"' in done.stderr
        assert "Traceback" not in done.stderr
