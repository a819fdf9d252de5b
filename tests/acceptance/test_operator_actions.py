"""What an operator does on the page: asked once more, with numbers, and in the log under the operator's name."""

from __future__ import annotations

import pytest

from flashsale.commands import Confirm, Join, Open, Pause, Reserve
from flashsale.events.types import (
    Event,
    SaleClosed,
    SaleOpened,
    SalePaused,
    SaleReconfigured,
    SaleResumed,
    StockAdded,
    StockRemoved,
)
from tests.acceptance.operator_kit import Office, Page

BY_ADA = "operator:ada"


def ask(office: Office, sale: str, action: str, **typed: str) -> Page:
    """The question that the button on the sale's page leads to. Nothing is done yet."""
    before = office.events(sale)
    path = f"/sales/{sale}/do/{action}"
    forms = [form for form in office.ada.see(f"/sales/{sale}").forms if form.action == path]
    assert forms, f"the page offers {action}"
    question = office.ada.send(forms[0], **typed)
    assert office.events(sale) == before
    return question


def confirm(office: Office, question: Page) -> Page:
    assert question.status == 200, question.text
    (form,) = (form for form in question.forms if "/do/" in form.action)
    return office.ada.send(form)


def outcome_of(kind: type[Event]) -> str:
    """The last word of an event's type."""
    return str(kind.__struct_config__.tag).partition(".")[2]


def newest(office: Office, sale: str) -> Event:
    return office.events(sale)[-1]


def test_a_sale_is_opened_paused_resumed_and_closed_by_name(office: Office) -> None:
    office.sale("life")
    for action, kind, question, outcome in (
        ("open", SaleOpened, "buyers can reserve 10 units of 1 SKU", "life is open."),
        ("pause", SalePaused, "2 orders held now can still be paid", "life is paused"),
        ("resume", SaleResumed, "7 units can be reserved again", "life is resumed"),
        (
            "close",
            SaleClosed,
            "7 units stay unsold; 2 orders held now can still be paid",
            "life is closed for good.",
        ),
    ):
        asked = ask(office, "life", action)
        assert question in asked.text
        done = confirm(office, asked)

        assert outcome in done.text
        event = newest(office, "life")
        assert isinstance(event, kind)
        assert event.by == BY_ADA
        assert f"sale.{outcome_of(kind)} {BY_ADA}" in done.text, "the page shows who did it"
        if action == "open":
            office.client.execute("life", [Reserve(f"0-{n:08}", "b", "phone") for n in range(3)])
            office.client.execute("life", [Confirm("0-00000000")])


def test_the_numbers_of_the_question_are_those_of_now(office: Office) -> None:
    office.open_sale("numbers")
    office.client.execute("numbers", [Reserve("0-00000001", "b", "phone", 4)])
    assert (
        "6 units left, 4 held and not paid yet, 0 sold, 0 returned: together 10."
        in ask(office, "numbers", "pause").text
    )
    office.client.execute("numbers", [Confirm("0-00000001")])
    assert "6 units left, 0 held and not paid yet, 4 sold" in ask(office, "numbers", "pause").text


def test_units_are_added_once_however_often_the_form_is_sent(office: Office) -> None:
    office.open_sale("more")
    question = ask(office, "more", "restock", sku="phone", change="+5")
    assert "Left: 10 → 15. Capacity: 10 → 15." in question.text

    first, second = confirm(office, question), confirm(office, question)

    assert "more is restocked: 15 available." in first.text
    assert "It had been carried out before." in second.text
    added = [event for event in office.events("more") if isinstance(event, StockAdded)]
    assert [(event.by, event.quantity) for event in added] == [(BY_ADA, 5)]
    assert office.client.snapshot("more").state.stock["phone"].available == 15


def test_units_are_taken_off_and_never_those_that_are_held(office: Office) -> None:
    office.open_sale("less")
    office.client.execute("less", [Reserve("0-00000001", "b", "phone", 4)])

    taken = confirm(office, ask(office, "less", "restock", sku="phone", change="-5"))
    question = ask(office, "less", "restock", sku="phone", change="-2")
    refused = confirm(office, question)

    assert "less is restocked: 1 available." in taken.text
    assert isinstance(newest(office, "less"), StockRemoved)
    assert "it will be refused" in question.text
    assert refused.status == 409
    assert "only 1 unit of phone can be taken off" in refused.text


def test_a_limit_a_hold_and_a_window_are_changed_and_the_definition_with_them(office: Office) -> None:
    office.open_sale("changed", limit=3)
    path = "/sales/changed/do/reconfigure"
    asked = office.ada.see(path, sku="phone", limit="0", hold="90s", closes="2099-01-01T00:00:00Z")
    assert "Units of phone that one buyer may have: 3 → no limit." in asked.text
    assert "Hold, for orders from now on: 10 min → 1 min 30 s." in asked.text
    assert "Closes: when a person decides → 20" in asked.text

    done = confirm(office, asked)

    assert "changed is reconfigured." in done.text
    event = newest(office, "changed")
    assert isinstance(event, SaleReconfigured)
    assert (event.by, event.hold_ms, event.limits) == (BY_ADA, 90_000, (("phone", 0),))
    assert office.connection.execute(
        "SELECT hold_ms, buyer_limit FROM sales JOIN sale_items USING (sale_id) WHERE sale_id = 'changed'"
    ).fetchall() == [(90_000, 0)]


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        ("restock", {"sku": "phone", "change": "5"}),
        ("restock", {"sku": "phone"}),
        ("restock", {"change": "+5"}),
        ("reconfigure", {}),
        ("reconfigure", {"sku": "phone", "limit": "many"}),
        ("reconfigure", {"limit": "1"}),
        ("reconfigure", {"hold": "90"}),
        ("reconfigure", {"opens": "2098-01-01T00:00:00Z", "closes": "2097-01-01T00:00:00Z"}),
        ("reconfigure", {"closes": "tomorrow"}),
    ],
)
def test_what_is_typed_wrong_is_told_and_does_nothing(
    office: Office, action: str, typed: dict[str, str]
) -> None:
    sale = "typed"
    if not office.connection.execute("SELECT FROM sales WHERE sale_id = 'typed'").fetchall():
        office.open_sale(sale)
    before = office.events(sale)
    token = office.ada.see("/").form("/logout").fields["form_token"]

    asked = office.ada.see(f"/sales/{sale}/do/{action}", **typed)
    sent = office.ada.http.post(f"/sales/{sale}/do/{action}", data=typed | {"form_token": token})

    assert (asked.status, sent.status_code) == (400, 400)
    assert "is not accepted" in asked.text
    assert office.events(sale) == before


def test_an_unknown_sku_is_told(office: Office) -> None:
    office.open_sale("nosku")
    assert office.ada.see("/sales/nosku/do/restock", sku="tablet", change="+1").status == 404


def test_what_somebody_else_did_meanwhile_refuses_what_no_longer_fits(office: Office) -> None:
    office.open_sale("raced")
    question = ask(office, "raced", "pause")
    office.client.control("raced", Pause())

    refused = confirm(office, question)

    assert refused.status == 409
    assert "sale raced is paused already" in refused.text
    paused = [event.by for event in office.events("raced") if isinstance(event, SalePaused)]
    assert paused == ["test"]


def test_a_sale_that_opens_by_its_clock_is_opened_now_or_left_to_it(office: Office) -> None:
    office.sale("timed")
    asked = office.ada.see("/sales/timed/do/reconfigure", opens="2099-01-01T00:00:00Z")
    confirm(office, asked)

    waits, at_once = ask(office, "timed", "open"), ask(office, "timed", "open", now="yes")
    assert "It opens by itself at 20" in waits.text
    assert "From now on buyers can reserve" in at_once.text
    assert "timed is open." in confirm(office, at_once).text
    assert office.client.execute("timed", [Reserve("0-00000001", "b", "phone")])[0].code == "RESERVED"


def test_a_cold_sale_offers_nothing(office: Office) -> None:
    office.open_sale("over", units=1)
    confirm(office, ask(office, "over", "close"))
    page = office.ada.see("/sales/over")
    assert {form.action for form in page.forms} == {"/logout", "/sales/over/compare"}
    assert office.client.control("over", Open(at_once=True)).code == "WRONG_STATE"


def test_a_waiting_room_is_set_changed_and_told_something(office: Office) -> None:
    office.open_sale("roomy")
    path = "/sales/roomy/do/room"
    assert office.ada.see(path, mode="open").status == 400, "the first settings need their numbers"
    assert office.ada.see(path).status == 400

    first = confirm(office, ask(office, "roomy", "room", rate="50", active="100"))
    office.client.execute("roomy", [Join("b-1"), Join("b-2")])
    question = ask(office, "roomy", "room", rate="20", mode="queue-all", message="back at 10 €")
    told = confirm(office, question)
    cleared = confirm(office, office.ada.see(path, clear="yes"))

    assert "roomy has a waiting room with these settings." in first.text
    assert "50 called a second at most" in first.text
    assert "2 people wait at most, 0 of 100 shop" in question.text
    assert "Mode: open: people are called → queue-all: nobody is called." in question.text
    assert "Called a second, at most: 50 → 20." in question.text
    assert "told to those who wait back at 10 €" in told.text
    assert "told to those who wait nothing" in cleared.text
    room = office.client.snapshot("roomy").state.room
    assert room is not None
    assert (room.mode, room.rate_per_s, room.active_max, room.message) == ("queue-all", 20, 100, "")
    assert [event.by for event in office.events("roomy")[-3:]] == [BY_ADA] * 3


def test_a_pause_says_why(office: Office) -> None:
    office.open_sale("why")
    question = ask(office, "why", "pause", why="Preis falsch: 1 € & <mehr>")
    assert "kept in the log: Preis falsch: 1 € & <mehr>" in question.text

    done = confirm(office, question)

    assert "why: Preis falsch: 1 € & <mehr>" in done.text
    told = office.cli.ok("events", "tail", "why", "--json").json_lines()[-1]
    assert (told["type"], told["by"], told["why"]) == ("sale.paused", BY_ADA, "Preis falsch: 1 € & <mehr>")


def test_who_acted_is_logged(office: Office) -> None:
    office.open_sale("logged")
    confirm(office, ask(office, "logged", "pause"))
    assert '"sale": "logged", "what": "paused"' in office.process.stderr
