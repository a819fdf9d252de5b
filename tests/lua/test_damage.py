"""What scripts do when somebody else has written to their keys, or when the log has lost entries: nothing, loudly."""

from collections.abc import Callable

import pytest

from flashsale.keys import ShardKeys
from tests.lua.kit import Shard
from tests.lua.scenes import GOOD, HELD, LATER_WRITERS, PAID, WRITERS, prepare

each_later_writer = pytest.mark.parametrize("name", LATER_WRITERS)

#: Keys that a script neither reads nor writes, so that damage to them is none of its business.
UNTOUCHED = {
    "admit": {"orders"},
    "room": {"stock", "orders"},
    "close": {"stock", "orders"},
    "open": {"stock", "orders"},
    "pause": {"stock", "orders"},
    "resume": {"stock", "orders"},
    "reconfigure": {"orders"},
    "restock": {"orders"},
}

SALE_FIELDS = ("state", "opens_ms", "closes_ms", "hold_ms", "epoch", "seq")

# ---------------------------------------------------------------------------------------------- a log tampered with


def lose_stream(shard: Shard, count: int) -> None:
    """The whole stream is gone."""
    shard.damage("DEL", shard.keys.events)


def lose_newest(shard: Shard, count: int) -> None:
    """The newest entry is gone, as after a failover to a replica that was behind."""
    keep(shard, count - 1)


def lose_most(shard: Shard, count: int) -> None:
    """Only the first entry is left."""
    keep(shard, 1)


def lose_entries(shard: Shard, count: int) -> None:
    """A stream of no entries, which once ended one before the head."""
    keep(shard, 0)
    shard.damage("XGROUP", "CREATE", shard.keys.events, "projector", "0", "MKSTREAM")
    shard.damage("XSETID", shard.keys.events, f"1-{count - 1}")


def keep(shard: Shard, count: int) -> None:
    """Have only the first `count` entries of the log."""
    entries = shard.dump()[shard.keys.events.encode()][1]
    shard.damage("DEL", shard.keys.events)
    for position, fields in entries[:count]:
        shard.damage("XADD", shard.keys.events, position, "e", fields[b"e"])


@each_later_writer
@pytest.mark.parametrize("lose", [lose_stream, lose_newest, lose_most, lose_entries])
def test_a_log_behind_its_counters_sells_nothing(
    shard: Shard, name: str, lose: Callable[[Shard, int], None]
) -> None:
    prepare(shard, name)
    head = shard.head()
    lose(shard, int(head.partition("-")[2]))

    assert shard.run(name, *GOOD[name]).answers == [f"LOG_REGRESSED {head}"]


@each_later_writer
@pytest.mark.parametrize("entry", ["*", "next", "2-1", f"{2**64 - 1}-{2**64 - 1}"])
def test_an_entry_that_no_script_wrote_stops_everything(shard: Shard, name: str, entry: str) -> None:
    prepare(shard, name)
    place = f"1-{int(shard.head().partition('-')[2]) + 1}" if entry == "next" else entry
    shard.damage("XADD", shard.keys.events, place, "e", "forged")

    assert shard.error(name, *GOOD[name]).startswith("KEY_CORRUPT events")


# ----------------------------------------------------------------------------------------------- keys tampered with


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name in WRITERS for key in ShardKeys._fields if key not in UNTOUCHED.get(name, set())],
)
def test_a_key_of_another_type_stops_the_script_before_it_writes(shard: Shard, name: str, key: str) -> None:
    prepare(shard, name)
    shard.damage("SET", getattr(shard.keys, key), "foreign")

    error = shard.error(name, *GOOD[name])

    assert error.startswith(("WRONGTYPE", "KEY_CORRUPT"))


@each_later_writer
@pytest.mark.parametrize("field", SALE_FIELDS)
def test_a_sale_that_lacks_a_field_is_corrupt(shard: Shard, name: str, field: str) -> None:
    prepare(shard, name)
    shard.damage("HDEL", shard.keys.sale, field)

    assert shard.error(name, *GOOD[name]).startswith(f"KEY_CORRUPT sale {field}")


@each_later_writer
@pytest.mark.parametrize("field", SALE_FIELDS[1:])
def test_a_sale_with_a_damaged_number_is_corrupt(shard: Shard, name: str, field: str) -> None:
    prepare(shard, name)
    for value in ("", "abc", "nan", "-1", "1.5", "1e3", " 1", "1\n", "9" * 14):
        shard.damage("HSET", shard.keys.sale, field, value)
        assert shard.error(name, *GOOD[name]).startswith(f"KEY_CORRUPT sale {field}")


@each_later_writer
def test_a_state_that_is_no_word_is_corrupt(shard: Shard, name: str) -> None:
    """It would stand in an answer."""
    prepare(shard, name)
    for value in ("", "a b", "open 1-1", "open\n", "OPEN", b"\xff", "o" * 21):
        shard.damage("HSET", shard.keys.sale, "state", value)
        assert shard.error(name, *GOOD[name]).startswith("KEY_CORRUPT sale state")


#: Scripts that read one record of this key when they run with their good arguments.
READ_STOCK = ("cancel", "confirm", "expire", "reconfigure", "refund", "reserve", "restock")
READ_ORDERS = ("cancel", "confirm", "expire", "refund")
READ_BUYERS = ("cancel", "confirm", "expire", "refund", "reserve")

BAD_STOCK = (
    "",
    "abc",
    "nan",
    "5",
    "5 0 0 0",
    "5 0 0 0 0 0",
    "-1 0 0 0 0",
    "1.5 0 0 0 0",
    "5  0 0 0 0",
    "5 0 0 0 0\n",
    "99999999999999 0 0 0 0",
    f"5 0 0 0 {'9' * 400}",
)
BAD_ORDERS = (
    "",
    "held",
    "held A 1 ann",
    "held A x ann 1 1-4",
    "HELD A 1 ann 1 1-4",
    "held A 1 ann 1 14",
    "held A 1 a b 1 1-4",
    "held A 1000000 ann 1 1-4",
)
BAD_UNITS = ("", "abc", "nan", "-1", "1.5", " 1", "9" * 14)


@pytest.mark.parametrize("name", READ_STOCK)
def test_damaged_stock_is_corrupt(shard: Shard, name: str) -> None:
    prepare(shard, name)
    for value in BAD_STOCK:
        shard.damage("HSET", shard.keys.stock, "A", value)
        assert shard.error(name, *GOOD[name]).startswith("KEY_CORRUPT stock A")


@pytest.mark.parametrize("name", READ_ORDERS)
def test_a_damaged_order_is_corrupt(shard: Shard, name: str) -> None:
    prepare(shard, name)
    order = PAID if name == "refund" else HELD
    for value in BAD_ORDERS:
        shard.damage("HSET", shard.keys.orders, order, value)
        assert shard.error(name, *GOOD[name]).startswith(f"KEY_CORRUPT orders {order}")


@pytest.mark.parametrize("name", READ_BUYERS)
def test_damaged_units_of_a_buyer_are_corrupt(shard: Shard, name: str) -> None:
    prepare(shard, name)
    holder = {"reserve": "eve A", "refund": "bob A"}.get(name, "ann A")
    for value in BAD_UNITS:
        shard.damage("HSET", shard.keys.buyers, holder, value)
        assert shard.error(name, *GOOD[name]).startswith(f"KEY_CORRUPT buyers {holder}")


@pytest.mark.parametrize("name", READ_ORDERS)
def test_an_order_without_its_stock_is_corrupt(shard: Shard, name: str) -> None:
    prepare(shard, name)
    shard.damage("HDEL", shard.keys.stock, "A")

    assert shard.error(name, *GOOD[name]).startswith("KEY_CORRUPT stock A")


@pytest.mark.parametrize("name", READ_ORDERS)
def test_an_order_of_more_units_than_its_stock_has_is_corrupt(shard: Shard, name: str) -> None:
    prepare(shard, name)
    shard.damage("HSET", shard.keys.stock, "A", "5 0 0 0 2")

    assert shard.error(name, *GOOD[name]).startswith("KEY_CORRUPT stock A")


@pytest.mark.parametrize("name", ["cancel", "expire", "refund"])
def test_a_buyer_with_fewer_units_than_their_order_is_corrupt(shard: Shard, name: str) -> None:
    prepare(shard, name)
    shard.damage("DEL", shard.keys.buyers)

    assert shard.error(name, *GOOD[name]).startswith("KEY_CORRUPT buyers")
