"""`flashsale dead-letter`: what a person sees of parked events, and does with them."""

from __future__ import annotations

import getpass
import re

import pytest

from flashsale.commands import Confirm, Reserve
from tests.acceptance.conftest import SALE, SKU, Shop

ORDER = "0-aaaaaaaa"
ACTOR = f"cli:{getpass.getuser()}"
NOT_BOB = "ALTER TABLE orders ADD CONSTRAINT not_bob CHECK (buyer <> 'bob')"
BOB_MAY = "ALTER TABLE orders DROP CONSTRAINT not_bob"


@pytest.fixture
def bob(shop: Shop) -> Shop:
    """A sale in which Bob's paid order could not be applied: 1-4, and its follower 1-6."""
    shop.connection.execute(NOT_BOB)
    shop.open()
    shop.execute(Reserve(ORDER, "bob", SKU), Reserve("0-bbbbbbbb", "ada", SKU))
    shop.execute(Confirm(ORDER))
    shop.project()
    return shop


def orders(shop: Shop) -> list[tuple[object, ...]]:
    return shop.connection.execute("SELECT buyer, status FROM orders ORDER BY 1").fetchall()


def squeezed(text: str) -> str:
    """Columns two spaces apart."""
    return re.sub(" {2,}", "  ", text)


def test_list_shows_groups_with_their_followers(bob: Shop) -> None:
    told = bob.finished("dead-letter", "list")
    (group,) = bob.finished("dead-letter", "list", SALE, "--json").json()["groups"]

    assert told.stdout.splitlines()[1].split()[:6] == [SALE, "waiting", "1-4", "1", "1", "1"]
    assert (
        'CheckViolation: new row for relation "orders_drop" violates check constraint "not_bob"'
        in told.stdout
    )
    assert "Next: flashsale dead-letter show drop 1-4" in told.stderr
    assert group.items() >= {"state": "waiting", "oldest": "1-4", "events": 1, "followers": 1}.items()
    assert bob.finished("projector", "status", "--json").json()["shards"][0]["parked"] == 2


def test_nothing_parked_is_said(shop: Shop) -> None:
    shop.open()
    assert "Nothing is parked." in shop.finished("dead-letter", "list").stderr
    assert shop.finished("dead-letter", "list", SALE, "--json").json() == {"groups": []}
    assert "Nothing waits to be retried." in shop.finished("dead-letter", "retry", SALE, "--all").stderr


def test_show_tells_the_event_and_what_a_retry_would_do(bob: Shop) -> None:
    before = bob.everything()
    still = bob.finished("dead-letter", "show", SALE, "4").stdout
    bob.connection.execute(BOB_MAY)
    mended = bob.finished("dead-letter", "show", SALE, "1-4")
    record = bob.finished("dead-letter", "show", SALE, "4", "--json").json()

    assert "a retry now  refuses 1-4 again, CheckViolation" in squeezed(still)
    assert "a retry now  applies 1-4 and 1 follower" in squeezed(mended.stdout)
    assert "followers  1-6 order.confirmed" in squeezed(mended.stdout)
    assert "Next: flashsale dead-letter retry drop --seq 1-4" in mended.stderr
    assert record["event"].items() >= {"type": "order.reserved", "buyer": "bob"}.items()
    assert record["retry"]["applied"] == ["1-4", "1-6"]
    assert record["body"].startswith('["order.reserved",1,')
    assert bob.everything() == before


@pytest.mark.parametrize(
    "which", [("--all",), ("--seq", "4"), ("--seq", "1-6"), ("--error", "CheckViolation")]
)
def test_a_retry_after_the_fix_applies_what_waited(bob: Shop, which: tuple[str, ...]) -> None:
    bob.connection.execute(BOB_MAY)
    done = bob.finished("dead-letter", "retry", SALE, *which)

    assert "applied 1-4 and 1 follower" in done.stdout
    assert "Applied 2 events; nothing waits any more." in done.stderr
    assert orders(bob) == [("ada", "held"), ("bob", "confirmed")]


def test_a_retry_before_the_fix_ends_with_4_and_says_why(bob: Shop) -> None:
    done = bob.cli.run("dead-letter", "retry", SALE, "--all")
    record = bob.cli.run("dead-letter", "retry", SALE, "--all", "--json").json()

    assert done.exit_code == 4
    assert '1-4 refused again, CheckViolation: new row for relation "orders_drop"' in done.stdout
    assert "Applied 0 events; 2 events still wait." in done.stderr
    assert (record["applied"], record["left"]) == (0, 2)
    assert record["tried"][0]["refused"]["position"] == "1-4"
    assert bob.finished("dead-letter", "list", "--json").json()["groups"][0]["attempts"] == 3


def test_a_dry_run_changes_nothing(bob: Shop) -> None:
    before = bob.everything()
    bob.connection.execute(BOB_MAY)

    dry = bob.finished("dead-letter", "retry", SALE, "--all", "--dry-run")
    record = bob.finished("dead-letter", "retry", SALE, "--all", "--dry-run", "--json").json()
    given_up = bob.finished("dead-letter", "discard", SALE, "--seq", "4", "--reason", "x", "--dry-run")

    assert "would apply 1-4 and 1 follower" in dry.stdout
    assert "Would apply 2 events; nothing changed." in dry.stderr
    assert (record["dry_run"], record["applied"], record["left"]) == (True, 2, 2)
    assert "Would discard event 1-4 and 1 follower; nothing changed." in given_up.stderr
    assert bob.everything() == before


def test_what_is_discarded_is_kept_with_its_reason_and_can_be_taken_back(bob: Shop) -> None:
    bob.connection.execute(BOB_MAY)
    discard = ("dead-letter", "discard", SALE, "--seq", "4", "--reason", "a test order")
    done = bob.finished(*discard)
    again = bob.finished(*discard, "--json")

    assert "Discarded event 1-4 and 1 follower." in done.stderr
    assert "Event 1-4 was discarded before; nothing changed." in again.stderr
    assert again.json()["discarded"] == []
    assert f"by {ACTOR}: a test order" in bob.finished("dead-letter", "show", SALE, "4").stdout
    assert bob.finished("dead-letter", "list").stdout.splitlines()[1].split()[1] == "discarded"
    assert bob.finished("projector", "status", "--json").json()["shards"][0]["parked"] == 0
    assert orders(bob) == [("ada", "held")]

    bob.finished("dead-letter", "retry", SALE, "--all")
    assert orders(bob) == [("ada", "held")]
    bob.finished("dead-letter", "retry", SALE, "--seq", "4")
    assert orders(bob) == [("ada", "held"), ("bob", "confirmed")]


REFUSED = [
    (2, ("retry", SALE), "say what to retry: --seq SEQ, --error CLASS or --all, one of them"),
    (2, ("retry", SALE, "--all", "--seq", "4"), "one of them"),
    (2, ("retry", SALE, "--seq", "four"), "seq: 'four' is not accepted; write a sequence number"),
    (2, ("retry", SALE, "--error", ""), "error: '' is not accepted; use 1 to 100 printable characters"),
    (2, ("retry", "{drop}", "--all"), "sale: '{drop}' is not accepted"),
    (3, ("retry", "nowhere", "--all"), "sale nowhere is not defined"),
    (3, ("retry", SALE, "--seq", "5"), "event 1-5 of sale drop is not parked"),
    (
        3,
        ("retry", SALE, "--error", "Nothing"),
        "nothing of sale drop is parked with an error of class Nothing",
    ),
    (2, ("show", SALE, "0"), "seq: '0' is not accepted"),
    (3, ("show", SALE, "5"), "event 1-5 of sale drop is not parked; `flashsale dead-letter list drop`"),
    (3, ("show", SALE, "2-4"), "event 2-4 of sale drop is not parked"),
    (3, ("list", "nowhere"), "sale nowhere is not defined"),
    (2, ("list", "{drop}"), "sale: '{drop}' is not accepted"),
    (2, ("discard", SALE, "--seq", "4"), "--reason"),
    (2, ("discard", SALE, "--seq", "4", "--reason", "  "), "reason: '  ' is not accepted"),
    (2, ("discard", SALE, "--seq", "4", "--reason", "x" * 501), "use 1 to 500 printable characters"),
    (2, ("discard", SALE, "--seq", "4", "--reason", "a\nb"), "reason: "),
    (3, ("discard", SALE, "--seq", "5", "--reason", "x"), "event 1-5 of sale drop is not parked"),
]


def test_what_is_refused_changes_nothing(bob: Shop) -> None:
    for exit_code, args, sentence in REFUSED:
        assert sentence in bob.refused(exit_code, "dead-letter", *args).stderr


def test_the_largest_position_is_not_parked_either(bob: Shop) -> None:
    bob.refused(3, "dead-letter", "show", SALE, f"{'9' * 9}-{'9' * 18}")
    bob.refused(3, "dead-letter", "retry", SALE, "--seq", f"{'9' * 9}-{'9' * 18}")
