"""mend: records of the hot state are put back to what the log says, if they are still what was seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lua import malformed
from tests.lua.kit import Argument, Result, Shard

ORDER, OTHER = "0-order-one", "0-order-two"


@pytest.fixture
def sale(shard: Shard) -> Shard:
    """Six units of A, of which ann holds one and has paid two; nothing of B is sold."""
    shard.sell(("A", 6, 5), ("B", 2))
    shard.reserve(ORDER, "ann")
    shard.pay(OTHER, "ann", quantity=2)
    return shard


def mend(shard: Shard, *records: Argument, read: str | None = None, mended: Argument | None = None) -> Result:
    """Mend records of five values each: kind, key, guard, from, to."""
    count = (text(shard, "sale", "mended") or 0) if mended is None else mended
    return shard.run("mend", read or f"1-{text(shard, 'sale', 'seq')}", count, *records)


def text(shard: Shard, key: str, field: str) -> str | None:
    """A field of a hash."""
    value = shard.redis.hget(getattr(shard.keys, key), field)
    return value.decode() if isinstance(value, bytes) else None


def test_counters_move_by_the_difference_whatever_was_sold_meanwhile(sale: Shard) -> None:
    sale.damage("HSET", sale.keys.stock, "A", "5 1 2 0 5")  # two units from nowhere
    sale.reserve("0-order-new", "bob")
    head = sale.head()

    assert mend(sale, "counters", "A", "-", "-", "=-2 +0 +0 +0").answers == [f"MENDED {head}"]
    assert text(sale, "stock", "A") == "2 2 2 0 5"
    assert sale.head() == head, "no event, no new place in the log"


def test_a_mend_that_was_seen_before_another_is_stale(sale: Shard) -> None:
    sale.damage("HSET", sale.keys.stock, "A", "5 1 2 0 5")
    record = ("counters", "A", "-", "-", "=-2 +0 +0 +0")
    assert mend(sale, *record, mended=0).words == ["MENDED"]
    before = sale.dump()

    assert mend(sale, *record, mended=0).words == ["STALE"]
    assert sale.dump() == before
    assert text(sale, "sale", "mended") == "1"


def test_counters_do_not_go_below_zero(sale: Shard) -> None:
    before = sale.dump()
    for change in ("=-4 +0 +0 +0", "=+0 -2 +0 +0", "=+0 +0 -3 +0", "=+0 +0 +0 -1"):
        assert mend(sale, "counters", "A", "-", "-", change).words == ["BELOW_ZERO"]
    assert mend(sale, "counters", "ghost", "-", "-", "=+1 +0 +0 +0").words == ["CHANGED"]
    assert sale.dump() == before


def test_a_record_is_set_if_it_is_what_was_seen(sale: Shard) -> None:
    right = text(sale, "orders", ORDER)
    sale.damage("HSET", sale.keys.orders, ORDER, "rubbish")

    assert mend(sale, "order", ORDER, "-", "=other", f"={right}").words == ["CHANGED"]
    assert mend(sale, "order", ORDER, "-", "=rubbish", f"={right}").words == ["MENDED"]
    assert mend(sale, "order", ORDER, "-", "=rubbish", f"={right}").words == ["DONE"]
    assert text(sale, "orders", ORDER) == right


def test_a_record_is_made_or_removed(sale: Shard) -> None:
    right = text(sale, "orders", ORDER)
    sale.damage("HDEL", sale.keys.orders, ORDER)
    sale.damage("HSET", sale.keys.orders, "0-from-nowhere", f"{right}")

    assert mend(
        sale, "order", ORDER, "-", "-", f"={right}", "order", "0-from-nowhere", "-", f"={right}", "-"
    ).words == ["MENDED", "MENDED"]
    assert text(sale, "orders", ORDER) == right
    assert text(sale, "orders", "0-from-nowhere") is None
    sale.check()


def test_units_of_a_buyer(sale: Shard) -> None:
    assert mend(sale, "units", "ann A", "-", "=4", "=5").words == ["CHANGED"]
    assert mend(sale, "units", "ann A", "-", "=3", "=4").words == ["MENDED"]
    assert (
        mend(sale, "units", "ann A", "-", "=4", "=3", "units", "eve A", "-", "-", "=1").words
        == ["MENDED"] * 2
    )
    assert mend(sale, "units", "eve A", "-", "=1", "-").words == ["MENDED"]
    sale.check()


def test_units_of_a_buyer_move_by_the_difference(sale: Shard) -> None:
    assert mend(sale, "owned", "ann A", "-", "-", "=-4").words == ["BELOW_ZERO"]
    assert (
        mend(sale, "owned", "ann A", "-", "-", "=+2", "owned", "eve A", "-", "-", "=+1").words
        == ["MENDED"] * 2
    )
    assert (text(sale, "buyers", "ann A"), text(sale, "buyers", "eve A")) == ("5", "1")
    assert (
        mend(sale, "owned", "ann A", "-", "-", "=-2", "owned", "eve A", "-", "-", "=-1").words
        == ["MENDED"] * 2
    )
    assert text(sale, "buyers", "eve A") is None
    sale.check()


def test_a_hold_is_set_only_while_its_order_is_what_the_log_says(sale: Shard) -> None:
    record, until = text(sale, "orders", ORDER), str(sale.snapshot().holds[ORDER])
    sale.damage("ZREM", sale.keys.holds, ORDER)
    assert mend(sale, "hold", ORDER, "=another record", "-", f"={until}").words == ["CHANGED"]
    assert mend(sale, "hold", ORDER, f"={record}", "-", f"={until}").words == ["MENDED"]
    sale.check()

    sale.damage("ZREM", sale.keys.holds, ORDER)
    sale.resolve("confirm", ORDER)
    assert mend(sale, "hold", ORDER, f"={record}", "-", f"={until}").words == ["CHANGED"]
    sale.check()


def test_a_hold_goes_with_an_order_that_is_mended_in_the_same_call(sale: Shard) -> None:
    record, until = text(sale, "orders", ORDER), str(sale.snapshot().holds[ORDER])
    sale.damage("ZREM", sale.keys.holds, ORDER)
    sale.damage("HDEL", sale.keys.orders, ORDER)

    words = mend(
        sale, "order", ORDER, "-", "-", f"={record}", "hold", ORDER, f"={record}", "-", f"={until}"
    ).words
    assert words == ["MENDED", "MENDED"]
    sale.check()


def test_settings_and_limits(sale: Shard) -> None:
    sale.damage("HSET", sale.keys.sale, "closes_ms", "77", "request:r-1", "add A 5 1-3 5")
    sale.damage("HSET", sale.keys.stock, "A", "3 1 2 0 9")

    assert mend(
        sale, "setting", "closes_ms", "-", "=77", "=0", "setting", "request:r-1", "-", "=add A 5 1-3 5", "-",
        "limit", "A", "-", "=9", "=5",
    ).words == ["MENDED"] * 3  # fmt: skip
    sale.check()


def test_a_limit_and_counters_of_one_sku_go_together(sale: Shard) -> None:
    sale.damage("HSET", sale.keys.stock, "A", "4 1 2 0 9")

    assert (
        mend(sale, "counters", "A", "-", "-", "=-1 +0 +0 +0", "limit", "A", "-", "=9", "=5").words
        == ["MENDED"] * 2
    )
    assert text(sale, "stock", "A") == "3 1 2 0 5"


@pytest.mark.parametrize("change", ["reconfigure", "restock"])
def test_a_setting_that_a_person_may_have_changed_is_left_alone(sale: Shard, change: str) -> None:
    head = sale.head()
    sale.run(change, *{"reconfigure": ("-", "-", "-", "A", 9), "restock": ("r", "add", "A", 1)}[change])
    before = sale.dump()

    assert mend(sale, "limit", "A", "-", "=9", "=5", read=head).words == ["CHANGED"]
    assert mend(sale, "setting", "hold_ms", "-", "=1", "=2", read=head).words == ["CHANGED"]
    assert sale.dump() == before


def test_what_buyers_did_since_does_not_matter_to_a_setting(sale: Shard) -> None:
    head = sale.head()
    sale.damage("HSET", sale.keys.sale, "opens_ms", "5")
    sale.reserve("0-order-new", "bob")

    assert mend(sale, "setting", "opens_ms", "-", "=5", "=0", read=head).words == ["MENDED"]


def test_events_that_are_gone_may_have_been_anything(sale: Shard) -> None:
    head = sale.head()
    sale.reserve("0-order-new", "bob")
    sale.reserve("0-order-more", "bob")
    sale.damage("XTRIM", sale.keys.events, "MINID", sale.head())
    sale.damage("HSET", sale.keys.sale, "opens_ms", "5")

    assert mend(sale, "setting", "opens_ms", "-", "=5", "=0", read=head).words == ["CHANGED"]


def test_a_whole_record_of_a_sku(sale: Shard) -> None:
    sale.damage("HSET", sale.keys.stock, "A", "many", "ghost", "1 0 0 0 0")
    sale.damage("HDEL", sale.keys.stock, "B")

    assert mend(
        sale, "stock", "A", "-", "=many", "=3 1 2 0 5", "stock", "B", "-", "-", "=2 0 0 0 0",
        "stock", "ghost", "-", "=1 0 0 0 0", "-",
    ).words == ["MENDED"] * 3  # fmt: skip
    sale.check()


# ---------------------------------------------------------------------------------------------------- what is refused

MALFORMED: dict[str, tuple[Argument, ...]] = {
    "another kind": ("events", "1-1", "-", "-", "=x"),
    "no kind": ("", "A", "-", "-", "=x"),
    "a value without its sign": ("order", ORDER, "-", "x", "=x"),
    "counters without sign": ("counters", "A", "-", "-", "=1 0 0 0"),
    "three counters": ("counters", "A", "-", "-", "=+1 +0 +0"),
    "no counters": ("counters", "A", "-", "-", "-"),
    "the epoch": ("setting", "epoch", "-", "=1", "=2"),
    "the seq": ("setting", "seq", "-", "=1", "=2"),
    "what says that it is lost": ("setting", "lost", "-", "-", "=1-1"),
    "the number of mends": ("setting", "mended", "-", "-", "=9"),
    "four values": ("order", ORDER, "-", "-"),
    "units without sign": ("owned", "ann A", "-", "-", "=1"),
    "nothing": (),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_records_are_refused(sale: Shard, what: str) -> None:
    assert sale.error("mend", sale.head(), 0, *MALFORMED[what]).startswith("INVALID_ARGUMENT")


def test_malformed_heads_are_refused(sale: Shard) -> None:
    record = ("units", "ann A", "-", "=3", "=4")
    for fence in malformed.FENCES.values():
        assert sale.error("mend", "1-1", 0, *record, fence=fence).startswith("INVALID_ARGUMENT fence")
    for by in malformed.ACTORS.values():
        assert sale.error("mend", "1-1", 0, *record, by=by).startswith("INVALID_ARGUMENT by")
    for read in malformed.FENCES.values():
        assert sale.error("mend", read, 0, *record).startswith("INVALID_ARGUMENT read")
    for count in malformed.COUNTS.values():
        assert sale.error("mend", "1-1", count, *record).startswith("INVALID_ARGUMENT mended")
    assert sale.error_raw("mend", "0-0", "test", "1-1", 0, *record, keys=sale.keys[:5]).startswith(
        "INVALID_ARGUMENT"
    )


@pytest.mark.parametrize(
    "lose",
    [
        lambda sale: sale.damage("DEL", sale.keys.events),
        lambda sale: sale.damage("HSET", sale.keys.sale, "lost", "1-99"),
    ],
)
def test_a_sale_that_lost_its_log_is_not_mended(sale: Shard, lose: Callable[[Shard], None]) -> None:
    lose(sale)

    assert mend(sale, "units", "ann A", "-", "=3", "=4", read="1-1").words == ["LOG_REGRESSED"]


@pytest.mark.parametrize("key", ["sale", "stock", "orders", "buyers", "holds", "events"])
def test_a_key_of_another_type_stops_it_before_it_writes(sale: Shard, key: str) -> None:
    records = (
        "units",
        "ann A",
        "-",
        "=3",
        "=4",
        "order",
        "0-order-new",
        "-",
        "-",
        f"={text(sale, 'orders', ORDER)}",
    )
    stock = ("stock", "C", "-", "-", "=1 0 0 0 0")
    sale.damage("SET", getattr(sale.keys, key), "foreign")

    assert sale.error("mend", "1-1", 0, *records, *stock).startswith(("WRONGTYPE", "KEY_CORRUPT"))


def test_a_sale_that_is_not_there_is_not_made(shard: Shard) -> None:
    assert shard.run("mend", "1-1", 0, "units", "ann A", "-", "-", "=4").words == ["NOT_LOADED"]
    assert shard.dump() == {}


def test_a_record_that_no_script_could_read_is_not_written(sale: Shard) -> None:
    for record in (
        ("order", "0-order-new", "-", "-", "=rubbish"),
        ("units", "eve A", "-", "-", "=many"),
        ("stock", "C", "-", "-", "=1 2"),
        ("limit", "A", "-", "=5", "=many"),
    ):
        assert sale.error("mend", sale.head(), 0, *record).startswith(("KEY_CORRUPT", "INVALID_ARGUMENT"))
