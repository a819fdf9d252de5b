"""`flashsale events`: the log, from the archive and from the stream."""

from __future__ import annotations

import pytest

from flashsale.commands import Confirm, Reserve
from flashsale.keys import shard_keys
from tests.acceptance.conftest import SALE, SKU, Shop

ORDER = "0-aaaaaaaa"
EVENTS = shard_keys(SALE, 0).events


def seqs(records: list[dict[str, object]]) -> list[object]:
    return [record["seq"] for record in records]


@pytest.fixture
def told(shop: Shop) -> Shop:
    """A sale with six events."""
    shop.open()
    shop.execute(Reserve(ORDER, "ada", SKU), Reserve("0-bbbbbbbb", "bob", SKU))
    shop.execute(Confirm(ORDER))
    return shop


def test_export_names_every_field(told: Shop) -> None:
    records = told.finished("events", "export", SALE).json_lines()

    assert seqs(records) == [1, 2, 3, 4, 5, 6]
    assert [record["type"] for record in records][2:] == [
        "sale.opened", "order.reserved", "order.reserved", "order.confirmed",
    ]  # fmt: skip
    assert isinstance(records[5].pop("at_ms"), int)
    assert records[5] == {
        "sale": SALE, "shard": 0, "epoch": 1, "seq": 6, "type": "order.confirmed", "v": 1, "by": "test",
        "order_id": ORDER, "buyer": "ada", "sku": SKU, "quantity": 1,
        "available": 8, "held": 1, "sold": 1, "returned": 0, "late": False,
    }  # fmt: skip


def test_export_is_the_same_before_and_after_projection_and_trimming(told: Shop) -> None:
    before = told.finished("events", "export", SALE).stdout
    told.project()
    told.execute(Reserve("0-cccccccc", "eve", SKU))
    told.redis.xtrim(EVENTS, minid="1-7")

    after = told.finished("events", "export", SALE).stdout

    assert after.splitlines()[:6] == before.splitlines()
    assert len(after.splitlines()) == 7


def test_export_of_a_part(told: Shop) -> None:
    told.project()
    told.execute(Reserve("0-cccccccc", "eve", SKU))

    assert seqs(told.finished("events", "export", SALE, "--from", "3", "--to", "1-5").json_lines()) == [
        3,
        4,
        5,
    ]
    assert seqs(told.finished("events", "export", SALE, "--from", "6").json_lines()) == [6, 7]
    assert told.finished("events", "export", SALE, "--from", "8").stdout == ""


def test_a_log_with_a_gap_is_not_exported_as_if_it_were_whole(told: Shop) -> None:
    told.redis.xdel(EVENTS, "1-4")

    done = told.cli.run("events", "export", SALE)

    assert done.exit_code == 7
    assert len(done.stdout.splitlines()) == 3
    assert "events between 1-3 and 1-5 are missing" in done.stderr


def test_an_entry_that_nobody_can_read_is_shown_as_it_is(told: Shop) -> None:
    told.redis.xadd(EVENTS, {"e": '["order.paid",9]'}, id="1-7")

    last = told.finished("events", "export", SALE).json_lines()[-1]

    assert (last["seq"], last["type"], last["body"]) == (7, None, '["order.paid",9]')
    assert "unreadable" in told.finished("events", "tail", SALE, "-n", "1").stdout
    assert '["order.paid",9]' in told.finished("events", "show", SALE, "7").stdout


def test_tail_shows_the_newest_last(told: Shop) -> None:
    plain = told.finished("events", "tail", SALE, "-n", "2").stdout.splitlines()

    assert [line.split()[0] for line in plain] == ["1-5", "1-6"]
    assert f"order.confirmed    by=test  order_id={ORDER}  buyer=ada" in plain[1]
    assert seqs(told.finished("events", "tail", SALE, "--json").json_lines()) == [1, 2, 3, 4, 5, 6]


def test_tail_reaches_into_the_archive(told: Shop) -> None:
    told.project()
    told.redis.xtrim(EVENTS, minid="1-6")
    assert seqs(told.finished("events", "tail", SALE, "-n", "3", "--json").json_lines()) == [4, 5, 6]
    told.redis.flushdb()
    assert seqs(told.finished("events", "tail", SALE, "-n", "3", "--json").json_lines()) == [4, 5, 6]


def test_tail_follows_from_before_the_first_event(shop: Shop) -> None:
    shop.define()
    following = shop.cli.start("events", "tail", SALE, "--follow")

    shop.warm("other")  # another sale's events are not shown
    shop.finished("sale", "warm", SALE)

    following.wait_for_output("stock.loaded")
    assert [line.split()[0] for line in following.stdout.splitlines()] == ["1-1", "1-2"]


def test_show_one_event(told: Shop) -> None:
    told.project()
    told.execute(Reserve("0-cccccccc", "eve", SKU))

    archived = told.finished("events", "show", SALE, "6")
    record = told.finished("events", "show", SALE, "1-7", "--json").json()

    assert ["order_id", ORDER] in [line.split() for line in archived.stdout.splitlines()]
    assert "stored in   Postgres" in archived.stdout
    assert (record["buyer"], record["archived"]) == ("eve", False)


@pytest.mark.parametrize("seq", ["99", "2-1"])
def test_an_event_that_is_not_there(told: Shop, seq: str) -> None:
    assert "the log of sale drop has no event" in told.refused(3, "events", "show", SALE, seq).stderr


def test_an_unknown_sale_has_no_log(shop: Shop) -> None:
    for args in (["tail"], ["tail", "--follow"], ["export"]):
        verb, *options = args
        assert "is not defined" in shop.refused(3, "events", verb, "nothing", *options).stderr


def test_a_sale_that_is_not_warm_has_an_empty_log(shop: Shop) -> None:
    shop.define()
    assert shop.finished("events", "export", SALE).stdout == ""
    assert shop.finished("events", "tail", SALE).stdout == ""


def test_verify_of_nothing_is_not_a_log_that_adds_up(told: Shop) -> None:
    whole = told.finished("events", "export", SALE).stdout

    assert "adds up" in told.cli.ok("verify", "-", stdin=whole).stdout
    for file, stdin in (("-", ""), ("-", "\n\n"), ("/dev/null", "")):
        done = told.cli.run("verify", file, stdin=stdin)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "nothing was checked" in done.stderr


def test_verify_of_what_never_ends_ends(shop: Shop) -> None:
    done = shop.cli.run("verify", "/dev/zero", timeout_s=20)

    assert done.exit_code == 2
    assert "/dev/zero, line 1: " in done.stderr
    assert len(done.stderr) < 400
