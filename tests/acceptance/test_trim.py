"""`flashsale trim` and `flashsale sale archive`, as an operator types them, and what all other commands say then."""

from __future__ import annotations

import pytest

from flashsale.commands import Close, Confirm, Reserve
from flashsale.keys import shard_keys
from tests.acceptance.conftest import SALE, SKU, Shop, assert_one_sentence
from tests.helpers import wait_until

EVENTS = shard_keys(SALE, 0).events
ORDER = "0-aaaaaaaa"


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """A sale of eight events, applied: two orders paid, one cancelled by nobody."""
    shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU, 2), Reserve("0-bbbbbbbb", "bob", SKU))
    shop.execute(Confirm(ORDER), Confirm("0-bbbbbbbb"))
    shop.control(Close())
    shop.project()
    return shop


def test_trim_says_how_many_went_and_how_many_are_left(sold: Shop) -> None:
    would = sold.finished("trim", SALE, "--keep", "3", "--dry-run", "--json").json()
    assert sold.redis.xlen(EVENTS) == 8
    done = sold.finished("trim", SALE, "--keep", "3")

    assert done.stdout.splitlines()[1].split() == ["drop", "5", "3"]
    assert sold.redis.xlen(EVENTS) == 3
    (record,) = would["shards"]
    assert (would["dry_run"], record["trimmed"], record["remaining"], record["obstacles"]) == (True, 5, 3, [])
    assert sold.finished("trim", "--all").stdout.splitlines()[1].split() == ["drop", "0", "3"]


def test_trim_refuses_and_says_by_how_many_events(sold: Shop) -> None:
    sold.redis.xgroup_create(EVENTS, "audit", "1-2")

    done = sold.cli.run("trim", SALE, "--keep", "1", "--json")

    assert done.exit_code == 4
    assert "error: drop:0: group audit has not acknowledged 5 events" in done.stderr
    (record,) = done.json()["shards"]
    assert record["obstacles"][0].items() >= {"kind": "unacknowledged", "events": 5, "group": "audit"}.items()
    assert sold.redis.xlen(EVENTS) == 6


def test_events_that_are_not_applied_stay(shop: Shop) -> None:
    shop.open()
    done = shop.cli.run("trim", SALE, "--keep", "0")

    assert done.exit_code == 4
    assert "error: drop:0: 3 events are not in Postgres yet" in done.stderr
    assert "Next: flashsale projector run" in done.stderr


@pytest.mark.parametrize(
    ("args", "exit_code"),
    [
        (("trim",), 2),
        (("trim", SALE, "--all"), 2),
        (("trim", SALE, "--keep", "-1"), 2),
        (("trim", SALE, "--keep", "1e3"), 2),
        (("trim", "no-such"), 3),
        (("trim", SALE), 4),
        (("sale", "archive", "no-such"), 3),
        (("sale", "archive", SALE), 4),
        (("sale", "archive", SALE, "--timeout", "x"), 2),
        (("projector", "run", "--keep", "5"), 2),
        (("projector", "run", "--trim", "--keep", "x"), 2),
    ],
)
def test_what_makes_no_sense_is_refused(shop: Shop, args: tuple[str, ...], exit_code: int) -> None:
    shop.define()
    shop.refused(exit_code, *args)


def test_all_passes_over_sales_without_a_log(shop: Shop) -> None:
    assert "No sale has a log." in shop.finished("trim", "--all").stderr
    shop.define()
    assert shop.finished("trim", "--all", "--json").json() == {"dry_run": False, "shards": []}


def test_a_lost_log_is_told_with_exit_code_7(sold: Shop) -> None:
    sold.redis.flushdb()
    done = sold.cli.run("trim", SALE)
    assert done.exit_code == 7
    assert_one_sentence(done)


def test_a_projector_trims_when_it_is_told_to(sold: Shop) -> None:
    projector = sold.cli.start("projector", "run", "--trim", "--keep", "2")
    wait_until(lambda: sold.redis.xlen(EVENTS) == 2, 20, "the log is trimmed")
    assert "log_trimmed" in projector.stop().stderr


def test_all_other_commands_work_behind_a_trimmed_log(sold: Shop) -> None:
    before = sold.finished("events", "export", SALE).stdout
    sold.finished("trim", SALE, "--keep", "1")

    assert sold.finished("events", "export", SALE).stdout == before
    (sold.cli.home / "log.ndjson").write_text(before, encoding="utf-8")
    assert "adds up" in sold.finished("verify", "log.ndjson").stdout
    assert len(sold.finished("events", "tail", SALE, "-n", "5").stdout.splitlines()) == 5
    assert "Postgres" in sold.finished("events", "show", SALE, "3").stdout
    record = sold.finished("order", "show", SALE, ORDER, "--json").json()
    assert [event["type"] for event in record["events"]] == ["order.reserved", "order.confirmed"]
    assert sold.finished("sale", "show", SALE, "--json").json()["lag_events"] == 0
    assert "log 1-8" in sold.finished("sale", "watch", SALE, "--count", "1").stdout
    assert sold.finished("projector", "status", "--json").json()["shards"][0]["state"] == "idle"


# ------------------------------------------------------------------------------------------------------------ archive


@pytest.fixture
def archived(sold: Shop) -> Shop:
    """The same sale, archived."""
    done = sold.finished("sale", "archive", SALE)
    assert "drop is archived: Postgres has its 8 events" in done.stderr
    return sold


def test_an_archived_sale_is_shown_from_postgres(archived: Shop) -> None:
    shown = archived.finished("sale", "show", SALE, "--json").json()
    assert (shown["state"], shown["position"], shown["lag_events"]) == ("archived", "1-8", 0)
    assert (shown["items"][0]["available"], shown["items"][0]["sold"]) == (7, 3)
    assert shown["orders_in_postgres"] == {"confirmed": {"orders": 2, "units": 3}}
    assert "archived: over, and only in Postgres" in archived.finished("sale", "show", SALE).stdout
    assert archived.finished("sale", "list").stdout.splitlines()[1].split()[:4] == [
        SALE,
        "archived",
        "7",
        "0",
    ]
    assert archived.finished("projector", "status", "--json").json()["shards"][0]["state"] == "archived"


def test_the_events_of_an_archived_sale_can_be_read(archived: Shop) -> None:
    exported = archived.finished("events", "export", SALE).stdout
    (archived.cli.home / "log.ndjson").write_text(exported, encoding="utf-8")
    assert "adds up" in archived.finished("verify", "log.ndjson").stdout
    assert len(archived.finished("events", "tail", SALE).stdout.splitlines()) == 8
    assert "sale.loaded" in archived.finished("events", "show", SALE, "1").stdout
    record = archived.finished("order", "show", SALE, ORDER, "--json").json()
    assert (record["status"], record["redis"], len(record["events"])) == ("confirmed", None, 2)


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("order", "reserve", SALE, SKU, "--buyer", "eve"), "is archived"),
        (("order", "refund", SALE, ORDER), "is archived"),
        (("sale", "pause", SALE), "is archived"),
        (("sale", "warm", SALE), "archived"),
        (("trim", SALE), "is archived"),
    ],
)
def test_late_commands_are_refused_also_without_the_tombstone(
    archived: Shop, args: tuple[str, ...], sentence: str, *, flushed: bool
) -> None:
    if flushed:
        archived.redis.flushdb()
    assert sentence in archived.refused(4, *args).stderr
    assert archived.finished("sale", "show", SALE, "--json").json()["state"] == "archived"


def test_archive_twice_is_archive_once(archived: Shop) -> None:
    before = archived.everything()
    assert archived.finished("sale", "archive", SALE, "--json").json()["code"] == "ARCHIVED"
    assert archived.everything() == before


def test_a_running_projector_lets_go_of_it(sold: Shop) -> None:
    projector = sold.cli.start("projector", "run", "--name", "p1")
    projector.wait_for_output("shard_started")
    sold.finished("sale", "archive", SALE)
    done = projector.stop()

    assert "shard_halted" not in done.stderr
    assert sold.finished("projector", "status", "--json").json()["shards"][0]["state"] == "archived"


def test_an_open_sale_and_open_holds_are_refused(shop: Shop) -> None:
    shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU))
    shop.project()
    refused = shop.refused(4, "sale", "archive", SALE)
    assert "sale drop is open; only a closed sale can be archived" in refused.stderr
    shop.control(Close())
    shop.project()
    assert "1 order of sale drop is still held" in shop.refused(4, "sale", "archive", SALE).stderr


def test_drift_is_told_with_exit_code_6(sold: Shop) -> None:
    sold.connection.execute("UPDATE stock SET available = 6, sold = 4")
    assert "disagree in 1 place" in sold.refused(6, "sale", "archive", SALE).stderr
