"""Dead letters on the operator page: grouped, retried, given up."""

from __future__ import annotations

import itertools

import pytest

from flashsale.bootstrap import Parts
from flashsale.commands import Confirm, Reserve
from flashsale.operator import dead_letters
from flashsale.operator.comparing import Comparisons
from flashsale.operator.desk import Desk
from flashsale.operator.people import Person
from flashsale.operator.sessions import Login
from flashsale.operator.visit import Visit
from flashsale.operator.watch import Watch
from flashsale.projections import retry
from flashsale.settings import Settings
from tests.acceptance.operator_kit import Office, Page

#: Of each sale, Bob's paid order could not be applied: 1-4, and its follower 1-6.
NOT_BOB = "ALTER TABLE orders_{sale} ADD CONSTRAINT not_bob CHECK (buyer <> 'bob')"
BOB_MAY = "ALTER TABLE orders_{sale} DROP CONSTRAINT not_bob"

_numbers = itertools.count(1)


@pytest.fixture
def sale(office: Office) -> str:
    """A sale of its own for each test."""
    name = f"parked{next(_numbers)}"
    office.open_sale(name)
    office.connection.execute(NOT_BOB.format(sale=name).encode())
    orders = [Reserve("0-aaaaaaaa", "bob", "phone"), Reserve("0-bbbbbbbb", "ada", "phone")]
    office.client.execute(name, orders)
    office.client.execute(name, [Confirm("0-aaaaaaaa")])
    office.project()
    return name


def orders(office: Office, sale: str) -> list[tuple[object, ...]]:
    return office.connection.execute(
        "SELECT buyer, status FROM orders WHERE sale_id = %s ORDER BY 1", [sale]
    ).fetchall()


def confirm(office: Office, question: Page) -> Page:
    (form,) = (form for form in question.forms if form.action.startswith("/dead-letters"))
    return office.ada.send(form)


def test_groups_lead_to_each_letter_and_to_its_order(office: Office, sale: str) -> None:
    groups = office.ada.see("/dead-letters")
    assert f"{sale} waiting 1-4 1 1 1" in groups.text
    assert 'CheckViolation: new row for relation "orders_' in groups.text

    letter = office.ada.see(f"/dead-letters/{sale}/1-4")

    assert f"/dead-letters/{sale}/1-4" in groups.links
    assert "followers 1-6 order.confirmed" in letter.text
    assert "a retry now refuses 1-4 again, CheckViolation" in letter.text
    assert f"/sales/{sale}/orders/0-aaaaaaaa" in letter.links
    assert office.ada.see(f"/dead-letters/{sale}/1-5").status == 404


def test_a_group_is_retried_after_it_is_mended(office: Office, sale: str) -> None:
    path = f"/dead-letters/{sale}/retry"
    still = office.ada.see(path, error="CheckViolation")
    assert "0 events would be applied. 1 line would be refused again." in still.text
    office.connection.execute(BOB_MAY.format(sale=sale).encode())
    mended = office.ada.see(path, error="CheckViolation")
    assert "2 events would be applied." in mended.text
    assert orders(office, sale) == [("ada", "held")]

    done = confirm(office, mended)

    assert "2 events applied." in done.text
    assert orders(office, sale) == [("ada", "held"), ("bob", "confirmed")]
    assert office.connection.execute(
        "SELECT DISTINCT action, actor FROM dead_letter_audit WHERE sale_id = %s", [sale]
    ).fetchall() == [("retried", "operator:ada")]
    assert office.ada.see(path, error="CheckViolation").status == 404


def test_one_event_is_given_up_with_a_reason_and_taken_back(office: Office, sale: str) -> None:
    letter = office.ada.see(f"/dead-letters/{sale}/1-4")
    question = office.ada.send(letter.form(f"/dead-letters/{sale}/1-4/discard"), reason="bob is gone")
    assert "2 events are given up" in question.text
    assert "bob is gone" in question.text

    done = confirm(office, question)

    assert "Discarded 2 events." in done.text
    assert office.connection.execute(
        "SELECT DISTINCT action, actor, reason FROM dead_letter_audit WHERE sale_id = %s", [sale]
    ).fetchall() == [("discarded", "operator:ada", "bob is gone")]
    office.connection.execute(BOB_MAY.format(sale=sale).encode())
    again = office.ada.see(f"/dead-letters/{sale}/1-4")
    assert "by operator:ada: bob is gone" in again.text
    assert (
        "2 events applied."
        in confirm(office, office.ada.send(again.form(f"/dead-letters/{sale}/retry"))).text
    )
    assert orders(office, sale) == [("ada", "held"), ("bob", "confirmed")]


def test_a_retry_of_more_than_is_tried_out_says_so(
    office: Office, sale: str, redis_url: str, module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.client.execute(sale, [Reserve("0-cccccccc", "bob", "phone")])
    office.project()
    office.connection.execute(BOB_MAY.format(sale=sale).encode())
    for module in (retry, dead_letters):
        monkeypatch.setattr(module, "DRY_LINES_MAX", 1)
    parts = Parts(Settings(redis_url=redis_url, postgres_url=module_database_url))
    desk = Desk(parts, Watch(lambda: parts.connected("test")), Comparisons())
    login = Login(Person("operator", "ada"), 4_000_000_000, "form")

    question = bytes(dead_letters.ask_retry(desk, Visit(login, {"sale": sale}, {})).body).decode()

    assert "2 events would be applied." in question
    assert "What stands behind 1 line was not tried out" in question
    assert "Retry 2 events, and more" in question
    assert "3 events applied." in confirm(office, office.ada.see(f"/dead-letters/{sale}/retry")).text


def test_a_discard_needs_a_reason(office: Office, sale: str) -> None:
    assert office.ada.see(f"/dead-letters/{sale}/1-4/discard").status == 400
    assert f"{sale} waiting 1-4" in office.ada.see("/dead-letters").text
