"""The names of the keys of a shard."""

import re

from hypothesis import given
from hypothesis import strategies as st

from flashsale import ids
from flashsale.errors import BadInput
from flashsale.keys import RoomKeys, ShardKeys, dead_letters_key, room_keys, shard_keys, staged_keys
from flashsale.scripts import script, script_names

sales = st.from_regex(ids.SALE_ID, fullmatch=True)
shards = st.integers(0, 999)

KEY = re.compile(r"fs:\{(?P<sale>[^{}:]+):(?P<shard>[0-9]+)\}:(?P<name>[a-z]+)")


def test_they_read_well() -> None:
    assert shard_keys("black-friday", 3) == (
        "fs:{black-friday:3}:sale",
        "fs:{black-friday:3}:stock",
        "fs:{black-friday:3}:orders",
        "fs:{black-friday:3}:buyers",
        "fs:{black-friday:3}:holds",
        "fs:{black-friday:3}:events",
    )


@given(sales, shards)
def test_a_key_says_whose_it_is(sale: str, shard: int) -> None:
    for name, key in zip(ShardKeys._fields, shard_keys(sale, shard), strict=True):
        match = KEY.fullmatch(key)
        assert match is not None
        assert (match["sale"], int(match["shard"]), match["name"]) == (sale, shard, name)


@given(st.text(alphabet=st.sampled_from("ab-:{}0 "), max_size=12), shards)
def test_no_text_that_passes_for_a_sale_breaks_out_of_the_hash_tag(text: str, shard: int) -> None:
    try:
        sale = ids.sale_id(text)
    except BadInput:
        return
    for key in shard_keys(sale, shard):
        # What Redis Cluster hashes: from the first opening brace to the first closing one after it.
        assert key[key.index("{") + 1 : key.index("}")] == f"{sale}:{shard}"


@given(sales, sales, shards, shards)
def test_two_shards_share_no_key(sale: str, other_sale: str, shard: int, other_shard: int) -> None:
    shared = set(shard_keys(sale, shard)) & set(shard_keys(other_sale, other_shard))

    assert bool(shared) == ((sale, shard) == (other_sale, other_shard))


def test_every_script_names_them_in_this_order() -> None:
    for name in script_names():
        staged = tuple(f"new_{field}" for field in ShardKeys._fields) if name == "found" else ()
        own = script(name).keys
        if name in ("join", "leave", "roomstate", "stand"):
            assert own == ("sale", *RoomKeys._fields)
            continue
        assert own[:6] == ShardKeys._fields
        assert own[6:] == staged or own[6:] == tuple(key for key in RoomKeys._fields if key in own)


def test_a_waiting_room_is_in_the_slot_of_its_shard() -> None:
    assert room_keys("black-friday") == (
        "fs:{black-friday:0}:room",
        "fs:{black-friday:0}:line",
        "fs:{black-friday:0}:seen",
        "fs:{black-friday:0}:passes",
    )


def test_what_is_staged_stands_beside_and_in_the_same_slot() -> None:
    assert staged_keys("black-friday", 3).sale == "fs:{black-friday:3}:new:sale"
    assert set(staged_keys("black-friday", 3)).isdisjoint(shard_keys("black-friday", 3))


def test_dead_letters_stand_beside_the_log_and_no_script_knows_them() -> None:
    key = dead_letters_key("black-friday", 3)
    assert key == "fs:{black-friday:3}:dead"
    assert key not in shard_keys("black-friday", 3)
